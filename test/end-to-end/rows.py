"""Reads or changes one table with PyIceberg; the request is a JSON object in the one argument, the answer one JSON document.

{"catalog", "table", "do": "rows", "filter"?, "columns"?}   rows as objects, nested values included, in the order of _kafka
{"catalog", "table", "do": "plan", "filter"}                how many data files a scan would read, and how many there are
{"catalog", "table", "do": "schema"}                        column types and partition fields as text
{"catalog", "table", "do": "files"}                         locations of the data files
{"catalog", "table", "do": "append-again", "rows"}          appends so many rows of the table a second time
{"catalog", "table", "do": "delete", "filter"}              deletes rows
{"catalog", "table", "do": "drop-columns", "columns"}       drops columns, dotted where they are nested
{"catalog", "table", "do": "create", "columns": [[name, type], ...]}
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "readers"))

from pyiceberg.catalog import load_catalog
from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType, DoubleType, LongType, NestedField, StringType, TimestamptzType

from reading import plain, s3_properties, sql_catalog

TYPES = {"long": LongType(), "double": DoubleType(), "string": StringType(), "boolean": BooleanType(), "timestamptz": TimestamptzType()}


def deep(value):
    if isinstance(value, dict):
        return {key: deep(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [deep(inner) for inner in value]
    return plain(value)


def open_catalog(catalog):
    if catalog["type"] == "sql":
        return sql_catalog(catalog)
    # Arrow's own S3 cannot complete a multipart upload at every server; s3fs can.
    return load_catalog("lake", type="rest", uri=catalog["uri"], **s3_properties(catalog), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})


def main(request):
    catalog = open_catalog(request["catalog"])
    if request["do"] == "create":
        catalog.create_namespace_if_not_exists(request["table"].rsplit(".", 1)[0])
        fields = [NestedField(i + 1, name, TYPES[kind], required=False) for i, (name, kind) in enumerate(request["columns"])]
        return {"location": catalog.create_table(request["table"], schema=Schema(*fields)).location()}
    table = catalog.load_table(request["table"])
    if request["do"] == "rows":
        columns = request.get("columns")
        positioned = any(field.name == "_kafka" for field in table.schema().fields)
        wanted = [*columns, *(["_kafka"] if positioned else [])] if columns else ["*"]
        found = table.scan(row_filter=request.get("filter") or "True", selected_fields=tuple(wanted)).to_arrow().to_pylist()
        if positioned:
            found.sort(key=lambda row: tuple(row["_kafka"][key] for key in ("topic", "partition", "offset")))
        return [deep({key: value for key, value in row.items() if not columns or key in columns}) for row in found]
    if request["do"] == "plan":
        scan = table.scan(row_filter=request["filter"])
        return {"files": len(list(scan.plan_files())), "of": len(list(table.scan().plan_files())), "rows": scan.to_arrow().num_rows}
    if request["do"] == "files":
        return [task.file.file_path for task in table.scan().plan_files()]
    if request["do"] == "schema":
        spec = [f"{field.name}: {field.transform}" for field in table.spec().fields]
        return {"columns": {field.name: str(field.field_type) for field in table.schema().fields}, "spec": spec}
    if request["do"] == "append-again":
        # The rows as another writer would write them again: a new file, a snapshot of its own.
        table.append(table.scan().to_arrow().slice(0, request["rows"]))
        return {"snapshot": str(table.current_snapshot().snapshot_id)}
    if request["do"] == "drop-columns":
        with table.update_schema(allow_incompatible_changes=True) as update:
            for column in request["columns"]:
                update.delete_column(tuple(column.split(".")))
        return {}
    if request["do"] == "delete":
        table.delete(request["filter"])
        return {"snapshot": str(table.current_snapshot().snapshot_id)}
    raise ValueError(request["do"])


print(json.dumps(main(json.loads(sys.argv[1]))))
