import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import avro from 'avsc';
import { describe, expect, test } from 'vitest';
import { clickAt, encodeClick, encodeOrder, orderAt } from '../../src/demo/events.ts';
import { orderSchema } from '../../src/demo/order-schema.ts';

const examples = join(import.meta.dirname, '../../schemas/examples');
const schemaFile = JSON.parse(readFileSync(join(examples, 'orders.avsc'), 'utf8')) as avro.Schema;
const NEW_YEAR = Date.UTC(2026, 0, 1);
const unscaled = (bytes: Buffer): bigint => BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`));

interface Datum {
  order_id: number;
  customer_id: string;
  placed_at: number;
  ship_by: number;
  amount: Buffer;
  currency: string;
  paid: boolean;
  items: { sku: string; quantity: number; price: Buffer }[];
  shipping: { city: string; country: string } | null;
  weight_kg: number | null;
  attributes: Record<string, string>;
  note: string | null;
}

describe('orders', () => {
  test('the schema in the code is the one in schemas/examples', () => {
    expect(orderSchema).toEqual(schemaFile);
  });

  test('are read back by the schema file', () => {
    const type = avro.Type.forSchema(schemaFile);
    for (let i = 0; i < 500; i++) {
      const order = orderAt(7, i, NEW_YEAR + i);
      const value = encodeOrder(order, 0x01020304);
      expect([...value.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4]);
      const datum = type.fromBuffer(value.subarray(5)) as Datum;
      expect(datum.items.map(({ price }) => Number(unscaled(price)))).toEqual(order.items.map(({ price }) => price));
      expect(Number(unscaled(datum.amount))).toBe(
        order.items.reduce((sum, { quantity, price }) => sum + quantity * price, 0),
      );
      expect({
        ...datum,
        amount: 0,
        items: [],
        shipping: datum.shipping && { ...datum.shipping },
        attributes: { ...datum.attributes },
      }).toEqual({
        order_id: i,
        customer_id: order.customerId,
        placed_at: NEW_YEAR + i,
        ship_by: order.shipBy,
        amount: 0,
        currency: order.currency,
        paid: order.paid,
        items: [],
        shipping: order.shipping,
        weight_kg: order.weightKg,
        attributes: order.attributes,
        note: order.note,
      });
    }
  });

  test('differ by seed and index, and have nulls in every nullable field', () => {
    const orders = Array.from({ length: 300 }, (_, i) => orderAt(1, i, NEW_YEAR));
    expect(new Set(orders.map(({ customerId, amount }) => `${customerId} ${amount}`)).size).toBeGreaterThan(290);
    expect(orderAt(2, 5, NEW_YEAR)).not.toEqual(orders[5]);
    for (const field of ['shipping', 'weightKg', 'note'] as const) {
      const nulls = orders.filter((order) => order[field] === null).length;
      expect(nulls).toBeGreaterThan(0);
      expect(nulls).toBeLessThan(300);
    }
  });
});

describe('clicks', () => {
  test('the examples are what the code makes', () => {
    const file = JSON.parse(readFileSync(join(examples, 'clicks.example.json'), 'utf8')) as unknown[];
    expect(
      file.map((_, i) => JSON.parse(encodeClick(clickAt(1, i, NEW_YEAR + i * 1000)).toString()) as unknown),
    ).toEqual(file);
  });

  test('have optional fields at times, and fractions that are never whole', () => {
    const clicks = Array.from({ length: 300 }, (_, i) => clickAt(1, i, NEW_YEAR));
    expect(clicks.every(({ scrolled }) => !Number.isInteger(scrolled))).toBe(true);
    for (const present of [
      clicks.filter(({ referrer }) => referrer !== undefined),
      clicks.filter(({ experiments }) => experiments !== undefined),
      clicks.filter(({ user }) => user.vip !== undefined),
    ]) {
      expect(present.length).toBeGreaterThan(10);
      expect(present.length).toBeLessThan(290);
    }
  });
});
