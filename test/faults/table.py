"""What the snapshots of a table name, by PyIceberg; the argument is {"catalog", "table"}, the answer one JSON document:
{"snapshots": [summaries, oldest first], "files": how many files all snapshots name, "missing": [locations that the store does not have]}
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "readers"))

from pyiceberg.catalog import load_catalog

from reading import s3_properties


def main(request):
    catalog = request["catalog"]
    table = load_catalog("lake", type="rest", uri=catalog["uri"], **s3_properties(catalog), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}).load_table(request["table"])
    exists, read = {}, set()

    def have(path):
        if path not in exists:
            exists[path] = table.io.new_input(path).exists()
        return exists[path]

    for snapshot in table.snapshots():
        if not have(snapshot.manifest_list):
            continue
        for manifest in snapshot.manifests(table.io):
            if not have(manifest.manifest_path) or manifest.manifest_path in read:
                continue
            read.add(manifest.manifest_path)
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                have(entry.data_file.file_path)
    summaries = [{key: str(value) for key, value in s.summary.additional_properties.items()} for s in table.snapshots()]
    return {"snapshots": summaries, "files": len(exists), "missing": [path for path, there in exists.items() if not there]}


print(json.dumps(main(json.loads(sys.argv[1]))))
