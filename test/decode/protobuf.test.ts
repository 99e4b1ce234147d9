import * as fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import type { BoundSchema, Decoder } from '../../src/decode/decoder.ts';
import { protobufBinding } from '../../src/decode/protobuf.ts';
import { protobufCode } from '../../src/decode/protobuf-codegen.ts';
import { CompiledProtobuf } from '../../src/decode/protobuf-compiled.ts';
import { InterpretedProtobuf } from '../../src/decode/protobuf-interpreted.ts';
import { wellKnownProto } from '../../src/schema/protobuf-well-known.ts';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import type { ProtobufOptions } from '../../src/schema/protobuf.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import type { Schema } from '../../src/schema/types.ts';
import { encode, messageSample } from './protobuf-samples.ts';
import { breaches, positionsOf, rowsOf } from './rows.ts';

const options: ProtobufOptions = { nanos: 'micros', uint64: 'decimal' };

function boundOf(text: string, over: ProtobufOptions = options): { bound: BoundSchema; layout: Schema } {
  const { struct, message } = convertProtobuf(text, {}, null, over);
  const numbered = assignIds(struct, 1).struct;
  const fields = numbered.fields.map((field) => ({ ...field, required: false }));
  const bound: BoundSchema = { format: 'protobuf', text, references: {}, message, struct: numbered };
  return { bound, layout: { ...numbered, 'schema-id': 0, fields } };
}

function twins(
  text: string,
  over: ProtobufOptions = options,
): { layout: Schema; compiled: CompiledProtobuf; interpreted: InterpretedProtobuf } {
  const { bound, layout } = boundOf(text, over);
  const binding = protobufBinding(bound, layout, over);
  return {
    layout,
    compiled: new CompiledProtobuf(binding, protobufCode(binding)!),
    interpreted: new InterpretedProtobuf(protobufBinding(bound, layout, over)),
  };
}

/** Decodes all records, going on after failures, as the pipeline does. */
function decodeAll(
  decoder: Decoder,
  layout: Schema,
  values: readonly (Uint8Array | null)[],
): { rows: unknown[]; failed: Record<number, string>; cut: number } {
  const positions = positionsOf(values);
  const batch = new ColumnBatch(layout);
  const failed: Record<number, string> = {};
  let rows = 0;
  for (let i = 0; i < values.length;) {
    const stop = decoder.decode(positions, i, values.length, batch);
    rows += stop - i;
    if (stop < values.length) failed[stop] = `${decoder.failure.code} ${decoder.failure.reason}`;
    expect(breaches(batch, rows)).toEqual([]);
    i = stop + 1;
  }
  return { rows: rowsOf(batch, rows), failed, cut: decoder.digitsCut ?? 0 };
}

/** The first message of a text, for protobufjs. */
function typeOf(text: string): protobuf.Type {
  const root = new protobuf.Root();
  protobuf.parse(text, root, { keepCase: true });
  for (const [, name] of text.matchAll(/import "([^"]+)"/g))
    protobuf.parse(wellKnownProto(name!)!, root, { keepCase: true });
  return root.resolveAll().lookupType(/message (\w+)/.exec(text)![1]!);
}

describe('Protobuf against protobufjs', () => {
  test('random messages: what protobufjs encodes is read by both decoders', () => {
    fc.assert(
      fc.property(
        messageSample.chain((sample) =>
          fc.tuple(
            fc.constant(sample),
            fc.array(fc.oneof({ weight: 8, arbitrary: sample.value }, fc.constant('tombstone' as const)), {
              maxLength: 12,
            }),
          ),
        ),
        ([sample, values]) => {
          const type = typeOf(sample.text);
          const encoded = values.map((value) => (value === 'tombstone' ? null : encode(type, value)));
          const { layout, compiled, interpreted } = twins(sample.text);
          const nulls = Object.fromEntries(layout.fields.map(({ name }) => [name, null]));
          const wanted = values.map((value) => (value === 'tombstone' ? nulls : sample.expect(value)));
          const oracle = decodeAll(interpreted, layout, encoded);
          expect(oracle).toEqual({ rows: wanted, failed: {}, cut: oracle.cut });
          expect(decodeAll(compiled, layout, encoded)).toEqual(oracle);
          expect(compiled.interpreted, 'only tombstones leave the generated code').toBe(
            encoded.filter((bytes) => !bytes).length,
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  test('random bytes, damaged records and records joined together give rows or failures, the same for both', () => {
    fc.assert(
      fc.property(
        messageSample.chain((sample) =>
          fc.tuple(
            fc.constant(sample),
            fc.array(
              fc.oneof(
                fc.uint8Array({ maxLength: 60 }),
                fc.tuple(sample.value, sample.value),
                fc.tuple(sample.value, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.integer({ min: -3, max: 3 })),
              ),
              { minLength: 1, maxLength: 8 },
            ),
          ),
        ),
        ([sample, inputs]) => {
          const type = typeOf(sample.text);
          const encoded = inputs.map((input) => {
            if (input instanceof Uint8Array) return input;
            // Two encodings one after another are one message with everything merged.
            if (input.length === 2) return Buffer.concat(input.map((value) => encode(type, value)));
            const [value, at, byte, cut] = input;
            const bytes = Buffer.from(encode(type, value));
            if (bytes.length > 0) bytes[at % bytes.length] = byte;
            return cut < 0
              ? bytes.subarray(0, Math.max(0, bytes.length + cut))
              : Buffer.concat([bytes, Buffer.alloc(cut)]);
          });
          const { layout, compiled, interpreted } = twins(sample.text);
          const all = decodeAll(compiled, layout, encoded);
          expect(all).toEqual(decodeAll(interpreted, layout, encoded));
          expect(all.rows.length + Object.keys(all.failed).length).toBe(encoded.length);
        },
      ),
      { numRuns: 200 },
    );
  });
});
