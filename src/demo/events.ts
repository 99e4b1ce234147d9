import avro from 'avsc';
import { orderSchema } from './order-schema.ts';

/** Amounts are in cents: decimal(10, 2) without its point. */
export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
  readonly price: number;
}

export interface Order {
  readonly orderId: number;
  readonly customerId: string;
  /** Milliseconds since the epoch. */
  readonly placedAt: number;
  /** Days since the epoch. */
  readonly shipBy: number;
  readonly amount: number;
  readonly currency: 'EUR' | 'USD' | 'GBP' | 'SEK';
  readonly paid: boolean;
  readonly items: readonly OrderItem[];
  readonly shipping: { readonly city: string; readonly country: string } | null;
  readonly weightKg: number | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly note: string | null;
}

/** A click as it is written: JSON without a schema, some fields only at times. */
export interface Click {
  readonly click_id: number;
  readonly at: string;
  readonly user: { readonly id: string; readonly country: string; readonly vip?: boolean };
  readonly page: string;
  readonly position: { readonly x: number; readonly y: number };
  readonly scrolled: number;
  readonly referrer?: string;
  readonly experiments?: readonly string[];
}

const CURRENCIES = ['EUR', 'USD', 'GBP', 'SEK'] as const;
const CITIES = [
  ['Berlin', 'DE'],
  ['Lyon', 'FR'],
  ['Malmö', 'SE'],
  ['Kraków', 'PL'],
  ['Leeds', 'GB'],
  ['Austin', 'US'],
  ['München', 'DE'],
  ['Porto', 'PT'],
] as const;
const PAGES = ['/', '/search', '/cart', '/checkout', '/product/tea', '/product/lamp', '/product/chair', '/help'];
const REFERRERS = ['https://search.example/', 'https://news.example/shop', 'https://mail.example/'];
const EXPERIMENTS = ['new-cart', 'large-images', 'short-checkout'];
const NOTES = [
  'Please ring twice.',
  'Gift: no invoice, please.',
  'Leave it with the neighbours – merci!',
  'Ребёнок спит, не звонить.',
];
const DAY_MS = 86_400_000;

/** Order `index` of a seed: the same whenever it is made, but for its time. */
export function orderAt(seed: number, index: number, placedAt: number): Order {
  const random = generator(seed, index, 1);
  const items: OrderItem[] = [];
  for (let left = 1 + pick(random, 4); left > 0; left--) {
    items.push({
      sku: `sku-${String(pick(random, 2000)).padStart(4, '0')}`,
      quantity: 1 + pick(random, 5),
      price: 99 + pick(random, 50_000),
    });
  }
  const [city, country] = CITIES[pick(random, CITIES.length)]!;
  return {
    orderId: index,
    customerId: `customer-${pick(random, 10_000)}`,
    placedAt,
    shipBy: Math.floor(placedAt / DAY_MS) + 1 + pick(random, 5),
    amount: items.reduce((sum, item) => sum + item.quantity * item.price, 0),
    currency: CURRENCIES[pick(random, CURRENCIES.length)]!,
    paid: random() < 0.9,
    items,
    shipping: random() < 0.8 ? { city, country } : null,
    weightKg: random() < 0.7 ? pick(random, 20_000) / 1000 : null,
    attributes: random() < 0.5 ? { channel: random() < 0.5 ? 'web' : 'app' } : {},
    note: random() < 0.1 ? NOTES[pick(random, NOTES.length)]! : null,
  };
}

/** Click `index` of a seed: the same whenever it is made, but for its time. */
export function clickAt(seed: number, index: number, at: number): Click {
  const random = generator(seed, index, 2);
  const [, country] = CITIES[pick(random, CITIES.length)]!;
  return {
    click_id: index,
    at: new Date(at).toISOString(),
    user: { id: `customer-${pick(random, 10_000)}`, country, ...(random() < 0.2 ? { vip: random() < 0.5 } : {}) },
    page: PAGES[pick(random, PAGES.length)]!,
    position: { x: pick(random, 1920), y: pick(random, 1080) },
    // Never a whole number, so that it looks like the fraction it is in every record.
    scrolled: (2 * pick(random, 500) + 1) / 1000,
    ...(random() < 0.4 ? { referrer: REFERRERS[pick(random, REFERRERS.length)]! } : {}),
    ...(random() < 0.3 ? { experiments: EXPERIMENTS.slice(0, 1 + pick(random, EXPERIMENTS.length)) } : {}),
  };
}

const orderType = avro.Type.forSchema(orderSchema as unknown as avro.Schema);
const WIRE_HEADER = 5;

/** An order as Avro in the Confluent wire format: 0, the schema id in four bytes, the datum. */
export function encodeOrder(order: Order, schemaId: number): Buffer {
  const datum = orderType.toBuffer({
    order_id: order.orderId,
    customer_id: order.customerId,
    placed_at: order.placedAt,
    ship_by: order.shipBy,
    amount: decimalBytes(order.amount),
    currency: order.currency,
    paid: order.paid,
    items: order.items.map(({ sku, quantity, price }) => ({ sku, quantity, price: decimalBytes(price) })),
    // avsc picks the branch itself: no two of them are alike.
    shipping: order.shipping,
    weight_kg: order.weightKg,
    attributes: order.attributes,
    note: order.note,
  });
  const value = Buffer.allocUnsafe(WIRE_HEADER + datum.length);
  value[0] = 0;
  value.writeInt32BE(schemaId, 1);
  datum.copy(value, WIRE_HEADER);
  return value;
}

export function encodeClick(click: Click): Buffer {
  return Buffer.from(JSON.stringify(click));
}

/** Big-endian two's complement in the fewest bytes, of a number below 2^47. */
function decimalBytes(unscaled: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeIntBE(unscaled, 0, 6);
  let from = 0;
  while (
    from < 5 &&
    ((bytes[from] === 0 && bytes[from + 1]! < 0x80) || (bytes[from] === 0xff && bytes[from + 1]! >= 0x80))
  )
    from++;
  return bytes.subarray(from);
}

/** Uniform numbers in [0, 1) from a seed, an index and a stream (mulberry32 over a mixed start). */
function generator(seed: number, index: number, stream: number): () => number {
  let state =
    Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35) ^ Math.imul(stream, 0x27d4eb2f);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick(random: () => number, count: number): number {
  return Math.floor(random() * count);
}
