"""Other engines' operations on one table, by PyIceberg; the request is a JSON object in the one argument, the answer one JSON document.

{"catalog", "table", "do": "snapshots"}                    id, time and summary of each, oldest first, and the refs
{"catalog", "table", "do": "rollback", "snapshot"}         puts main back to an ancestor
{"catalog", "table", "do": "delete", "filter"}             deletes rows
{"catalog", "table", "do": "rows", "branch", "columns"}    rows of a branch
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "readers"))

from pyiceberg.catalog import load_catalog

from reading import plain, s3_properties


def main(request):
    catalog = request["catalog"]
    # Arrow's own S3 cannot complete a multipart upload at every server; s3fs can.
    opened = load_catalog("lake", type="rest", uri=catalog["uri"], **s3_properties(catalog), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})
    table = opened.load_table(request["table"])
    if request["do"] == "snapshots":
        found = [{"id": str(s.snapshot_id), "time": s.timestamp_ms, "summary": {k: str(v) for k, v in s.summary.additional_properties.items()}} for s in table.snapshots()]
        return {"snapshots": found, "refs": {name: str(ref.snapshot_id) for name, ref in table.metadata.refs.items()}}
    if request["do"] == "rollback":
        table.manage_snapshots().rollback_to_snapshot(int(request["snapshot"])).commit()
        return {}
    if request["do"] == "delete":
        table.delete(request["filter"])
        return {"snapshot": str(table.current_snapshot().snapshot_id)}
    if request["do"] == "rows":
        snapshot = table.metadata.refs[request["branch"]].snapshot_id
        found = table.scan(snapshot_id=snapshot, selected_fields=tuple(request["columns"])).to_arrow().to_pylist()
        return [{key: plain(value) for key, value in row.items()} for row in found]
    raise ValueError(request["do"])


print(json.dumps(main(json.loads(sys.argv[1]))))
