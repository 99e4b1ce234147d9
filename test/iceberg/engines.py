"""Engines over tables of ours: {"action", "catalog", "table", ...} as one argument, one JSON answer.

plan:   files and rows that PyIceberg reads for each of "filters"
append: PyIceberg appends {"id", "region"} rows
create: PyIceberg makes a table with one row
spark:  rows that Spark counts for each of "filters" (SQL), and its `entries` metadata table
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "readers"))
query = json.loads(sys.argv[1])


def pyiceberg_catalog():
    from pyiceberg.catalog import load_catalog

    from reading import s3_properties, sql_catalog

    catalog = query["catalog"]
    # Arrow's own S3 cannot complete a multipart upload at every server; s3fs can.
    io = {"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}
    return sql_catalog(catalog) if catalog["type"] == "sql" else load_catalog("lake", type="rest", uri=catalog["uri"], **s3_properties(catalog), **io)


def plan():
    table = pyiceberg_catalog().load_table(query["table"])
    return [{"files": len(list(scan.plan_files())), "rows": len(scan.to_arrow())} for scan in (table.scan(row_filter=f) for f in query["filters"])]


def rows(values):
    import pyarrow as pa

    return pa.table({"id": pa.array(values, pa.int64()), "region": pa.array(["py"] * len(values))})


def append():
    import datetime

    import pyarrow as pa

    table = pyiceberg_catalog().load_table(query["table"])
    day = datetime.datetime(2026, 1, 9, tzinfo=datetime.timezone.utc)
    data = rows(query["ids"]).append_column("at", pa.array([day] * len(query["ids"]), pa.timestamp("us", tz="UTC")))
    table.append(data.select([f.name for f in table.schema().fields]))
    return {"snapshot": str(table.current_snapshot().snapshot_id)}


def create():
    catalog = pyiceberg_catalog()
    catalog.create_namespace_if_not_exists(query["table"].rsplit(".", 1)[0])
    data = rows([1])
    catalog.create_table(query["table"], schema=data.schema).append(data)
    return {}


def spark():
    from pyspark.sql import SparkSession

    catalog, s3 = query["catalog"], query["catalog"]["s3"]
    builder = SparkSession.builder.master("local[1]").config("spark.driver.extraClassPath", os.path.join(os.environ["SPARK_JARS"], "*"))
    options = {
        "": "org.apache.iceberg.spark.SparkCatalog",
        ".type": "rest",
        ".uri": catalog["uri"],
        ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        ".s3.endpoint": s3["endpoint"],
        ".s3.path-style-access": "true",
        ".s3.access-key-id": s3["accessKey"],
        ".s3.secret-access-key": s3["secretKey"],
        ".client.region": s3["region"],
    }
    for key, value in options.items():
        builder = builder.config("spark.sql.catalog.lake" + key, value)
    for key, value in {"spark.ui.enabled": "false", "spark.driver.memory": "1g", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "1"}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    table = session.table("lake." + query["table"])
    entries = session.table("lake." + query["table"] + ".entries")
    out = {
        "rows": [table.where(f).count() for f in query["filters"]],
        "entries": [[r["status"], r["sequence_number"]] for r in entries.select("status", "sequence_number").collect()],
    }
    session.stop()
    return out


print(json.dumps(globals()[query["action"]]()))
