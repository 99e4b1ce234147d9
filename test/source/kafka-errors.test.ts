import {
  AuthenticationError,
  NetworkError,
  ProtocolError,
  ResponseError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { TabletopicError } from '../../src/errors.ts';
import { judgeGroupError } from '../../src/source/group-errors.ts';
import { kafkaError, partial, protocolCode } from '../../src/source/kafka-errors.ts';

const socket = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });
const answer = (code: number): Error => new ResponseError(3, 12, { '/': [code, null] }, { topics: [] });
const connecting = (cause: Error): Error => new NetworkError('Connection to b:1 failed.', { cause });

test.each([
  ['a refused connection', connecting(socket('ECONNREFUSED')), 'KAFKA_UNAVAILABLE'],
  ['a name that is not found', connecting(socket('ENOTFOUND')), 'KAFKA_UNAVAILABLE'],
  ['a timeout', new TimeoutError('Request timed out'), 'KAFKA_UNAVAILABLE'],
  ['a broker that is starting', answer(15), 'KAFKA_UNAVAILABLE'],
  [
    'refused credentials',
    connecting(new AuthenticationError('SASL authentication failed.', { cause: answer(58) })),
    'KAFKA_AUTH',
  ],
  [
    'a mechanism that is not offered',
    connecting(new AuthenticationError('Cannot find a suitable SASL mechanism.', { cause: answer(33) })),
    'KAFKA_AUTH',
  ],
  [
    'a connection that broke during the handshake',
    connecting(
      new AuthenticationError('Cannot find a suitable SASL mechanism.', {
        cause: new NetworkError('Connection closed'),
      }),
    ),
    'KAFKA_UNAVAILABLE',
  ],
  ['an ACL', answer(29), 'KAFKA_AUTH'],
  ['a certificate of an unknown CA', connecting(socket('SELF_SIGNED_CERT_IN_CHAIN')), 'KAFKA_AUTH'],
  ['a broker that speaks TLS only', new UserError('Broker requires TLS.'), 'KAFKA_AUTH'],
  [
    'a token endpoint that is down',
    connecting(
      new AuthenticationError('provider threw', { cause: new TabletopicError('KAFKA_UNAVAILABLE', 'endpoint') }),
    ),
    'KAFKA_UNAVAILABLE',
  ],
])('%s', (_name, error, code) => {
  const mapped = kafkaError(error, 'broker b:1');
  expect(mapped.code).toBe(code);
  expect(mapped.hint).not.toBe('');
});

test('the message names the broker and the innermost reason', () => {
  expect(kafkaError(connecting(socket('ECONNREFUSED')), 'broker b:1').message).toBe(
    'broker b:1 does not answer: connect ECONNREFUSED',
  );
});

test('of an answer with errors in parts the good parts are used', async () => {
  expect(await partial(Promise.reject(answer(3)))).toEqual({ topics: [] });
  await expect(partial(Promise.reject(socket('EPIPE')))).rejects.toMatchObject({ code: 'EPIPE' });
  expect(protocolCode(new Error('x', { cause: new ProtocolError(27) }))).toBe(27);
});

test.each([
  [25, 'lost'],
  [22, 'lost'],
  [110, 'lost'],
  [27, 'rejoin'],
  [82, 'fatal'],
  [30, 'fatal'],
  [26, 'fatal'],
  [111, 'retry'],
  [16, 'retry'],
  [14, 'retry'],
  [23, 'retry'],
])('what code %i means to a member', (code, kind) => {
  expect(judgeGroupError(answer(code), 'g', 'i').kind).toBe(kind);
});
