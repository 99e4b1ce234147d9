import type { ColumnBatch } from '../columns/batch.ts';
import type { AvroNode } from '../schema/avro-node.ts';
import type { AvroOptions } from '../schema/avro.ts';
import { DEBEZIUM_COLUMN, convertDebezium } from '../schema/debezium.ts';
import type { ConvertedDebezium } from '../schema/debezium.ts';
import type { Schema, StructType } from '../schema/types.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { decoderOf, targetOf } from './avro.ts';
import { bindAvro } from './avro-bind.ts';
import type { AvroBinding } from './avro-bind.ts';
import type { Slot } from './slots.ts';
import { AvroCursor } from './avro-cursor.ts';
import { skipValue } from './avro-skip.ts';
import type { BoundSchema, DecodeFailure, Decoder, Part } from './decoder.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';

/** The decoder of a Debezium topic's Avro records; of a record that is no envelope, that of the record. */
export function makeDebeziumDecoder(bound: BoundSchema, layout: Schema, options: AvroOptions, part: Part): Decoder {
  const converted = convertDebezium(bound.text, bound.references, options, part);
  if (!converted.image) return decoderOf(bindAvro(converted.rest, bound.struct, layout, targetOf(layout, part)));
  return new DebeziumDecoder(converted, bound.struct, layout);
}

/**
 * Debezium's envelope: the row as it is after the change is the table's row, that before it where it was deleted, and all
 * else is the struct `_debezium`. Neither image (a truncated table): a row of nulls.
 */
class DebeziumDecoder implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  readonly #converted: ConvertedDebezium;
  readonly #row: Decoder;
  readonly #rowColumns: readonly Slot[];
  readonly #rest: Decoder;
  readonly #cursor = new AvroCursor();
  #starts = new Int32Array(0);
  #lengths = new Int32Array(0);

  constructor(converted: ConvertedDebezium, struct: StructType, layout: Schema) {
    const { fields } = struct;
    const rest = fields.at(-1)!;
    const row: AvroBinding = bindAvro(
      converted.image!.plan,
      { type: 'struct', fields: fields.slice(0, -1) },
      layout,
      'value',
      rest.id,
    );
    this.#converted = converted;
    this.#row = decoderOf(row);
    this.#rowColumns = row.owned;
    this.#rest = decoderOf(bindAvro(converted.rest, rest.type as StructType, layout, rest.id));
  }

  get digitsCut(): number {
    return (this.#row.digitsCut ?? 0) + (this.#rest.digitsCut ?? 0);
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    const { payloadStart, payloadLength } = source;
    if (this.#starts.length < to) {
      this.#starts = new Int32Array(payloadStart.length);
      this.#lengths = new Int32Array(payloadStart.length);
    }
    this.#starts.set(payloadStart.subarray(from, to), from);
    this.#lengths.set(payloadLength.subarray(from, to), from);
    const images = this.#findImages(source, from, to);
    let taken = this.#row.decode(source, from, images, batch);
    if (taken < images) this.failure = this.#row.failure;
    payloadStart.set(this.#starts.subarray(from, to), from);
    payloadLength.set(this.#lengths.subarray(from, to), from);
    const rest = this.#rest.decode(source, from, taken, batch);
    if (rest < taken) {
      for (const { vector } of this.#rowColumns) vector!.truncate(vector!.length - (taken - rest));
      this.failure = { ...this.#rest.failure, reason: `${DEBEZIUM_COLUMN}: ${this.#rest.failure.reason}` };
      taken = rest;
    }
    return taken;
  }

  /** Makes the image of each record its payload, -1 where there is none; stops at a record that is cut short. */
  #findImages(source: RecordPositions, from: number, to: number): number {
    const { bytes, view, payloadStart, payloadLength } = source;
    for (let i = from; i < to; i++) {
      const length = payloadLength[i]!;
      if (length < 0) continue;
      const start = payloadStart[i]!;
      this.#cursor.open(bytes, view, start, start + length);
      try {
        this.#image(i, source);
      } catch (stop) {
        if (!(stop instanceof DecodeStop)) throw stop;
        this.failure = stop;
        return i;
      }
    }
    return to;
  }

  #image(i: number, { payloadStart, payloadLength }: RecordPositions): void {
    const cursor = this.#cursor;
    const { envelope, image } = this.#converted;
    let left = 2;
    payloadLength[i] = -1;
    for (const field of envelope!.fields) {
      cursor.path = field.name;
      const after = field.name === 'after';
      if (!after && field.name !== 'before') {
        skipValue(field.node, cursor);
        continue;
      }
      const node = branch(field.node, cursor);
      const start = cursor.p;
      skipValue(node, cursor);
      if (node === image!.node && (after || payloadLength[i] === -1)) {
        payloadStart[i] = start;
        payloadLength[i] = cursor.p - start;
      }
      if (--left === 0) return;
    }
  }
}

function branch(node: AvroNode, cursor: AvroCursor): AvroNode {
  return node.kind === 'union' ? node.branches[cursor.index(node.branches.length, 'union branch')]! : node;
}
