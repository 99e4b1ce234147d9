import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The exact lines with which engines read the demo's tables; they can be pasted as they are. */
export function engineLines(
  folder: string,
  tables: readonly { readonly table: string; readonly metadataLocation: string }[],
): string {
  const db = join(folder, 'catalog.db');
  const warehouse = pathToFileURL(join(folder, 'warehouse')).href;
  const first = tables[0]?.table ?? 'shop.orders';
  return [
    'PyIceberg   pip install "pyiceberg[pyarrow,sql-sqlite]"',
    `            from pyiceberg.catalog.sql import SqlCatalog`,
    `            SqlCatalog("lake", uri="sqlite:///${db}", warehouse="${warehouse}").load_table("${first}").scan().to_arrow()`,
    '',
    'DuckDB      INSTALL iceberg; LOAD iceberg;',
    ...tables.map(
      ({ metadataLocation }) => `            SELECT * FROM iceberg_scan('${fileURLToPath(metadataLocation)}');`,
    ),
    '',
    'Spark       spark-sql --packages org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0,org.xerial:sqlite-jdbc:3.50.3.0 \\',
    '              --conf spark.sql.catalog.lake=org.apache.iceberg.spark.SparkCatalog --conf spark.sql.catalog.lake.type=jdbc \\',
    `              --conf spark.sql.catalog.lake.uri=jdbc:sqlite:${db} --conf spark.sql.catalog.lake.warehouse=${warehouse} \\`,
    `              --conf spark.sql.catalog.lake.jdbc.schema-version=V1 -e 'SELECT * FROM lake.${first} LIMIT 10'`,
    '',
  ].join('\n');
}
