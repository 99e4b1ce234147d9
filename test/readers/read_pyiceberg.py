"""Reads Iceberg tables with PyIceberg; protocol in reading.py."""
import pyarrow as pa
import pyarrow.compute as pc
import pyiceberg
from pyiceberg.catalog import load_catalog

from reading import column, kafka_paths, s3_properties, serve, sql_catalog


def open_catalog(catalog):
    if catalog["type"] == "sql":
        return sql_catalog(catalog)
    return load_catalog("lake", type="rest", uri=catalog["uri"], **s3_properties(catalog))


def total(values):
    kind = values.type
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return None
    return pc.sum(values).as_py()


def low_high(values):
    try:
        found = pc.min_max(values)
        return found["min"].as_py(), found["max"].as_py()
    except pa.ArrowNotImplementedError:
        return None, None


def positions(table, fields):
    """Count, distinct offsets and bounds for each (topic, partition)."""
    flat = []
    for path in fields:
        top, _, child = path.partition(".")
        flat.append(pc.struct_field(table[top], child) if child else table[top])
    rows = pa.table(flat, names=["topic", "partition", "offset"])
    found = rows.group_by(["topic", "partition"]).aggregate(
        [("offset", "count"), ("offset", "count_distinct"), ("offset", "min"), ("offset", "max")]
    )
    out = [
        {
            "topic": r["topic"],
            "partition": r["partition"],
            "count": r["offset_count"],
            "distinct": r["offset_count_distinct"],
            "min": r["offset_min"],
            "max": r["offset_max"],
        }
        for r in found.to_pylist()
    ]
    return sorted(out, key=lambda r: (r["topic"], r["partition"]))


def read(query):
    table = open_catalog(query["catalog"]).load_table(query["table"])
    fields = table.schema().fields
    names = query.get("columns") or [f.name for f in fields if f.field_type.is_primitive]
    kafka = kafka_paths([f.name for f in fields])
    data = table.scan(selected_fields=tuple(dict.fromkeys([*names, *(kafka or [])]))).to_arrow()
    snapshot = table.current_snapshot()
    return {
        "engine": f"pyiceberg {pyiceberg.__version__}",
        "snapshot": str(snapshot.snapshot_id) if snapshot else None,
        "rows": data.num_rows,
        "columns": {n: column(*low_high(data[n]), total(data[n])) for n in names},
        "kafka": positions(data, kafka) if kafka else None,
    }


serve(read)
