/**
 * Kafka Connect's and Debezium's semantic types, which stand in Avro schemas as `connect.name` (Confluent's AvroData), as
 * Avro logical types. Without them a date would be a number of days.
 */
const LOGICAL: Readonly<Record<string, readonly [base: string, logical: string]>> = {
  'io.debezium.time.Date': ['int', 'date'],
  'io.debezium.time.Time': ['int', 'time-millis'],
  'io.debezium.time.MicroTime': ['long', 'time-micros'],
  // Without a time zone: what the database calls TIMESTAMP or DATETIME.
  'io.debezium.time.Timestamp': ['long', 'local-timestamp-millis'],
  'io.debezium.time.MicroTimestamp': ['long', 'local-timestamp-micros'],
  'io.debezium.time.NanoTimestamp': ['long', 'local-timestamp-nanos'],
  'io.debezium.time.ZonedTimestamp': ['string', 'connect:zoned-timestamp'],
  'io.debezium.data.Uuid': ['string', 'uuid'],
  'org.apache.kafka.connect.data.Date': ['int', 'date'],
  'org.apache.kafka.connect.data.Time': ['int', 'time-millis'],
  'org.apache.kafka.connect.data.Timestamp': ['long', 'timestamp-millis'],
};
const DECIMAL = 'org.apache.kafka.connect.data.Decimal';

/** Most digits of an Iceberg decimal. */
const MOST_DIGITS = 38;

type Json = Readonly<Record<string, unknown>>;

/** Avro schema text with the logical types that its Connect names stand for. What is no JSON stays as it is. */
export function withConnectTypes(text: string): string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return text;
  }
  return JSON.stringify(typed(json));
}

function typed(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(typed);
  if (typeof json !== 'object' || json === null) return json;
  const object = json as Json;
  // Defaults, symbols and documentation are no types.
  const inside = Object.fromEntries(
    Object.entries(object).map(([key, value]) => [
      key,
      key === 'type' || key === 'fields' || key === 'items' || key === 'values' ? typed(value) : value,
    ]),
  );
  return { ...inside, ...logicalOf(object) };
}

function logicalOf(object: Json): Json {
  const { 'connect.name': name, type, logicalType } = object;
  if (typeof name !== 'string' || typeof type !== 'string') return {};
  if (name === DECIMAL && type === 'bytes') return decimal(object);
  const known = Object.hasOwn(LOGICAL, name) ? LOGICAL[name]! : null;
  // What the schema itself says goes first.
  return known && known[0] === type && logicalType === undefined ? { logicalType: known[1] } : {};
}

/**
 * Connect's decimal has a scale and no precision: it is that of the column where Debezium passes it on
 * (`connect.decimal.precision`), else as many digits as there can be; AvroData writes 64 for "not known".
 */
function decimal(object: Json): Json {
  const parameters = (object['connect.parameters'] ?? {}) as Json;
  const scale = Number(object['scale'] ?? parameters['scale'] ?? 0);
  const said = Number(parameters['connect.decimal.precision'] ?? object['precision'] ?? MOST_DIGITS);
  const precision = Math.min(MOST_DIGITS, said);
  return Number.isInteger(scale) && scale >= 0 && scale <= precision
    ? { logicalType: 'decimal', precision, scale }
    : {};
}
