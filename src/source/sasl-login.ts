import {
  AuthenticationError,
  type Connection,
  saslAuthenticateV0,
  saslAuthenticateV1,
  saslAuthenticateV2,
  saslHandshakeV1,
  saslOAuthBearer,
  saslPlain,
  saslScramSha,
  type SASLOptions,
} from '@platformatic/kafka';

/** Newest first: a broker that cannot read a version drops the connection. */
const versions = [saslAuthenticateV2.api, saslAuthenticateV1.api, saslAuthenticateV0.api];

type Authentication = Awaited<ReturnType<typeof saslPlain.authenticate>>;

/**
 * Logs in on a connection whose versions are known (KIP-152). Gives the life of the session, ms; 0: it does not end.
 */
export async function login(
  connection: Connection,
  sasl: SASLOptions,
  apiKeys: readonly { readonly apiKey: number; readonly maxVersion: number }[],
): Promise<number> {
  const newest = apiKeys.find(({ apiKey }) => apiKey === saslAuthenticateV2.api.key)?.maxVersion ?? 0;
  const api = versions.find(({ version }) => version <= newest) ?? saslAuthenticateV0.api;
  await saslHandshakeV1.api.async(connection, sasl.mechanism).catch((cause: Error) => {
    throw new AuthenticationError('Cannot find a suitable SASL mechanism.', { cause });
  });
  const { authBytes, sessionLifetimeMs } = await authenticate(connection, sasl, api);
  await new Promise<void>((resolve, reject) => {
    if (sasl.authBytesValidator) sasl.authBytesValidator(authBytes, (error) => (error ? reject(error) : resolve()));
    else resolve();
  });
  return Number(sessionLifetimeMs ?? 0);
}

async function authenticate(
  connection: Connection,
  { mechanism, username, password, token }: SASLOptions,
  api: typeof saslAuthenticateV2.api,
): Promise<Authentication> {
  switch (mechanism) {
    case 'PLAIN':
      return await saslPlain.authenticate(api, connection, username!, password!);
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512':
      return await saslScramSha.authenticate(
        api,
        connection,
        mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512',
        username!,
        password!,
      );
    case 'OAUTHBEARER':
      return await saslOAuthBearer.authenticate(api, connection, token!, {});
    default:
      throw new AuthenticationError(`SASL mechanism ${mechanism} is not supported.`);
  }
}
