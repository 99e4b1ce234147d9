"""Reads Iceberg tables with DuckDB and its iceberg, avro and httpfs extensions from PyPI wheels; protocol in reading.py."""
import importlib
import pathlib
from urllib.parse import urlparse

import duckdb

from reading import column, kafka_paths, serve, sql_catalog

NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE")


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def connect():
    db = duckdb.connect()
    db.execute("SET autoinstall_known_extensions=false; SET autoload_known_extensions=false; SET TimeZone='UTC'")
    for name in ("avro", "httpfs", "iceberg"):
        package = importlib.import_module(f"duckdb_extension_{name}")
        file = next(pathlib.Path(package.__path__[0]).rglob("*.duckdb_extension*"))
        db.execute(f"LOAD {literal(str(file))}")
    return db


def source(db, query):
    """The FROM clause: through the REST catalog, or, for a SQL catalog, the metadata file that it names."""
    catalog = query["catalog"]
    s3 = catalog.get("s3")
    if s3 is not None:
        endpoint = urlparse(s3["endpoint"])
        db.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID {literal(s3['accessKey'])}, SECRET {literal(s3['secretKey'])}, REGION {literal(s3['region'])}, "
            f"ENDPOINT {literal(endpoint.netloc)}, URL_STYLE 'path', USE_SSL {str(endpoint.scheme == 'https').lower()})"
        )
    if catalog["type"] == "sql":
        location = sql_catalog(catalog).load_table(query["table"]).metadata_location
        return f"iceberg_scan({literal(location.removeprefix('file://').removeprefix('file:'))})"
    db.execute(f"ATTACH '' AS lake (TYPE iceberg, ENDPOINT {literal(catalog['uri'])}, AUTHORIZATION_TYPE 'none', ACCESS_DELEGATION_MODE 'none')")
    namespace, name = query["table"].rsplit(".", 1)
    return f'lake."{namespace}"."{name}"'


def read(query):
    with connect() as db:
        table = source(db, query)
        types = {r[0]: r[1] for r in db.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()}
        names = query.get("columns") or [n for n, t in types.items() if not t.startswith(("STRUCT", "MAP")) and not t.endswith("[]")]
        wanted = ["count(*)"]
        for name in names:
            kind = types[name]
            summable = kind in NUMERIC or kind.startswith("DECIMAL")
            total = f'sum("{name}")' if summable else f'sum("{name}"::INT)' if kind == "BOOLEAN" else "NULL"
            wanted += [f'min("{name}")', f'max("{name}")', total]
        row = db.execute(f"SELECT {', '.join(wanted)} FROM {table}").fetchone()
        kafka = kafka_paths(types)
        found = None
        if kafka:
            topic, partition, offset = kafka
            cursor = db.execute(
                f"SELECT {topic}, {partition}, count({offset}), count(DISTINCT {offset}), min({offset}), max({offset}) FROM {table} GROUP BY 1, 2 ORDER BY 1, 2"
            )
            found = [dict(zip(("topic", "partition", "count", "distinct", "min", "max"), r)) for r in cursor.fetchall()]
        return {
            "engine": f"duckdb {duckdb.__version__}",
            "rows": row[0],
            "columns": {n: column(*row[1 + 3 * i : 4 + 3 * i]) for i, n in enumerate(names)},
            "kafka": found,
        }


if __name__ == "__main__":
    serve(read)
