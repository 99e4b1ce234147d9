"""Messages of every Protobuf type, written by protoc-generated Python, with what a reader must find of each.

Prints one JSON object: {topic: {"files": [{"name": import path, "text"}], "columns", "json": [columns that hold JSON text],
"message": full name, "records": [{"index": the message index in
front of the bytes, "bytes": base64, "row": {...} or null, "code": of a dead letter}]}}; the
first file is the schema, the others are what it imports. Rows are made from what the reference library parses of the very
bytes, by its descriptors; values are written as canonical.py has them.
"""
import base64
import datetime
import decimal
import importlib
import json
import math
import os
import sys
import tempfile

import grpc_tools
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor as F
from grpc_tools import protoc

from canonical import Map, canonical

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
JSON_TYPES = {"google.protobuf." + name for name in ("Struct", "Value", "ListValue", "Any")}

COMMON = """
syntax = "proto3";
package shop.common;
message Money { string currency = 1; sint64 units = 2; }
"""

ALL = """
syntax = "proto3";
package shop;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "shop/common.proto";

message All {
  double f_double = 1; float f_float = 2; int32 f_int32 = 3; int64 f_int64 = 4; uint32 f_uint32 = 5; uint64 f_uint64 = 6;
  sint32 f_sint32 = 7; sint64 f_sint64 = 8; fixed32 f_fixed32 = 9; fixed64 f_fixed64 = 10; sfixed32 f_sfixed32 = 11;
  sfixed64 f_sfixed64 = 12; bool f_bool = 13; string f_string = 14; bytes f_bytes = 15; Color f_color = 16;
  optional int32 o_int32 = 20; optional string o_string = 21; optional Color o_color = 22; optional bool o_bool = 23;
  optional uint64 o_uint64 = 24; optional bytes o_bytes = 25;
  repeated int32 r_int32 = 30; repeated string r_string = 31; repeated uint64 r_uint64 = 32 [packed = false];
  repeated Color r_color = 33; repeated Level1 r_message = 34; repeated double r_double = 35; repeated bytes r_bytes = 36;
  repeated google.protobuf.Timestamp r_time = 37; repeated google.protobuf.StringValue r_wrapped = 38;
  map<string, int64> m_string = 40; map<int32, Level1> m_int32 = 41; map<bool, string> m_bool = 42;
  map<sint64, Color> m_sint64 = 43; map<string, google.protobuf.Timestamp> m_time = 44;
  Level1 nested = 50;
  oneof choice { string c_string = 60; int64 c_int64 = 61; Level2 c_message = 62; Color c_color = 63; google.protobuf.Empty c_empty = 64; }
  google.protobuf.Timestamp t_time = 70; google.protobuf.Duration t_duration = 71;
  google.protobuf.DoubleValue w_double = 80; google.protobuf.FloatValue w_float = 81; google.protobuf.Int64Value w_int64 = 82;
  google.protobuf.UInt64Value w_uint64 = 83; google.protobuf.Int32Value w_int32 = 84; google.protobuf.UInt32Value w_uint32 = 85;
  google.protobuf.BoolValue w_bool = 86; google.protobuf.StringValue w_string = 87; google.protobuf.BytesValue w_bytes = 88;
  google.protobuf.Struct j_struct = 90; google.protobuf.Value j_value = 91; google.protobuf.ListValue j_list = 92;
  google.protobuf.Any j_any = 93; Node j_node = 94;
  google.protobuf.Empty e_empty = 100; Nothing e_nothing = 101; google.protobuf.FieldMask e_mask = 102;
  shop.common.Money money = 110;
  int32 far = 536870911;
}
enum Color { option allow_alias = true; UNSET = 0; RED = 1; CRIMSON = 1; NEGATIVE = -1; BLUE = 4000; }
message Level1 { string name = 1; Level2 level2 = 2; repeated Level2 list = 3; }
message Level2 { int32 number = 1; optional int32 maybe = 2; Level3 level3 = 3; }
message Level3 { map<string, string> labels = 1; double weight = 2; }
message Node { int64 id = 1; float ratio = 2; repeated Node children = 3; bytes data = 4; google.protobuf.Timestamp at = 5; map<string, Node> named = 6; Color color = 7; }
message Nothing {}
message Wrap { map<string, int32> counts = 1; message Inner { string id = 1; optional int32 n = 2; } }
"""

TWO = """
syntax = "proto2";
package shop;
message First { optional string unused = 1; }
message Outer {
  map<string, int32> counts = 1;
  message Inner {
    required string id = 1;
    optional int32 with_default = 2 [default = 7];
    repeated int32 unpacked = 3;
    repeated int32 packed = 4 [packed = true];
    optional group Item = 5 { optional string name = 6; repeated group Part = 7 { required int32 n = 1; } }
    optional Kind kind = 8 [default = SECOND];
    optional double ratio = 9;
    extensions 100 to 200;
  }
}
enum Kind { FIRST = 1; SECOND = 2; }
"""


def compiled(files):
    directory = tempfile.mkdtemp()
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(directory, name)), exist_ok=True)
        with open(os.path.join(directory, name), "w") as out:
            out.write(text)
    include = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    if protoc.main(["protoc", f"-I{directory}", f"-I{include}", f"--python_out={directory}", *files]) != 0:
        raise SystemExit("protoc failed")
    sys.path.insert(0, directory)
    return [importlib.import_module(name[: -len(".proto")].replace("/", ".") + "_pb2") for name in files]


def recursive(message, seen=()):
    return any(
        f.message_type is not None and (f.message_type in (*seen, message) or recursive(f.message_type, (*seen, message)))
        for f in message.fields
    )


def single(field, value):
    """A value that is not repeated, as its column has it."""
    if field.type == F.TYPE_ENUM:
        names = [v.name for v in field.enum_type.values if v.number == value]
        return names[0] if names else str(value)
    if field.type in (F.TYPE_UINT64, F.TYPE_FIXED64):
        return decimal.Decimal(value)
    if field.message_type is None:
        return value
    return message(value)


def message(value):
    kind = value.DESCRIPTOR
    if kind.full_name == "google.protobuf.Timestamp":
        return EPOCH + datetime.timedelta(microseconds=value.ToMicroseconds())
    if kind.full_name == "google.protobuf.Duration":
        return value.ToMicroseconds()
    if kind.file.name == "google/protobuf/wrappers.proto":
        return single(kind.fields[0], value.value)
    if kind.full_name in JSON_TYPES or recursive(kind):
        return json.dumps(
            json_format.MessageToDict(value, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        )
    if not kind.fields:
        return True
    return struct(value)


def struct(value):
    row = {}
    for field in value.DESCRIPTOR.fields:
        own = getattr(value, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            row[field.name] = Map((single(field.message_type.fields_by_name["key"], k), single(inner, own[k])) for k in own)
        elif field.is_repeated:
            row[field.name] = [single(field, item) for item in own]
        elif field.has_presence and not value.HasField(field.name):
            row[field.name] = None
        else:
            row[field.name] = single(field, own)
    return row


def index(kind):
    """The message index in front of the bytes: zigzag varints, 0 for the first message."""
    path = []
    while kind.containing_type is not None:
        path.insert(0, list(kind.containing_type.nested_types).index(kind))
        kind = kind.containing_type
    path.insert(0, list(kind.file.message_types_by_name.values()).index(kind))
    return b"\0" if path == [0] else bytes([2 * len(path), *(2 * i for i in path)])


class Topic:
    def __init__(self, files, kind, columns=None):
        self.files, self.kind, self.records = files, kind, []
        self.columns = columns or [field.name for field in kind.DESCRIPTOR.fields]
        self.json = [
            f.name
            for f in kind.DESCRIPTOR.fields
            if f.message_type is not None and (f.message_type.full_name in JSON_TYPES or recursive(f.message_type))
        ]

    def raw(self, data):
        row = struct(self.kind.FromString(data))
        self.records.append(self.record(data, {name: canonical(row[name]) for name in self.columns}, None))

    def add(self, **fields):
        self.raw(self.kind(**fields).SerializeToString(deterministic=True))

    def dead(self, data, code="DECODE_PROTOBUF"):
        self.records.append(self.record(data, None, code))

    def record(self, data, row, code):
        prefix, text = [base64.b64encode(part).decode() for part in (index(self.kind.DESCRIPTOR), data)]
        return {"index": prefix, "bytes": text, "row": row, "code": code}

    def printed(self):
        files = [{"name": name, "text": text} for name, text in self.files.items()]
        return {"files": files, "message": self.kind.DESCRIPTOR.full_name, "columns": self.columns, "json": self.json, "records": self.records}


def everything(all_pb, common_pb):
    from google.protobuf import any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2

    topic = Topic({"shop/all.proto": ALL, "shop/common.proto": COMMON}, all_pb.All)
    T = timestamp_pb2.Timestamp
    D = duration_pb2.Duration
    topic.add()
    for i32, i64, u32, u64, number in (
        (-(2**31), -(2**63), 0, 0, math.inf),
        (2**31 - 1, 2**63 - 1, 2**32 - 1, 2**64 - 1, -math.inf),
        (-1, -1, 1, 2**63, math.nan),
        (0, 0, 127, 128, -0.0),
        (1, 2**53 + 1, 2**31, 9007199254740993, 5e-324),
        (300, -(2**31) - 1, 16384, 2**32, 1.7976931348623157e308),
    ):
        narrow = number if not math.isfinite(number) or number == 0 else math.copysign(3.4028234663852886e38, number)
        topic.add(
            f_double=number, f_float=narrow, f_int32=i32, f_int64=i64, f_uint32=u32, f_uint64=u64, f_sint32=i32, f_sint64=i64,
            f_fixed32=u32, f_fixed64=u64, f_sfixed32=i32, f_sfixed64=i64, f_bool=i32 < 0, o_int32=i32, o_uint64=u64,
            r_int32=[i32, 0, i32], r_uint64=[u64, 1], r_double=[number, 1.5], m_string={"": i64, "x": 1}, m_sint64={i64: 1, 7: -1},
            w_double={"value": number}, w_float={"value": narrow}, w_int64={"value": i64}, w_uint64={"value": u64},
            w_int32={"value": i32}, w_uint32={"value": u32}, far=i32,
        )
    for text in ("", "ascii", "žluťoučký kůň 🐎", "a\0b", "x" * 100_000):
        topic.add(
            f_string=text, f_bytes=text.encode(), o_string=text, o_bytes=text.encode(), r_string=[text, "", text],
            r_bytes=[b"", text.encode()], c_string=text, w_string={"value": text}, w_bytes={"value": text.encode()},
            m_bool={False: text, True: "yes"}, r_wrapped=[{"value": text}, {}],
        )
    topic.add(f_color=1, o_color=0, r_color=[0, 1, -1, 4000, 77, -5], m_sint64={1: 4000, 2: 99}, c_color=0)
    topic.add(f_color=-1, o_bool=False, w_bool={"value": False}, c_int64=0)
    topic.add(f_color=12345, w_bool={}, w_string={}, w_uint64={}, c_empty={}, e_empty={}, e_nothing={}, e_mask={"paths": ["a.b", "c"]})
    deep = {"name": "one", "level2": {"number": 5, "level3": {"labels": {"k": "v", "": ""}, "weight": -0.0}}, "list": [{}, {"maybe": 0, "level3": {}}]}
    topic.add(nested=deep, r_message=[deep, {}, deep], m_int32={0: deep, -7: {}}, c_message={"maybe": 3}, money={"currency": "EUR", "units": -5})
    topic.add(nested={}, r_message=[{}], c_message={})
    for seconds, nanos in ((0, 0), (-1, 999_999_000), (-2208988800, 1000), (253402300799, 999_999_999), (-62103974400, 0), (1700000000, 123_456_789)):
        at = T(seconds=seconds, nanos=nanos)
        topic.add(t_time=at, r_time=[at, T()], m_time={"a": at, "": T()})
    for seconds, nanos in ((0, 0), (-1, -500_000_000), (0, -1_999), (315_576_000_000, 999_999_999), (-315_576_000_000, -999_999_999)):
        topic.add(t_duration=D(seconds=seconds, nanos=nanos))
    data = {"s": "text", "n": 1.5, "i": 7, "b": True, "z": None, "l": [1, [], {}], "o": {"deep": {"er": "x"}}}
    topic.add(
        j_struct=json_format.ParseDict(data, struct_pb2.Struct()), j_value=struct_pb2.Value(number_value=-0.5),
        j_list=json_format.ParseDict([1, "x", None], struct_pb2.ListValue()),
    )
    for value in (struct_pb2.Value(null_value=0), struct_pb2.Value(string_value='"\\\n\u2028'), struct_pb2.Value(struct_value={}), struct_pb2.Value(bool_value=False)):
        topic.add(j_value=value, j_struct={}, j_list={})
    known = any_pb2.Any()
    known.Pack(common_pb.Money(currency="CZK", units=2**53 + 1))
    special = any_pb2.Any()
    special.Pack(D(seconds=-3, nanos=-1_000))
    topic.add(j_any=known)
    topic.add(j_any=special)
    topic.add(
        j_node={
            "id": -(2**63), "ratio": 0.1, "data": b"\xff\0", "at": T(seconds=-1, nanos=1_000), "color": 4000,
            "children": [{"id": 1, "ratio": math.inf, "children": [{"color": 55}]}, {}], "named": {"k": {"ratio": 1e-30}},
        }
    )
    topic.add(j_node={})

    # One message in pieces, fields in any order, both ways of packing, unknown fields and groups.
    parts = [
        all_pb.All(nested={"name": "a", "list": [{"number": 1}]}, r_int32=[1], f_string="first", c_string="s", t_time=T(seconds=5)),
        all_pb.All(nested={"level2": {"maybe": 2}, "list": [{"number": 2}]}, r_int32=[2, 3], f_string="last", c_int64=6, t_time=T(nanos=7000)),
        all_pb.All(m_string={"k": 1}, c_message={"number": 1}, j_struct=json_format.ParseDict({"a": 1}, struct_pb2.Struct())),
        all_pb.All(m_string={"k": 2}, c_message={"maybe": 2}, j_struct=json_format.ParseDict({"b": 2}, struct_pb2.Struct())),
    ]
    pieces = [part.SerializeToString() for part in parts]
    topic.raw(b"".join(pieces))
    topic.raw(b"".join(reversed(pieces)))
    topic.raw(b"\xf0\x01\x05" + b"\xf2\x01\x02\x06\x07" + b"\x82\x02\x02\x08\x09")
    topic.raw(b"\xa0\x3f\x01" + b"\xa3\x3f\x08\x01\xa4\x3f" + pieces[0] + b"\xaa\x3f\x03abc" + b"\xad\x3f\x01\x02\x03\x04")
    # A wire type that the field cannot have is an unknown field.
    topic.raw(b"\x18\x05" + b"\x1d\x01\x00\x00\x00" + b"\x72\x01x" + b"\x70\x01")
    # More than 32 bits in an int32, a bool of 2, a tag in more bytes than it needs.
    topic.raw(b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + b"\x68\x02" + b"\x98\x00\x07")
    topic.dead(pieces[0][:-1])
    topic.dead(b"\x72\x02\xc3\x28")
    topic.dead(b"\x20" + b"\xff" * 10 + b"\x01")
    topic.dead(b"\x00\x01")
    topic.dead(b"\x1c")
    topic.dead(b"\x1f\x00")
    topic.dead(all_pb.All(t_time=T(seconds=2**62)).SerializeToString(), "VALUE_OUT_OF_RANGE")
    return topic


def proto2(two_pb):
    topic = Topic({"shop/two.proto": TWO}, two_pb.Outer.Inner)
    topic.add(id="plain")
    topic.add(id="", with_default=0, unpacked=[1, -1], packed=[300, 0], kind=1, ratio=-0.0)
    topic.add(id="group", item={"name": "it", "part": [{"n": 1}, {"n": -2}]})
    topic.raw(b"\x0a\x01x" + b"\x1a\x02\x01\x02" + b"\x18\x03" + b"\x20\x04" + b"\xa0\x06\x01")
    topic.dead(b"\x10\x01")
    topic.dead(b"\x0a\x01x\x2b\x3b\x3c\x2c")
    topic.dead(b"\x0a\x01x\x2b")
    return topic


[all_pb, common_pb] = compiled({"shop/all.proto": ALL, "shop/common.proto": COMMON})
[two_pb] = compiled({"shop/two.proto": TWO})
inner = Topic({"shop/all.proto": ALL, "shop/common.proto": COMMON}, all_pb.Wrap.Inner)
inner.add(id="nested", n=0)
inner.add()
topics = {"all": everything(all_pb, common_pb), "inner": inner, "two": proto2(two_pb)}
print(json.dumps({name: topic.printed() for name, topic in topics.items()}))
