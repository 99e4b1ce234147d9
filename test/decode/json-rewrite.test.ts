import { describe, expect, test } from 'vitest';
import { cloudEventJson } from '../../src/decode/cloudevents.ts';
import { debeziumJson } from '../../src/decode/debezium-json.ts';
import type { DecodeFailure, Decoder } from '../../src/decode/decoder.ts';
import { RewrittenJson } from '../../src/decode/json-rewrite.ts';
import { DecodeStop, NO_FAILURE } from '../../src/decode/stop.ts';
import { encodeBatch } from '../../src/source/batch-encoder.ts';
import { BatchReader } from '../../src/source/batch-reader.ts';
import type { RecordPositions } from '../../src/source/record-batch.ts';
import { WireFormatReader } from '../../src/decode/wire-format.ts';

function positions(value: string | Uint8Array | null, headers: Readonly<Record<string, string>> = {}): RecordPositions {
  const reader = new BatchReader({ isolation: 'read_uncommitted', maxBatchBytes: 1 << 20 });
  const record = {
    offset: 0,
    timestamp: 1,
    key: null,
    value: value === null ? null : Buffer.from(value),
    headers: Object.entries(headers).map(([key, text]) => [key, Buffer.from(text)] as const),
  };
  reader.open(new Uint8Array(encodeBatch({ baseOffset: 0, records: [record] })), 0, []);
  reader.next();
  new WireFormatReader('plain').nextRun(reader.positions, 0, 1);
  return reader.positions;
}

const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString();

describe('Debezium in JSON', () => {
  const row = (event: string): string | null => text(debeziumJson(positions(event), 0));

  test('the image is the row, with every digit that it had; the rest of the envelope is _debezium', () => {
    const rest = '"source":{"lsn":9007199254740993},"op":"u","ts_ms":5';
    expect(row(`{"before":{"id":1},"after":{"id":12345678901234567890.10,"s":"\\u00e9"},${rest}}`)).toBe(
      `{"id":12345678901234567890.10,"s":"é","_debezium":{${rest}}}`,
    );
    expect(row('{"before":{"id":1},"after":null,"op":"d"}')).toBe('{"id":1,"_debezium":{"op":"d"}}');
    expect(row('{"before":null,"after":null,"op":"t"}')).toBe('{"_debezium":{"op":"t"}}');
    expect(row('{"after":{"_debezium":1,"__proto__":2},"op":"c"}')).toBe(
      '{"_debezium_2":1,"__proto__":2,"_debezium":{"op":"c"}}',
    );
  });

  test('in Connect’s wrapper; tombstones; what is no envelope stays as it is', () => {
    expect(row('{"schema":{"type":"struct"},"payload":{"after":{"id":1},"op":"c"}}')).toBe(
      '{"id":1,"_debezium":{"op":"c"}}',
    );
    expect(row('{"schema":null,"payload":null}')).toBe(null);
    expect(debeziumJson(positions(null), 0)).toBe(null);
    expect(row('{"schema":null,"payload":{"ts_ms":5}}')).toBe('{"ts_ms":5}');
    expect(row('{"id":1,"op":"x"}')).toBe('{"id":1,"op":"x"}');
    expect(row('{"schema":1,"payload":2,"more":3}')).toBe('{"schema":1,"payload":2,"more":3}');
    expect(() => row('{"after":')).toThrow();
  });

  test('however deep it is nested, it is JSON or a failure', () => {
    let refused = 0;
    for (const open of ['[', '{"a":'])
      for (let depth = 500; depth < 60_000; depth *= 1.2) {
        const nested = open.repeat(depth) + '1' + (open === '[' ? ']' : '}').repeat(depth);
        try {
          expect(row(`{"after":{"x":${nested}},"op":"c"}`)).toBe(`{"x":${nested},"_debezium":{"op":"c"}}`);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeStop);
          refused++;
        }
      }
    expect(refused).toBeGreaterThan(0);
  });
});

describe('CloudEvents', () => {
  const event = (value: string | Uint8Array | null, headers: Readonly<Record<string, string>>): string | null =>
    text(cloudEventJson(positions(value, headers), 0));

  test('structured: the value is the event', () => {
    const whole = '{"specversion":"1.0","id":"1","data":{"n":1}}';
    expect(event(whole, { 'content-type': 'application/cloudevents+json; charset=UTF-8' })).toBe(whole);
    expect(event(whole, {})).toBe(whole);
  });

  test('binary: attributes are headers, data is read by its content type', () => {
    const ce = { ce_id: '1', ce_type: 't', ce_source: '/s', trace: 'x' };
    const attributes = '"id":"1","type":"t","source":"/s"';
    expect(event('{"n":1.50}', ce)).toBe(`{${attributes},"data":{"n":1.50}}`);
    const json = { ...ce, 'content-type': 'application/vnd.x+json' };
    expect(event('[1]', json)).toBe(`{${attributes},"datacontenttype":"application/vnd.x+json","data":[1]}`);
    expect(event('a"b', { ...ce, 'content-type': 'text/plain' })).toBe(
      `{${attributes},"datacontenttype":"text/plain","data":"a\\"b"}`,
    );
    expect(event(new Uint8Array([0, 255]), { ...ce, 'content-type': 'application/avro' })).toBe(
      `{${attributes},"datacontenttype":"application/avro","data_base64":"AP8="}`,
    );
    expect(event(null, ce)).toBe(`{${attributes}}`);
    expect(event(null, { trace: 'x' })).toBe(null);
    expect(() => event('not json', ce)).toThrow();
    expect(() => event(new Uint8Array([255]), { ...ce, 'content-type': 'text/plain' })).toThrow();
  });
});

/** Takes every record but those whose text is `bad`. */
class Picky implements Decoder {
  readonly seen: (string | null)[] = [];
  failure: DecodeFailure = NO_FAILURE;

  decode(source: RecordPositions, from: number, to: number): number {
    for (let i = from; i < to; i++) {
      const [start, length] = [source.payloadStart[i]!, source.payloadLength[i]!];
      const value = length < 0 ? null : Buffer.from(source.bytes.subarray(start, start + length)).toString();
      if (value === 'bad') {
        this.failure = { code: 'DECODE_JSON', reason: 'picky' };
        return i;
      }
      this.seen.push(value);
    }
    return to;
  }
}

test('records are rewritten a few at a time; one that cannot be stops the run where it stands', () => {
  const values = Array.from({ length: 200 }, (_, i) => (i === 130 ? 'bad' : i === 152 ? 'worse' : `v${i}`));
  const picky = new Picky();
  let rewritten = 0;
  const decoder = new RewrittenJson(picky, (_, i) => {
    rewritten++;
    if (values[i] === 'worse') debeziumJson(positions('{'), 0);
    return i % 3 === 0 ? null : Buffer.from(values[i]!);
  });
  const batch = null as never;
  expect(decoder.decode(null as never, 0, 200, batch)).toBe(130);
  expect(decoder.failure.reason).toBe('picky');
  expect(rewritten).toBe(153);
  expect(decoder.decode(null as never, 131, 200, batch)).toBe(152);
  expect(decoder.failure.code).toBe('DECODE_JSON');
  expect(decoder.decode(null as never, 153, 200, batch)).toBe(200);
  const gone = new Set([130, 152]);
  expect(picky.seen).toEqual(values.flatMap((value, i) => (gone.has(i) ? [] : i % 3 === 0 ? [null] : [value])));
});
