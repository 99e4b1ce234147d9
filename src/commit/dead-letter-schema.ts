import type { Schema } from '../schema/types.ts';

/**
 * Columns of dead-letter source files and of dead-letter tables (schemas/dead-letters.schema.json). In a table the
 * catalog gives the ids: there columns are found by name.
 */
export const deadLetterSchema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'topic', required: true, type: 'string' },
    { id: 2, name: 'partition', required: true, type: 'int' },
    { id: 3, name: 'offset', required: true, type: 'long' },
    {
      id: 4,
      name: 'timestamp',
      required: false,
      type: 'timestamptz',
      doc: 'Null where the record has none, or one beyond the range of the type: then `reason` names it.',
    },
    { id: 5, name: 'timestamp_type', required: true, type: 'string', doc: '`CreateTime` or `LogAppendTime`.' },
    { id: 6, name: 'key', required: false, type: 'binary' },
    { id: 7, name: 'value', required: false, type: 'binary' },
    {
      id: 8,
      name: 'headers',
      required: true,
      type: {
        type: 'list',
        'element-id': 14,
        'element-required': true,
        element: {
          type: 'struct',
          fields: [
            { id: 15, name: 'key', required: true, type: 'string' },
            { id: 16, name: 'value', required: false, type: 'binary' },
          ],
        },
      },
    },
    { id: 9, name: 'error_code', required: true, type: 'string' },
    { id: 10, name: 'reason', required: true, type: 'string' },
    { id: 11, name: 'schema_id', required: false, type: 'int' },
    {
      id: 12,
      name: 'checkpoint_id',
      required: true,
      type: 'string',
      doc: 'Checkpoint of the main table in which the record was decided to be dead.',
    },
    { id: 13, name: 'service_version', required: true, type: 'string' },
  ],
};

/** A row of these columns. Times in microseconds. */
export interface DeadLetterRow {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: bigint | null;
  readonly timestampType: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[];
  readonly code: string;
  readonly reason: string;
  readonly schemaId: number | null;
  readonly checkpointId: string;
  readonly serviceVersion: string;
}
