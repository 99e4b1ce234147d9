"""Writes Parquet files with positions, by Arrow, one for each form in which pages may be stored. Argument: a folder.

Row i of each file is of topic a (every third) or b, partition i % 4, offset 5,000,000,000 + i; every tenth has no position.
Prints the names of the files as a JSON array.
"""
import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 5000
rows = [None if i % 10 == 0 else {"topic": "a" if i % 3 == 0 else "b", "partition": i % 4, "offset": 5_000_000_000 + i} for i in range(ROWS)]
full = [{"topic": "a" if i % 3 == 0 else "b", "partition": i % 4, "offset": 5_000_000_000 + i} for i in range(ROWS)]
kafka = pa.struct([("topic", pa.string()), ("partition", pa.int32()), ("offset", pa.int64())])
delta = {"_kafka.offset": "DELTA_BINARY_PACKED"}
forms = {
    "plain": {"use_dictionary": False},
    "dictionary": {"use_dictionary": True},
    "v2": {"data_page_version": "2.0"},
    "v2-plain-snappy": {"data_page_version": "2.0", "use_dictionary": False, "compression": "snappy"},
    "delta": {"use_dictionary": ["_kafka.topic", "_kafka.partition"], "column_encoding": delta},
    "lz4": {"compression": "lz4"},
    "gzip": {"compression": "gzip"},
    "brotli": {"compression": "brotli"},
    "none": {"compression": "none"},
    "small-pages": {"data_page_size": 512},
}
names = []
for kind, values in (("null", rows), ("full", full)):
    table = pa.table({"id": pa.array(range(ROWS)), "_kafka": pa.array(values, type=kafka)})
    for form, options in forms.items():
        names.append(f"{kind}-{form}")
        pq.write_table(table, os.path.join(sys.argv[1], names[-1]), **{"compression": "zstd", "row_group_size": 2000, **options})
print(json.dumps(names))
