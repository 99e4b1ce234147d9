/** Writer schema of the demo's orders; the same as schemas/examples/orders.avsc. */
const DECIMAL = { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 } as const;

export const orderSchema = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  doc: 'An order as it was placed.',
  fields: [
    { name: 'order_id', type: 'long' },
    { name: 'customer_id', type: 'string' },
    { name: 'placed_at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'ship_by', type: { type: 'int', logicalType: 'date' } },
    { name: 'amount', type: DECIMAL, doc: 'Sum over the items, in the currency.' },
    { name: 'currency', type: { type: 'enum', name: 'Currency', symbols: ['EUR', 'USD', 'GBP', 'SEK'] } },
    { name: 'paid', type: 'boolean' },
    {
      name: 'items',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Item',
          fields: [
            { name: 'sku', type: 'string' },
            { name: 'quantity', type: 'int' },
            { name: 'price', type: DECIMAL },
          ],
        },
      },
    },
    {
      name: 'shipping',
      type: [
        'null',
        {
          type: 'record',
          name: 'Address',
          fields: [
            { name: 'city', type: 'string' },
            { name: 'country', type: 'string' },
          ],
        },
      ],
      default: null,
      doc: 'Null when the order is picked up.',
    },
    { name: 'weight_kg', type: ['null', 'double'], default: null },
    { name: 'attributes', type: { type: 'map', values: 'string' } },
    { name: 'note', type: ['null', 'string'], default: null },
  ],
} as const;
