import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Files that protobufjs carries as text. */
const CARRIED: ReadonlySet<string> = new Set([
  'google/api/annotations.proto',
  'google/api/http.proto',
  'google/protobuf/api.proto',
  'google/protobuf/descriptor.proto',
  'google/protobuf/source_context.proto',
  'google/protobuf/type.proto',
]);

const google = (body: string): string => `syntax = "proto3"; package google.protobuf; ${body}`;
const wrapper = (name: string, type: string): string => `message ${name}Value { ${type} value = 1; }`;

/** `google/type`: plain messages, the fields of https://github.com/googleapis/googleapis/tree/master/google/type. */
const type = (body: string): string => `syntax = "proto3"; package google.type; ${body}`;

const TEXTS: Readonly<Record<string, string>> = {
  'google/protobuf/any.proto': google('message Any { string type_url = 1; bytes value = 2; }'),
  'google/protobuf/duration.proto': google('message Duration { int64 seconds = 1; int32 nanos = 2; }'),
  'google/protobuf/empty.proto': google('message Empty {}'),
  'google/protobuf/field_mask.proto': google('message FieldMask { repeated string paths = 1; }'),
  'google/protobuf/struct.proto': google(`
    message Struct { map<string, Value> fields = 1; }
    message Value {
      oneof kind {
        NullValue null_value = 1;
        double number_value = 2;
        string string_value = 3;
        bool bool_value = 4;
        Struct struct_value = 5;
        ListValue list_value = 6;
      }
    }
    enum NullValue { NULL_VALUE = 0; }
    message ListValue { repeated Value values = 1; }`),
  'google/protobuf/timestamp.proto': google('message Timestamp { int64 seconds = 1; int32 nanos = 2; }'),
  'google/protobuf/wrappers.proto': google(
    [
      wrapper('Double', 'double'),
      wrapper('Float', 'float'),
      wrapper('Int64', 'int64'),
      wrapper('UInt64', 'uint64'),
      wrapper('Int32', 'int32'),
      wrapper('UInt32', 'uint32'),
      wrapper('Bool', 'bool'),
      wrapper('String', 'string'),
      wrapper('Bytes', 'bytes'),
    ].join(' '),
  ),
  'google/type/color.proto': type(`import "google/protobuf/wrappers.proto";
    message Color { float red = 1; float green = 2; float blue = 3; google.protobuf.FloatValue alpha = 4; }`),
  'google/type/date.proto': type('message Date { int32 year = 1; int32 month = 2; int32 day = 3; }'),
  'google/type/datetime.proto': type(`import "google/protobuf/duration.proto";
    message DateTime {
      int32 year = 1; int32 month = 2; int32 day = 3; int32 hours = 4; int32 minutes = 5; int32 seconds = 6; int32 nanos = 7;
      oneof time_offset { google.protobuf.Duration utc_offset = 8; TimeZone time_zone = 9; }
    }
    message TimeZone { string id = 1; string version = 2; }`),
  'google/type/dayofweek.proto': type(`enum DayOfWeek { DAY_OF_WEEK_UNSPECIFIED = 0; MONDAY = 1; TUESDAY = 2;
    WEDNESDAY = 3; THURSDAY = 4; FRIDAY = 5; SATURDAY = 6; SUNDAY = 7; }`),
  'google/type/decimal.proto': type('message Decimal { string value = 1; }'),
  'google/type/interval.proto': type(`import "google/protobuf/timestamp.proto";
    message Interval { google.protobuf.Timestamp start_time = 1; google.protobuf.Timestamp end_time = 2; }`),
  'google/type/latlng.proto': type('message LatLng { double latitude = 1; double longitude = 2; }'),
  'google/type/money.proto': type('message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }'),
  'google/type/month.proto': type(`enum Month { MONTH_UNSPECIFIED = 0; JANUARY = 1; FEBRUARY = 2; MARCH = 3; APRIL = 4;
    MAY = 5; JUNE = 6; JULY = 7; AUGUST = 8; SEPTEMBER = 9; OCTOBER = 10; NOVEMBER = 11; DECEMBER = 12; }`),
  'google/type/timeofday.proto': type(
    'message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }',
  ),
  'confluent/meta.proto': `syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
    message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
    extend google.protobuf.FileOptions { Meta file_meta = 1088; }
    extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
    extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
    extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
    extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }`,
  'confluent/type/decimal.proto': `syntax = "proto3"; package confluent.type;
    message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
  // The name under which older serializers import it.
  'confluent/types/decimal.proto': `syntax = "proto3"; import public "confluent/type/decimal.proto";`,
};

/** Text of a file that schemas import without having it in the registry; null: not one of them. */
export function wellKnownProto(name: string): string | null {
  if (CARRIED.has(name)) return readFileSync(require.resolve(`protobufjs/${name}`), 'utf8');
  return TEXTS[name] ?? null;
}
