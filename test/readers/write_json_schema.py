"""Records of every type of JSON Schema, written by Python's own json, with what a reader must find of each.

Prints what write_avro.py prints. Decimals are Kafka Connect's: base64 of the unscaled value.
"""
import base64
import datetime
import decimal
import json
import struct
import sys
import uuid

from canonical import Map, ZonedNanos, canonical

UTC = datetime.timezone.utc
D = decimal.Decimal
decimal.getcontext().prec = 60


class Topic:
    def __init__(self, properties, texts=(), columns=None):
        self.columns, self.texts, self.records = columns or list(properties), list(texts), []
        self.schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": properties}

    def add(self, value, row):
        found = {name: canonical(row.get(name)) for name in self.columns}
        # As producers write it: with spaces and escapes, and without.
        for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, separators=(",", ":"))):
            self.records.append({"schema": 0, "bytes": base64.b64encode(text.encode()).decode(), "row": found, "code": None})

    def dead(self, code, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.records.append({"schema": 0, "bytes": base64.b64encode(data).decode(), "row": None, "code": code})


def connect(kind, name, **parameters):
    return {"type": kind, "title": f"org.apache.kafka.connect.data.{name}", "connect.parameters": parameters}


def amount(precision, scale):
    return connect("number", "Decimal", **{"scale": str(scale), "connect.decimal.precision": str(precision)})


def unscaled(value, scale):
    number = int(value.scaleb(scale))
    return base64.b64encode(number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)).decode()


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def stamp(value, digits=6):
    return value.isoformat(timespec={0: "seconds", 3: "milliseconds", 6: "microseconds"}[digits])


def micros(value):
    return (value - datetime.datetime(1970, 1, 1, tzinfo=UTC)) // datetime.timedelta(microseconds=1)


def scalars():
    topic = Topic({
        "flag": {"type": "boolean"}, "small": {"type": "integer", "connect.type": "int32"}, "large": {"type": "integer"},
        "single": {"type": "number", "connect.type": "float32"}, "double": {"type": "number"}, "text": {"type": "string"},
        "raw": {"type": "string", "contentEncoding": "base64"}, "color": {"enum": ["RED", "GREEN"]}, "uid": {"type": "string", "format": "uuid"},
        "day": {"type": "string", "format": "date"}, "at": {"type": "string", "format": "date-time"}, "days": connect("integer", "Date"),
        "millis": connect("integer", "Timestamp"), "clock": connect("integer", "Time"),
        "price": amount(10, 2), "huge": amount(38, 0), "fraction": amount(38, 38), "maybe": {"type": ["null", "string"]},
    })

    def add(row):
        epoch = datetime.date(1970, 1, 1)
        midnight = datetime.datetime.combine(epoch, row["clock"], UTC)
        topic.add({
            **row, "raw": base64.b64encode(row["raw"]).decode(), "uid": str(row["uid"]), "day": row["day"].isoformat(), "at": stamp(row["at"]),
            "days": (row["days"] - epoch).days, "millis": micros(row["millis"]) // 1000, "clock": micros(midnight) // 1000,
            "price": unscaled(row["price"], 2), "huge": unscaled(row["huge"], 0), "fraction": unscaled(row["fraction"], 38),
        }, row)

    usual = {
        "flag": True, "small": 1, "large": 1, "single": 1.5, "double": -0.1, "text": "zażółć 🦆", "raw": b"\x00\xff", "color": "GREEN",
        "uid": uuid.UUID("0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa"), "day": datetime.date(2025, 10, 9), "at": datetime.datetime(2025, 10, 9, 8, 53, 20, 123456, UTC),
        "days": datetime.date(2025, 10, 9), "millis": datetime.datetime(2025, 10, 9, 8, 53, 20, 123000, UTC), "clock": datetime.time(1, 2, 3, 4000),
        "price": D("-2.00"), "huge": D(7), "fraction": D("0.5").quantize(D(1).scaleb(-38)), "maybe": "there",
    }
    add(usual)
    add({**usual, "maybe": None})
    add({
        **usual, "flag": False, "small": -2**31, "large": -2**63, "single": -single(3.4028234e38), "double": -sys.float_info.max, "text": "", "raw": b"", "color": "RED",
        "uid": uuid.UUID(int=0), "day": datetime.date(1, 1, 1), "at": datetime.datetime(2, 1, 2, 0, 0, 0, 1, UTC), "days": datetime.date(1, 1, 1),
        "millis": datetime.datetime(2, 1, 2, tzinfo=UTC), "clock": datetime.time(0), "price": D("-99999999.99"), "huge": -D(10**38 - 1), "fraction": -D(10**38 - 1).scaleb(-38), "maybe": "",
    })
    add({
        **usual, "small": 2**31 - 1, "large": 2**63 - 1, "single": single(1e-45), "double": sys.float_info.max, "text": "a\x00b \u2028 \U0010ffff", "raw": bytes(range(256)),
        "uid": uuid.UUID(int=2**128 - 1), "day": datetime.date(9999, 12, 31), "at": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "days": datetime.date(9999, 12, 31),
        "millis": datetime.datetime(9999, 12, 31, 23, 59, 59, 999000, UTC), "clock": datetime.time(23, 59, 59, 999000),
        "price": D("99999999.99"), "huge": D(10**38 - 1), "fraction": D(10**38 - 1).scaleb(-38),
    })
    add({**usual, "single": -0.0, "double": -0.0, "small": 0, "large": -1, "day": datetime.date(1969, 12, 31), "days": datetime.date(1969, 12, 31), "at": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), "price": D("0.00"), "huge": D(0), "fraction": D(0).scaleb(-38)})
    add({**usual, "double": 5e-324, "large": 2**53 + 1, "at": datetime.datetime(2024, 2, 29, 23, 59, 59, 1, datetime.timezone(datetime.timedelta(hours=-11, minutes=-30)))})
    add({**usual, "text": "x" * (10 << 20)})

    topic.dead("DECODE_JSON", b'{"text":"br\xffken"}')
    topic.dead("DECODE_JSON", '{"text":"broken"')
    topic.dead("DECODE_JSON", '{"text":"\\ud800"}')
    topic.dead("VALUE_OUT_OF_RANGE", json.dumps({"large": 2**63}))
    topic.dead("VALUE_OUT_OF_RANGE", json.dumps({"small": -(2**31) - 1}))
    topic.dead("VALUE_OUT_OF_RANGE", '{"double":1e400}')
    topic.dead("VALUE_OUT_OF_RANGE", json.dumps({"price": unscaled(D("100000000.00"), 2)}))
    topic.dead("VALUE_OUT_OF_RANGE", json.dumps({"huge": unscaled(D(10**38), 0)}))
    # What Python calls JSON, and nobody else does.
    topic.dead("DECODE_JSON", json.dumps({"double": float("nan")}))
    topic.dead("DECODE_JSON", json.dumps({"day": "2023-02-29"}))
    topic.dead("DECODE_JSON", json.dumps({"at": "2025-10-09T08:53:20"}))
    topic.dead("DECODE_JSON", json.dumps({"uid": "no uuid"}))
    return topic


def logicals():
    """Offsets, digits of a second, upper and lower case."""
    topic = Topic({"uid": {"type": "string", "format": "uuid"}, "at": {"type": "string", "format": "date-time"}, "whole": {"type": "integer"}})
    for uid, at, digits in (
        (uuid.UUID("12345678-1234-4234-8234-123456789abc"), datetime.datetime(1815, 12, 10, 1, 2, 3, 4000, UTC), 3),
        (uuid.UUID(int=1), datetime.datetime(2038, 1, 19, 3, 14, 8, tzinfo=datetime.timezone(datetime.timedelta(hours=14))), 0),
        (uuid.UUID(int=2**127), datetime.datetime(2000, 2, 29, 12, 0, 0, 1, datetime.timezone(datetime.timedelta(hours=-5))), 6),
    ):
        topic.add({"uid": str(uid).upper(), "at": stamp(at, digits), "whole": 7.0}, {"uid": uid, "at": at, "whole": 7})
    return topic


def nested():
    integers, strings = {"type": ["integer", "null"]}, {"type": ["string", "null"]}
    point = {"type": "object", "properties": {"x": {"type": "integer"}, "tags": {"type": "array", "items": strings}}}
    node = {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/definitions/node"}}}
    listing = lambda items: {"type": "array", "items": items}
    topic = Topic({
        "list": listing(integers), "lists": listing(listing(listing({"type": "integer"}))), "map": {"type": "object", "additionalProperties": strings},
        "deep": {"type": "object", "properties": {"points": {"type": "object", "additionalProperties": listing(point)}}},
        "four": {"anyOf": [{"type": "null"}, {"type": "integer"}, {"type": "string"}, point]}, "empty": {"type": "object"}, "any": {}, "node": {"$ref": "#/definitions/node"},
    }, ["four", "empty", "any", "node"])
    topic.schema["definitions"] = {"node": node}
    full = {
        "list": [1, None, -2**63], "lists": [[[1, 2], []], []], "map": {"one": "1", "": None, "zażółć": ""},
        "deep": {"points": {"p": [{"x": 1, "tags": ["a", None, ""]}, {"x": 2, "tags": []}], "q": []}},
        "four": {"x": 1, "tags": []}, "empty": {}, "any": [1, {"a": None}, "b"], "node": {"v": 1, "next": {"v": 2, "next": None}},
    }
    texts = lambda value: {key: json.dumps(value[key]) for key in ("four", "empty", "any", "node")}
    topic.add(full, {**full, **texts(full), "map": Map(full["map"]), "deep": {"points": Map(full["deep"]["points"])}})
    bare = {**full, "list": [], "lists": [], "map": {}, "deep": {"points": {}}, "four": 7, "any": True, "node": {"v": 3}}
    topic.add(bare, {**bare, **texts(bare), "map": Map(), "deep": {"points": Map()}})
    topic.add({"list": None, "deep": {}}, {"deep": {"points": None}})
    return topic


def names():
    words = ["select", "order", "table", "group", "_hidden", "id", "ID", "Id", "CamelCase", "a" * 200, "value", "element", "key", "null", "a-hyphen", "a.dot", "a space", "🍕", "zażółć"]
    columns = ["ID_2" if word == "ID" else "Id_3" if word == "Id" else word for word in words]
    topic = Topic({word: {"type": "integer"} for word in words}, columns=columns)
    topic.add({word: i for i, word in enumerate(words)}, {column: i for i, column in enumerate(columns)})
    return topic


def wide():
    columns = [f"c{i:04d}" for i in range(1000)]
    kinds = [{"type": "integer"}, {"type": "string"}, {"type": "number"}, {"type": ["null", "boolean"]}]
    topic = Topic({column: kinds[i % 4] for i, column in enumerate(columns)})
    for n in range(3):
        row = {column: [i * n, f"v{i}", i / 8 + n, None if i % 8 == 3 else n == 1][i % 4] for i, column in enumerate(columns)}
        topic.add(row, row)
    return topic


def nanos():
    """One topic for every `nanos` option; the rows are those of `native`."""
    topic = Topic({"at": {"type": "string", "format": "date-time"}})
    for n in (1, -1, 1_760_000_000_123_456_789, -999_999_999, 2**63 - 1, -(2**63)):
        seconds, rest = divmod(n, 10**9)
        whole = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        topic.add({"at": f"{whole.isoformat()}.{rest:09d}Z"}, {"at": ZonedNanos(n)})
    return topic


topics = {"scalars": scalars(), "logicals": logicals(), "nested": nested(), "names": names(), "wide": wide(), "nanos": nanos()}
print(json.dumps({name: {"schemas": [t.schema], "columns": t.columns, "json": t.texts, "records": t.records} for name, t in topics.items()}))
