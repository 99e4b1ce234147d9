"""Reads Parquet files with PyArrow and DuckDB.

Argument: JSON {"file", "filter": SQL condition or null}. Prints one JSON object: rows of each engine, the footer's field
ids and statistics. Numbers are text, bytes hexadecimal, times microseconds, floats their bits: nothing is rounded.
"""

import datetime
import decimal
import json
import struct
import sys
import uuid

import duckdb
import pyarrow
import pyarrow.parquet

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


def plain(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, uuid.UUID):
        return value.bytes.hex()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return str((value.replace(tzinfo=value.tzinfo or datetime.timezone.utc) - EPOCH) // MICROSECOND)
    if isinstance(value, datetime.date):
        return str((value - EPOCH.date()).days)
    if isinstance(value, datetime.time):
        return str(((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    return [plain(v) for v in value]


def field_ids(fields):
    out = {}
    for field in fields:
        out[field.name] = int(field.metadata[b"PARQUET:field_id"]) if field.metadata and b"PARQUET:field_id" in field.metadata else None
        kind = field.type
        inside = []
        if pyarrow.types.is_struct(kind):
            inside = [kind.field(i) for i in range(kind.num_fields)]
        elif pyarrow.types.is_list(kind):
            inside = [kind.value_field]
        elif pyarrow.types.is_map(kind):
            inside = [kind.key_field, kind.item_field]
        for name, id_ in field_ids(inside).items():
            out[f"{field.name}.{name}"] = id_
    return out


def main():
    query = json.loads(sys.argv[1])
    file = pyarrow.parquet.ParquetFile(query["file"], page_checksum_verification=True)
    arrow = file.read().to_pylist()
    metadata = file.metadata
    statistics = []
    for g in range(metadata.num_row_groups):
        group = metadata.row_group(g)
        for c in range(group.num_columns):
            column = group.column(c)
            s = column.statistics
            statistics.append({
                "path": column.path_in_schema, "values": column.num_values, "nulls": s.null_count, "has": s.has_min_max,
                "encodings": list(column.encodings), "columnIndex": column.has_column_index, "offsetIndex": column.has_offset_index,
            })
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    relation = db.execute("SELECT * FROM read_parquet(?) " + (f"WHERE {query['filter']}" if query.get("filter") else ""), [query["file"]])
    names = [d[0] for d in relation.description]
    types = [str(d[1]) for d in relation.description]
    duck = [dict(zip(names, row)) for row in relation.fetchall()]
    print(json.dumps({
        "arrow": [plain(row) for row in arrow], "duckdb": [plain(row) for row in duck], "duckdbTypes": dict(zip(names, types)),
        "arrowTypes": {f.name: str(f.type) for f in file.schema_arrow}, "fieldIds": field_ids(file.schema_arrow), "statistics": statistics,
    }))


main()
