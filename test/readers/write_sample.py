"""Writes a small table with PyIceberg, as a proof of the readers: {"catalog", "table", "rows"} as one argument."""
import datetime
import decimal
import json
import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.sql import SqlCatalog

from reading import s3_properties

query = json.loads(sys.argv[1])
catalog, n = query["catalog"], query["rows"]
# Arrow's own S3 cannot complete a multipart upload at every server; s3fs can.
io = {"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"} if catalog.get("s3") else {}
if catalog["type"] == "rest":
    lake = load_catalog("lake", type="rest", uri=catalog["uri"], **s3_properties(catalog), **io)
else:
    uri = catalog["uri"].replace("sqlite:", "sqlite:///", 1).replace("postgres://", "postgresql+psycopg2://", 1)
    lake = SqlCatalog(catalog["name"], uri=uri, warehouse=catalog["warehouse"], **s3_properties(catalog), **io)
lake.create_namespace_if_not_exists(query["table"].rsplit(".", 1)[0])
epoch = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
position = pa.struct([("topic", pa.string()), ("partition", pa.int32()), ("offset", pa.int64())])
data = pa.table(
    {
        "_kafka": pa.array([{"topic": "sample", "partition": i % 3, "offset": i // 3} for i in range(n)], position),
        "id": pa.array(range(n), pa.int64()),
        "amount": pa.array([i / 4 for i in range(n)], pa.float64()),
        "price": pa.array([decimal.Decimal(i) / 100 for i in range(n)], pa.decimal128(10, 2)),
        "active": pa.array([i % 2 == 0 for i in range(n)]),
        "name": pa.array([f"name-{i:06d}" for i in range(n)]),
        "raw": pa.array([i.to_bytes(4, "big") for i in range(n)]),
        "day": pa.array([(epoch + datetime.timedelta(days=i % 7)).date() for i in range(n)]),
        "at": pa.array([epoch + datetime.timedelta(seconds=i) for i in range(n)], pa.timestamp("us", tz="UTC")),
        "local_at": pa.array([(epoch + datetime.timedelta(seconds=i)).replace(tzinfo=None) for i in range(n)], pa.timestamp("us")),
    }
)
lake.create_table(query["table"], schema=data.schema).append(data)
print(json.dumps({"rows": n}))
