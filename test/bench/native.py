"""Arrow C++'s side of native.ts: {"file"} as one argument; then for each line of input ({"rows": of a row group, "alike":
with page checksums and page indexes, which our files have}) the columns are written once, by one thread, and a line says
CPU seconds and bytes."""
import json
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

pa.set_cpu_count(1)
pa.set_io_thread_count(1)
table = pq.read_table(json.loads(sys.argv[1])["file"], use_threads=False).combine_chunks()
print(json.dumps({"version": pa.__version__, "rows": table.num_rows, "sum": pc.sum(table.column(0)).as_py()}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    sink = pa.MockOutputStream()
    alike = {"write_page_checksum": asked["alike"], "write_page_index": asked["alike"]}
    started = time.process_time()
    pq.write_table(table, sink, compression="zstd", compression_level=1, row_group_size=asked["rows"], **alike)
    print(json.dumps({"cpuSeconds": time.process_time() - started, "bytes": sink.size()}), flush=True)
