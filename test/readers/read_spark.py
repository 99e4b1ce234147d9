"""Reads Iceberg tables with Spark; protocol in reading.py. SPARK_JARS: directory of the Iceberg runtime and JDBC drivers."""
import datetime
import json
import os

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from canonical import canonical, spark_value
from reading import column, kafka_paths, serve

# On the class path of the virtual machine, not `spark.jars`: DriverManager sees JDBC drivers only there.
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.extraClassPath", os.path.join(os.environ["SPARK_JARS"], "*"))
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "1500m")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
sessions = {}
NUMERIC = ("tinyint", "smallint", "int", "bigint", "float", "double")


def properties(catalog):
    out = {"": "org.apache.iceberg.spark.SparkCatalog", ".cache-enabled": "false"}
    if catalog["type"] == "rest":
        out |= {".type": "rest", ".uri": catalog["uri"]}
    else:
        uri = catalog["uri"]
        if uri.startswith("sqlite:"):
            out[".uri"] = "jdbc:sqlite:file:" + uri.removeprefix("sqlite:").removeprefix("//")
        else:
            user, _, rest = uri.removeprefix("postgres://").partition("@")
            out |= {".uri": "jdbc:postgresql://" + rest, ".jdbc.user": user}
        out |= {".type": "jdbc", ".warehouse": catalog["warehouse"], ".jdbc.schema-version": "V1"}
    s3 = catalog.get("s3")
    if s3 is not None:
        out |= {
            ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
            ".s3.endpoint": s3["endpoint"],
            ".s3.path-style-access": "true",
            ".s3.access-key-id": s3["accessKey"],
            ".s3.secret-access-key": s3["secretKey"],
            ".client.region": s3["region"],
        }
    return out


def attach(catalog):
    """A session keeps a catalog by its name, which a SQL catalog's rows are keyed by: so each query has a session of its own."""
    session, name = spark.newSession(), catalog.get("name", "lake")
    for key, value in properties(catalog).items():
        session.conf.set(f"spark.sql.catalog.{name}{key}", value)
    return session, name


def zoned(value, kind):
    """Spark's Python hands out timestamps without their zone, in the zone of this process (TZ=UTC)."""
    if kind == "timestamp" and isinstance(value, datetime.datetime):
        return value.replace(tzinfo=datetime.timezone.utc)
    return value


def run(query):
    """Statements one after another, all queries of a catalog in one session; the rows of the last one."""
    key = json.dumps(query["catalog"], sort_keys=True)
    if key not in sessions:
        sessions[key] = attach(query["catalog"])[0]
    rows = [sessions[key].sql(statement).collect() for statement in query["sql"]][-1]
    return {"engine": f"spark {spark.version}", "result": [row.asDict() for row in rows]}


def rows(query):
    """All rows, as canonical.py writes values, in the order of topic, partition, offset; `where`: only those."""
    session, name = attach(query["catalog"])
    path = ".".join(f"`{part}`" for part in [name, *query["table"].split(".")])
    frame = session.table(path)
    if query.get("where"):
        frame = frame.where(query["where"])
    position = ["_kafka.topic", "_kafka.partition", "_kafka.offset"]
    frame = frame.orderBy(*position).select(*[F.col(f"`{c}`") for c in query["columns"]])
    kinds = [field.dataType for field in frame.schema.fields]
    found = [[canonical(spark_value(value, kind)) for value, kind in zip(row, kinds)] for row in frame.collect()]
    return {"engine": f"spark {spark.version}", "result": [dict(zip(query["columns"], row)) for row in found]}


def read(query):
    if query.get("do") == "rows":
        return rows(query)
    if "sql" in query:
        return run(query)
    session, name = attach(query["catalog"])
    path = ".".join(f"`{part}`" for part in [name, *query["table"].split(".")])
    frame = session.table(path)
    types = dict(frame.dtypes)
    names = query.get("columns") or [n for n, t in types.items() if not t.startswith(("struct", "map", "array"))]
    wanted = [F.count(F.lit(1))]
    for column_name in names:
        c, kind = F.col(f"`{column_name}`"), types[column_name]
        summable = kind in NUMERIC or kind.startswith("decimal")
        wanted += [F.min(c), F.max(c), F.sum(c) if summable else F.sum(c.cast("int")) if kind == "boolean" else F.lit(None)]
    row = frame.agg(*wanted).first()
    kafka = kafka_paths(types)
    found = None
    if kafka:
        topic, partition, offset = (F.col(k) for k in kafka)
        grouped = frame.groupBy(topic.alias("topic"), partition.alias("partition")).agg(
            F.count(offset).alias("count"), F.countDistinct(offset).alias("distinct"), F.min(offset).alias("min"), F.max(offset).alias("max")
        )
        found = [r.asDict() for r in grouped.orderBy("topic", "partition").collect()]
    columns = {}
    for i, n in enumerate(names):
        low, high, total = row[1 + 3 * i : 4 + 3 * i]
        columns[n] = column(zoned(low, types[n]), zoned(high, types[n]), total)
    return {"engine": f"spark {spark.version}", "rows": row[0], "columns": columns, "kafka": found}


serve(read)
