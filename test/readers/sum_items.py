"""What the lists of structs in a table add up to: sum_items.py '{"catalog": {...}, "table": "ns.table"}' prints JSON."""
import json
import sys

import pyarrow.compute as pc
from pyiceberg.catalog import load_catalog

from reading import s3_properties

query = json.loads(sys.argv[1])
catalog = load_catalog("lake", type="rest", uri=query["catalog"]["uri"], **s3_properties(query["catalog"]))
items = pc.list_flatten(catalog.load_table(query["table"]).scan(selected_fields=("items",)).to_arrow()["items"])
price = pc.sum(pc.round(pc.multiply(pc.struct_field(items, "price"), 100))).as_py()
tags = pc.sum(pc.list_value_length(pc.struct_field(items, "tags"))).as_py()
print(json.dumps({"items": len(items), "sum_price_cents": int(price), "tags": tags}))
