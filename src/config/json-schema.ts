import type { Option, OptionType } from './option.ts';
import { options } from './options.ts';

type Json = Readonly<Record<string, unknown>>;

/** JSON Schema (2020-12) of the configuration file, for editors and CI. Every value may also be `${VAR}`. */
export function configJsonSchema(): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'tabletopic configuration',
    ...objectSchema(options, true),
    $defs: {
      variable: {
        type: 'string',
        pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}',
        description: 'From the environment: ${VAR} or ${VAR:-default}.',
      },
    },
  };
}

function objectSchema(list: readonly Option[], closed: boolean): Json {
  const required = list.filter((option) => option.required).map((option) => option.key);
  return {
    type: 'object',
    properties: Object.fromEntries(list.map((option) => [option.key, optionSchema(option)])),
    ...(required.length > 0 ? { required } : {}),
    ...(closed ? { additionalProperties: false } : {}),
  };
}

function optionSchema(option: Option): Json {
  const plain =
    option.default !== undefined &&
    !(typeof option.default === 'object' && Object.keys(option.default as object).length === 0);
  return { description: option.help, ...(plain ? { default: option.default } : {}), ...typeSchema(option.type) };
}

function typeSchema(type: OptionType): Json {
  switch (type.kind) {
    case 'string':
      return {
        type: ['string', 'number', 'boolean'],
        ...(type.pattern ? { anyOf: [{ pattern: type.pattern.source }, variable] } : {}),
      };
    case 'integer':
      return orVariable({ type: 'integer', minimum: type.min, maximum: type.max });
    case 'duration':
      return orVariable({ type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)\\s*$' });
    case 'size':
      return orVariable({ type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*(B|kB|MB|GB|KiB|MiB|GiB)\\s*$' });
    case 'boolean':
      return orVariable({ type: 'boolean' });
    case 'enum':
      return orVariable({ enum: type.values });
    case 'strings':
      return { anyOf: [{ type: 'array', minItems: type.min, items: { type: 'string' } }, { type: 'string' }] };
    case 'stringMap':
      return { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } };
    case 'object': {
      const object = objectSchema(type.options, true);
      const short =
        type.short === undefined ? [] : [typeSchema(type.options.find((option) => option.key === type.short)!.type)];
      const on = type.switch ? [{ type: 'boolean' }, { const: 'off' }] : [];
      return short.length + on.length === 0 ? object : { anyOf: [object, ...short, ...on] };
    }
    case 'variants':
      return {
        type: 'object',
        required: [type.by],
        oneOf: Object.entries(type.variants).map(([name, list]) =>
          withKey(type.by, name, type.help[name]!, objectSchema(list, true)),
        ),
      };
    case 'named':
      return { type: 'object', minProperties: type.min, additionalProperties: typeSchema(type.item) };
    case 'list':
      return { type: 'array', minItems: type.min, items: typeSchema(type.item) };
    case 'custom':
      return orVariable(type.schema);
  }
}

const variable = { $ref: '#/$defs/variable' };

function orVariable(schema: Json): Json {
  return { anyOf: [schema, variable] };
}

function withKey(key: string, value: string, help: string, schema: Json): Json {
  return {
    ...schema,
    description: help,
    properties: { [key]: { const: value }, ...(schema['properties'] as Json) },
    required: [key, ...((schema['required'] as string[] | undefined) ?? [])],
  };
}
