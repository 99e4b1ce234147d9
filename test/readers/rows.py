"""All rows of a table by PyIceberg and by DuckDB, as canonical.py writes values.

Argument: {"catalog", "table", "columns": [names], "engines": ["pyiceberg", "duckdb"], "raw": true?}. With "raw" PyIceberg's
dates and times are the numbers that they are stored as, also those that Python's own types cannot hold.
Answer: {engine: rows in the order of topic, partition, offset}.
"""
import json
import sys

from canonical import arrow_rows


def in_order(rows):
    for row in rows:
        position = row.pop("_kafka")
        row["#"] = (position["topic"], int(position["partition"][1:]), int(position["offset"][1:]))
    rows.sort(key=lambda row: row["#"])
    for row in rows:
        del row["#"]
    return rows


def by_pyiceberg(query):
    from pyiceberg.catalog import load_catalog

    from reading import s3_properties, sql_catalog

    catalog = query["catalog"]
    # Arrow's own S3 cannot complete a multipart upload at every server; s3fs can.
    lake = sql_catalog(catalog) if catalog["type"] == "sql" else load_catalog("lake", type="rest", uri=catalog["uri"], **s3_properties(catalog), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})
    table = lake.load_table(query["table"])
    return arrow_rows(table.scan(selected_fields=(*query["columns"], "_kafka")).to_arrow(), query.get("raw", False))


def by_duckdb(query):
    from read_duckdb import connect, source

    with connect() as db:
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in [*query["columns"], "_kafka"])
        found = db.execute(f"SELECT {names} FROM {source(db, query)}").arrow()
        return arrow_rows(found.read_all() if hasattr(found, "read_all") else found)


query = json.loads(sys.argv[1])
engines = {"pyiceberg": by_pyiceberg, "duckdb": by_duckdb}
answer = {}
for engine in query["engines"]:
    try:
        answer[engine] = in_order(engines[engine](query))
    except Exception as error:
        answer[engine] = f"{type(error).__name__}: {str(error)[:2000]}"
print(json.dumps(answer))
