"""Values as text that is equal exactly when the values are, whichever library or engine they came from.

A tag comes first: i integer, f float (hexadecimal, so that -0.0 and every bit count), s text and uuid, b bytes, d decimal,
t timestamp (Z: with a zone; nanoseconds where there are any), D date, T time of day. Text above 1,000 characters is its length
and hash. Lists are lists, structs are objects, maps are {"map": [[key, value], ...]} in the order of their keys.
"""
import datetime
import decimal
import hashlib
import json
import math
import uuid

EPOCH = datetime.datetime(1970, 1, 1)


class Map(dict):
    """A dictionary that is a map, not a struct."""


class Nanos(int):
    """Nanoseconds since the epoch, without a zone; `zoned`: with one."""

    zoned = False


class ZonedNanos(Nanos):
    zoned = True


def nanos_text(value, zoned):
    seconds, rest = divmod(int(value), 10**9)
    text = (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"t{text}.{rest:09d}{'Z' if zoned else ''}"


def canonical(value):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Nanos):
        return nanos_text(value, value.zoned)
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, float):
        return "fnan" if math.isnan(value) else f"f{value.hex()}"
    if isinstance(value, str):
        return f"s{value}" if len(value) <= 1000 else f"s{len(value)}:{hashlib.sha256(value.encode()).hexdigest()}"
    if isinstance(value, uuid.UUID):
        return f"s{value}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"b{bytes(value).hex()}"
    if isinstance(value, decimal.Decimal):
        return f"d{value:f}"
    if isinstance(value, datetime.datetime):
        zoned = value.tzinfo is not None
        utc = value.astimezone(datetime.timezone.utc).replace(tzinfo=None) if zoned else value
        return f"t{utc.isoformat(timespec='microseconds')}{'Z' if zoned else ''}"
    if isinstance(value, datetime.date):
        return f"D{value.isoformat()}"
    if isinstance(value, datetime.time):
        return f"T{value.isoformat(timespec='microseconds')}"
    if isinstance(value, Map):
        entries = [[canonical(k), canonical(v)] for k, v in value.items()]
        return {"map": sorted(entries, key=lambda entry: json.dumps(entry[0]))}
    if isinstance(value, dict):
        return {key: canonical(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(inner) for inner in value]
    raise TypeError(type(value))


def from_arrow(value, kind):
    """A value of Arrow's `to_pylist`, whose maps are lists of pairs, by its Arrow type."""
    import pyarrow as pa

    if value is None:
        return None
    if isinstance(kind, pa.BaseExtensionType):
        return from_arrow(value, kind.storage_type) if not isinstance(value, uuid.UUID) else value
    if pa.types.is_map(kind):
        return Map((from_arrow(k, kind.key_type), from_arrow(v, kind.item_type)) for k, v in value)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [from_arrow(inner, kind.value_type) for inner in value]
    if pa.types.is_struct(kind):
        return {field.name: from_arrow(value[field.name], field.type) for field in kind}
    return value


def numbers(kind):
    """The Arrow type with numbers in place of dates and times, at every level."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(numbers(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_field, kind.item_field.with_type(numbers(kind.item_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(numbers(kind.value_type)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(numbers(kind.value_type)))
    if pa.types.is_date32(kind):
        return pa.int32()
    return pa.int64() if pa.types.is_timestamp(kind) or pa.types.is_time64(kind) else kind


def arrow_rows(table, raw=False):
    """Rows of an Arrow table as canonical objects. Timestamps of nanoseconds are read as numbers: Python's have microseconds."""
    import pyarrow as pa

    if raw:
        table = pa.table({name: values.cast(numbers(values.type)) for name, values in zip(table.column_names, table.columns)})

    columns = {}
    for name, kind, values in zip(table.column_names, table.schema.types, table.columns):
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            made = Nanos if kind.tz is None else ZonedNanos
            columns[name] = [None if v is None else canonical(made(v)) for v in values.cast(pa.int64()).to_pylist()]
        else:
            columns[name] = [canonical(from_arrow(v, kind)) for v in values.to_pylist()]
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def spark_value(value, kind):
    """A value that Spark's Python hands out, by its Spark type: a timestamp comes in the zone of the process (UTC)."""
    from pyspark.sql import types as T

    if value is None:
        return None
    if isinstance(kind, T.TimestampType):
        return value.replace(tzinfo=datetime.timezone.utc)
    if isinstance(kind, T.StructType):
        return {field.name: spark_value(inner, field.dataType) for field, inner in zip(kind.fields, value)}
    if isinstance(kind, T.ArrayType):
        return [spark_value(inner, kind.elementType) for inner in value]
    if isinstance(kind, T.MapType):
        return Map((spark_value(k, kind.keyType), spark_value(v, kind.valueType)) for k, v in value.items())
    return value
