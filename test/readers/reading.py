"""What all readers share: one JSON query per line of standard input, one JSON answer per line of standard output.

Query:  {"catalog": {...}, "table": "ns.table", "columns": [...]?}
Answer: {"engine", "rows", "columns": {name: {"min", "max", "sum"?}}, "kafka": null or
         [{"topic", "partition", "count", "distinct", "min", "max"}], "seconds"}, or {"error": text}.
Times are ISO 8601 in UTC with microseconds (with Z where the type has a zone), decimals are text, as are
integers beyond 2^53; binary is hex.
"""
import datetime
import decimal
import json
import os
import sys
import time
import traceback
import uuid


def plain(value):
    """The same JSON for the same value, whichever engine it came from."""
    if isinstance(value, datetime.datetime):
        zone = value.tzinfo is not None
        utc = value.astimezone(datetime.timezone.utc).replace(tzinfo=None) if zone else value
        return utc.isoformat(timespec="microseconds") + ("Z" if zone else "")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    return value


def column(low, high, total):
    out = {"min": plain(low), "max": plain(high)}
    if total is not None:
        out["sum"] = plain(total)
    return out


def kafka_paths(names):
    """Where topic, partition and offset of a row are: in the struct, or flat; None without them. `names`: top-level columns."""
    if "_kafka" in names:
        return ["_kafka.topic", "_kafka.partition", "_kafka.offset"]
    if "_kafka_offset" in names:
        return ["_kafka_topic", "_kafka_partition", "_kafka_offset"]
    return None


def sql_catalog(catalog):
    """PyIceberg's SqlCatalog for {"type": "sql", "uri", "name", "warehouse", "s3"?}."""
    from pyiceberg.catalog.sql import SqlCatalog

    uri = catalog["uri"]
    if uri.startswith("sqlite:"):
        uri = "sqlite:///" + uri.removeprefix("sqlite:").removeprefix("//")
    uri = uri.replace("postgres://", "postgresql+psycopg2://", 1)
    return SqlCatalog(catalog["name"], uri=uri, warehouse=catalog["warehouse"], init_catalog_tables="false", **s3_properties(catalog))


def s3_properties(catalog):
    s3 = catalog.get("s3")
    if s3 is None:
        return {}
    return {
        "s3.endpoint": s3["endpoint"],
        "s3.access-key-id": s3["accessKey"],
        "s3.secret-access-key": s3["secretKey"],
        "s3.region": s3["region"],
        "s3.force-virtual-addressing": "false",
    }


def serve(read):
    """Answers queries until standard input ends. Whatever libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        began = time.time()
        try:
            answer = read(json.loads(line))
            answer["seconds"] = round(time.time() - began, 2)
        except Exception as error:
            # Java's traces come inside the text of the error, and are long.
            where = "".join(traceback.format_tb(error.__traceback__)[-1:])
            answer = {"error": f"{type(error).__name__}: {str(error)[:3000]}\n{where}"}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()
