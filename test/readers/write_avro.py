"""Records of every Avro type, written by the two reference libraries, with what a reader must find of each.

Prints one JSON object: {topic: {"schemas": [...], "columns": [...], "json": [columns that hold JSON text],
"records": [{"schema": index, "bytes": base64, "row": {...} or null, "code": of a dead letter}]}}.
Values are written as canonical.py has them. Each record comes once by avro and once by fastavro, where both can write it.
"""
import base64
import datetime
import decimal
import io
import json
import math
import struct
import sys
import uuid
import warnings

import avro.io
import avro.schema
import fastavro

from canonical import Map, Nanos, ZonedNanos, canonical

warnings.simplefilter("ignore")
UTC = datetime.timezone.utc
D = decimal.Decimal
decimal.getcontext().prec = 60


def by_avro(schema, value):
    out = io.BytesIO()
    avro.io.DatumWriter(avro.schema.parse(json.dumps(schema))).write(value, avro.io.BinaryEncoder(out))
    return out.getvalue()


def by_fastavro(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return out.getvalue()


class Topic:
    def __init__(self, columns, texts=()):
        self.schemas, self.records, self.columns, self.texts = [], [], columns, list(texts)

    def schema(self, schema):
        self.schemas.append(schema)
        return schema

    def add(self, schema, value, row, libraries=(by_avro, by_fastavro)):
        for library in libraries:
            self.raw(schema, library(schema, value), row)

    def raw(self, schema, data, row, code=None):
        found = None
        if row is not None:
            found = {name: canonical(row.get(name)) for name in self.columns}
        self.records.append({"schema": self.schemas.index(schema), "bytes": base64.b64encode(data).decode(), "row": found, "code": code})


def record(name, *fields):
    return {"type": "record", "name": name, "namespace": "types", "fields": [{"name": n, "type": t} for n, t in fields]}


def logical(base, name, **more):
    return {"type": base, "logicalType": name, **more}


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def scalars():
    fields = [
        ("flag", "boolean"), ("small", "int"), ("large", "long"), ("single", "float"), ("double", "double"), ("raw", "bytes"),
        ("text", "string"), ("four", {"type": "fixed", "name": "Four", "size": 4}),
        ("color", {"type": "enum", "name": "Color", "symbols": ["RED", "GREEN"]}),
        ("price", logical("bytes", "decimal", precision=10, scale=2)), ("huge", logical("bytes", "decimal", precision=38, scale=0)),
        ("fraction", logical("bytes", "decimal", precision=38, scale=38)),
        ("fixed_price", {"type": "fixed", "name": "Price", "size": 8, "logicalType": "decimal", "precision": 18, "scale": 3}),
        ("uid", logical("string", "uuid")), ("raw_uid", {"type": "fixed", "name": "Uid", "size": 16, "logicalType": "uuid"}),
        ("day", logical("int", "date")), ("at_ms", logical("long", "timestamp-millis")), ("at_us", logical("long", "timestamp-micros")),
        ("local_ms", logical("long", "local-timestamp-millis")), ("local_us", logical("long", "local-timestamp-micros")),
        ("clock_ms", logical("int", "time-millis")), ("clock_us", logical("long", "time-micros")),
        ("odd", logical("string", "no-such-type")), ("maybe", ["null", "string"]), ("turned", ["double", "null"]),
    ]
    topic = Topic([name for name, _ in fields])
    # The same bytes, without the logical types of which a library has ideas of its own: what they hold is written as it is.
    plain = record("Scalars", *[
        (name, "bytes" if name in ("price", "huge", "fraction") else {"type": "fixed", "name": kind["name"], "size": kind["size"]} if isinstance(kind, dict) and kind["type"] == "fixed" else kind["type"] if isinstance(kind, dict) and "logicalType" in kind else kind)
        for name, kind in fields
    ])
    schema = topic.schema(record("Scalars", *fields))
    epoch = datetime.datetime(1970, 1, 1)

    def number(value, scale, size=None):
        unscaled = int(value.scaleb(scale))
        length = size or (unscaled + (unscaled < 0)).bit_length() // 8 + 1
        return unscaled.to_bytes(length, "big", signed=True)

    def stamp(value, unit):
        return (value.replace(tzinfo=None) - epoch) // datetime.timedelta(microseconds=unit)

    def clock(value):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond

    def add(row):
        value = {
            **row, "price": number(row["price"], 2), "huge": number(row["huge"], 0), "fraction": number(row["fraction"], 38),
            "fixed_price": number(row["fixed_price"], 3, 8), "uid": str(row["uid"]), "raw_uid": row["raw_uid"].bytes,
            "day": (row["day"] - epoch.date()).days, "at_ms": stamp(row["at_ms"], 1000), "at_us": stamp(row["at_us"], 1),
            "local_ms": stamp(row["local_ms"], 1000), "local_us": stamp(row["local_us"], 1),
            "clock_ms": clock(row["clock_ms"]) // 1000, "clock_us": clock(row["clock_us"]),
        }
        for library in (by_avro, by_fastavro):
            topic.raw(schema, library(plain, value), row)
        # fastavro writes logical types too, but for local times, uuid of fixed and limits of Python's.
        return value

    usual = {
        "flag": True, "small": 1, "large": 1, "single": 1.5, "double": -0.1, "raw": b"\x00\xff", "text": "zażółć 🦆", "four": b"\x01\x02\x03\x04",
        "color": "GREEN", "price": D("-2.00"), "huge": D(7), "fraction": D("0.5").quantize(D(1).scaleb(-38)), "fixed_price": D("-1.250"),
        "uid": uuid.UUID("0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa"), "raw_uid": uuid.UUID("ffffffff-ffff-4fff-bfff-ffffffffffff"),
        "day": datetime.date(2025, 10, 9), "at_ms": datetime.datetime(2025, 10, 9, 8, 53, 20, 123000, UTC),
        "at_us": datetime.datetime(2025, 10, 9, 8, 53, 20, 123456, UTC), "local_ms": datetime.datetime(2025, 10, 9, 8, 53, 20, 123000),
        "local_us": datetime.datetime(2025, 10, 9, 8, 53, 20, 123456), "clock_ms": datetime.time(1, 2, 3, 4000), "clock_us": datetime.time(1, 2, 3, 4),
        "odd": "odd", "maybe": "there", "turned": 2.5,
    }
    add(usual)
    add({**usual, "maybe": None, "turned": None})
    add({
        **usual, "flag": False, "small": -2**31, "large": -2**63, "single": -math.inf, "double": -math.inf, "raw": b"", "text": "", "four": bytes(4), "color": "RED",
        "price": D("-99999999.99"), "huge": -D(10**38 - 1), "fraction": -D(10**38 - 1).scaleb(-38), "fixed_price": -D(10**18 - 1).scaleb(-3),
        "uid": uuid.UUID(int=0), "raw_uid": uuid.UUID(int=0), "day": datetime.date(1, 1, 1),
        "at_ms": datetime.datetime(2, 1, 2, tzinfo=UTC), "at_us": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        "local_ms": datetime.datetime(2, 1, 2), "local_us": datetime.datetime(2, 1, 2, 0, 0, 0, 1), "clock_ms": datetime.time(0), "clock_us": datetime.time(0), "maybe": "",
    })
    add({
        **usual, "small": 2**31 - 1, "large": 2**63 - 1, "single": math.inf, "double": math.inf, "raw": bytes(range(256)), "text": "a\x00b \u2028 \U0010ffff", "four": b"\xff" * 4,
        "price": D("99999999.99"), "huge": D(10**38 - 1), "fraction": D(10**38 - 1).scaleb(-38), "fixed_price": D(10**18 - 1).scaleb(-3),
        "uid": uuid.UUID(int=2**128 - 1), "raw_uid": uuid.UUID(int=2**128 - 1), "day": datetime.date(9999, 12, 31),
        "at_ms": datetime.datetime(9999, 12, 31, 23, 59, 59, 999000, UTC), "at_us": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        "local_ms": datetime.datetime(9999, 12, 31, 23, 59, 59, 999000), "local_us": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
        "clock_ms": datetime.time(23, 59, 59, 999000), "clock_us": datetime.time(23, 59, 59, 999999),
    })
    add({**usual, "single": math.nan, "double": math.nan, "day": datetime.date(1969, 12, 31), "price": D("0.00"), "huge": D(0), "fraction": D(0).scaleb(-38), "fixed_price": D("0.000")})
    last = add({**usual, "single": -0.0, "double": -0.0, "small": 0, "large": -1, "turned": -0.0})
    add({**usual, "single": single(1e-45), "double": 5e-324, "large": 2**53 + 1})
    add({**usual, "single": single(3.4028234e38), "double": sys.float_info.max, "text": "x" * (10 << 20)})

    def dead(code, data):
        topic.raw(schema, data, None, code)

    good = by_fastavro(plain, {**last, "text": "broken"})
    dead("DECODE_AVRO", good.replace(b"broken", b"br\xff\xfeen"))
    dead("DECODE_AVRO", good[:-1])
    dead("VALUE_OUT_OF_RANGE", by_fastavro(plain, {**last, "price": number(D("100000000.00"), 2)}))
    dead("VALUE_OUT_OF_RANGE", by_fastavro(plain, {**last, "huge": number(D(10**38), 0)}))
    dead("VALUE_OUT_OF_RANGE", by_fastavro(plain, {**last, "at_ms": 2**63 - 1}))
    dead("VALUE_OUT_OF_RANGE", by_fastavro(plain, {**last, "clock_us": 86_400_000_000}))
    dead("VALUE_OUT_OF_RANGE", by_fastavro(plain, {**last, "uid": "no uuid"}))
    return topic


def logicals():
    """What fastavro itself makes of Python's own types."""
    fields = [
        ("price", logical("bytes", "decimal", precision=10, scale=2)), ("uid", logical("string", "uuid")), ("day", logical("int", "date")),
        ("at_ms", logical("long", "timestamp-millis")), ("at_us", logical("long", "timestamp-micros")),
        ("local_us", logical("long", "local-timestamp-micros")), ("clock_ms", logical("int", "time-millis")), ("clock_us", logical("long", "time-micros")),
    ]
    topic = Topic([name for name, _ in fields])
    schema = topic.schema(record("Logicals", *fields))
    for row in (
        {"price": D("-12345678.90"), "uid": uuid.UUID("12345678-1234-4234-8234-123456789abc"), "day": datetime.date(1899, 12, 31),
         "at_ms": datetime.datetime(1815, 12, 10, 1, 2, 3, 4000, UTC), "at_us": datetime.datetime(1815, 12, 10, 1, 2, 3, 4, UTC),
         "local_us": datetime.datetime(2400, 2, 29, 23, 59, 59, 999999), "clock_ms": datetime.time(12, 30, 0, 1000), "clock_us": datetime.time(12, 30, 0, 1)},
        {"price": D("0.01"), "uid": uuid.UUID(int=1), "day": datetime.date(2000, 2, 29),
         "at_ms": datetime.datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), "at_us": datetime.datetime(2038, 1, 19, 3, 14, 8, 1, UTC),
         "local_us": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), "clock_ms": datetime.time(23, 59, 59), "clock_us": datetime.time(0, 0, 0, 999999)},
    ):
        topic.add(schema, row, row, [by_fastavro])
        # avro does not know local times.
        local = (row["local_us"] - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
        topic.add(schema, {**row, "uid": str(row["uid"]), "local_us": local}, row, [by_avro])
    return topic


def nested():
    point = record("Point", ("x", "int"), ("tags", {"type": "array", "items": ["null", "string"]}))
    deep = record("Deep", ("points", {"type": "map", "values": {"type": "array", "items": point}}))
    node = {"type": "record", "name": "Node", "namespace": "types", "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "types.Node"]}]}
    fields = [
        ("list", {"type": "array", "items": ["null", "long"]}), ("lists", {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": "int"}}}),
        ("map", {"type": "map", "values": ["null", "string"]}), ("deep", deep), ("maybe_deep", ["null", "types.Deep"]),
        ("four", ["null", "int", "string", {"type": "record", "name": "types.Pair", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": ["null", "int"]}]}]),
        ("many", ["int", "string", "boolean", {"type": "array", "items": "double"}]), ("empty", record("Empty")), ("maybe_empty", ["null", "types.Empty"]),
        ("node", node), ("period", {"type": "fixed", "name": "Period", "size": 12, "logicalType": "duration"}),
    ]
    columns = [name for name, _ in fields]
    topic = Topic(columns, ["node"])
    schema = topic.schema(record("Nested", *fields))
    union = {"four": {"int": None, "string": None, "Pair": None}, "many": {"int": None, "string": None, "boolean": None, "array": None}}

    def add(value, row):
        topic.add(schema, value, row, [by_avro, by_fastavro])

    def deep_row(value):
        return value and {"points": Map(value["points"])}

    full = {
        "list": [1, None, -2**63], "lists": [[[1, 2], []], []], "map": {"one": "1", "": None, "zażółć": ""},
        "deep": {"points": {"p": [{"x": 1, "tags": ["a", None, ""]}, {"x": 2, "tags": []}], "q": []}}, "maybe_deep": {"points": {}},
        "four": {"a": 1, "b": None}, "many": [1.5, -0.0], "empty": {}, "maybe_empty": {}, "node": {"v": 1, "next": {"v": 2, "next": None}}, "period": bytes(range(12)),
    }
    rows = {
        **full, "map": Map(full["map"]), "deep": deep_row(full["deep"]), "maybe_deep": deep_row(full["maybe_deep"]),
        "four": {**union["four"], "Pair": {"a": 1, "b": None}}, "many": {**union["many"], "array": [1.5, -0.0]}, "empty": True, "maybe_empty": True, "node": json.dumps(full["node"]),
    }
    add(full, rows)
    bare = {**full, "list": [], "lists": [], "map": {}, "deep": {"points": {}}, "maybe_deep": None, "four": None, "many": True, "maybe_empty": None, "node": {"v": 3, "next": None}}
    add(bare, {**rows, "list": [], "lists": [], "map": Map(), "deep": {"points": Map()}, "maybe_deep": None, "four": None, "many": {**union["many"], "boolean": True}, "maybe_empty": None, "node": json.dumps(bare["node"])})
    add({**bare, "four": 7, "many": "x"}, {**topic_row(rows, bare), "four": {**union["four"], "int": 7}, "many": {**union["many"], "string": "x"}})
    add({**bare, "four": "", "many": 0}, {**topic_row(rows, bare), "four": {**union["four"], "string": ""}, "many": {**union["many"], "int": 0}})
    return topic


def topic_row(rows, bare):
    return {**rows, "list": [], "lists": [], "map": Map(), "deep": {"points": Map()}, "maybe_deep": None, "maybe_empty": None, "node": json.dumps(bare["node"])}


def names():
    words = ["select", "order", "table", "group", "_hidden", "id", "ID", "Id", "CamelCase", "a" * 200, "value", "element", "key", "null"]
    columns = ["select", "order", "table", "group", "_hidden", "id", "ID_2", "Id_3", "CamelCase", "a" * 200, "value", "element", "key", "null"]
    topic = Topic(columns)
    schema = topic.schema(record("Names", *[(word, "int") for word in words]))
    topic.add(schema, {word: i for i, word in enumerate(words)}, {column: i for i, column in enumerate(columns)})
    return topic


def wide():
    columns = [f"c{i:04d}" for i in range(1000)]
    topic = Topic(columns)
    kinds = ["long", "string", "double", ["null", "boolean"]]
    schema = topic.schema(record("Wide", *[(column, kinds[i % 4]) for i, column in enumerate(columns)]))
    for n in range(3):
        row = {column: [i * n, f"v{i}", i / 8 + n, None if i % 8 == 3 else n == 1][i % 4] for i, column in enumerate(columns)}
        topic.add(schema, row, row)
    return topic


def nanos():
    """One topic for every `nanos` option; the rows are those of `native`."""
    topic = Topic(["at", "local"])
    schema = topic.schema(record("Nanos", ("at", logical("long", "timestamp-nanos")), ("local", logical("long", "local-timestamp-nanos"))))
    plain = record("Nanos", ("at", "long"), ("local", "long"))
    for n in (0, 1, -1, 1_760_000_000_123_456_789, -999_999_999, 2**63 - 1, -(2**63)):
        for library in (by_avro, by_fastavro):
            topic.raw(schema, library(plain, {"at": n, "local": n}), {"at": ZonedNanos(n), "local": Nanos(n)})
    return topic


topics = {"scalars": scalars(), "logicals": logicals(), "nested": nested(), "names": names(), "wide": wide(), "nanos": nanos()}
print(json.dumps({name: {"schemas": t.schemas, "columns": t.columns, "json": t.texts, "records": t.records} for name, t in topics.items()}))
