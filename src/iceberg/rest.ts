import { TabletopicError } from '../errors.ts';
import type { CatalogConfig } from '../config/config.ts';
import type { Ports } from '../ports.ts';
import { identText } from './catalog.ts';
import type { Catalog, CommitOutcome, CommitRequest, CreateTableRequest, LoadedTable, TableIdent } from './catalog.ts';
import { parseJson, stringifyJson } from './json.ts';
import { normalMetadata } from './read-metadata.ts';
import { parseWithRefs } from './rest/answer.ts';
import { parseHead } from './rest/answer-head.ts';
import { OAuth2Auth, bearerAuth, noAuth } from './rest/auth.ts';
import type { Auth } from './rest/auth.ts';
import { RestClient } from './rest/client.ts';
import { commitOutcome, errorModel, refusal, unknownOutcome } from './rest/errors.ts';
import { sigv4Auth } from './rest/sigv4.ts';
import { AnswerLost, openTransport } from './rest/transport.ts';
import type { HttpAnswer } from './rest/transport.ts';

export type RestCatalogConfig = Extract<CatalogConfig, { type: 'rest' }>;

const DELEGATION = { 'x-iceberg-access-delegation': 'vended-credentials' };
const DEFAULT_SEPARATOR = '%1F';

/** A catalog behind the Iceberg REST protocol (Apache Iceberg `open-api/rest-catalog-open-api.yaml`). */
export class RestCatalog implements Catalog {
  readonly name: string;
  readonly #config: RestCatalogConfig;
  readonly #uri: string;
  readonly #client: RestClient;
  readonly #closeTransport: () => void;
  #prefix = '';
  /** Between the levels of a namespace in a path, URL-encoded. */
  #separator = DEFAULT_SEPARATOR;
  /** By table, as it was last loaded: of a commit's answer the end, which has it again if at all, may stay unread. */
  readonly #configs = new Map<string, LoadedTable['config']>();

  constructor(name: string, config: RestCatalogConfig, ports: Ports) {
    this.name = name;
    this.#config = config;
    this.#uri = config.uri.replace(/\/+$/, '');
    const transport = openTransport(config.requestTimeout);
    this.#closeTransport = () => transport.close();
    this.#client = new RestClient(transport.send, this.#auth(transport.send, ports), ports);
  }

  async connect(): Promise<void> {
    const { warehouse, prefix } = this.#config;
    const url = `${this.#uri}/v1/config${warehouse === undefined ? '' : `?warehouse=${encodeURIComponent(warehouse)}`}`;
    const answer = await this.#client.call({ method: 'GET', url, repeat: 'all' });
    if (answer.status === 403)
      throw new TabletopicError('CATALOG_AUTH', `the catalog ${this.#uri} answers 403`, { where: { url } });
    if (answer.status !== 200) throw refusal(answer, 'reading the catalog’s configuration', url);
    const { defaults = {}, overrides = {} } = this.#parse(answer, url) as {
      defaults?: Record<string, string>;
      overrides?: Record<string, string>;
    };
    const merged: Readonly<Record<string, string>> = {
      ...defaults,
      ...(prefix !== undefined && { prefix }),
      ...overrides,
    };
    this.#prefix = merged['prefix'] ? `/${merged['prefix'].split('/').map(encodeURIComponent).join('/')}` : '';
    this.#separator = merged['namespace-separator'] ?? DEFAULT_SEPARATOR;
  }

  async createNamespace(namespace: readonly string[]): Promise<void> {
    const url = this.#url('namespaces', this.#namespace(namespace));
    const found = await this.#client.call({ method: 'GET', url, repeat: 'all' });
    if (found.status === 200) return;
    if (found.status !== 404) throw refusal(found, `namespace ${namespace.join('.')}`, url);
    // Some catalogs want the levels above first.
    if (namespace.length > 1) await this.createNamespace(namespace.slice(0, -1));
    const made = await this.#client.call({
      method: 'POST',
      url: this.#url('namespaces'),
      body: stringifyJson({ namespace, properties: {} }),
      repeat: 'all',
    });
    if (made.status !== 200 && made.status !== 409)
      throw refusal(made, `creating namespace ${namespace.join('.')}`, url);
  }

  async listTables(namespace: readonly string[]): Promise<TableIdent[]> {
    const base = this.#url('namespaces', this.#namespace(namespace), 'tables');
    const found: TableIdent[] = [];
    for (let token: string | undefined; ;) {
      const url = token === undefined ? base : `${base}?pageToken=${encodeURIComponent(token)}`;
      const answer = await this.#client.call({ method: 'GET', url, repeat: 'all' });
      if (answer.status === 404 && errorModel(answer) !== null) return found;
      if (answer.status !== 200) throw refusal(answer, `tables of ${namespace.join('.')}`, url);
      const page = this.#parse(answer, url) as { identifiers?: TableIdent[]; 'next-page-token'?: string | null };
      found.push(...(page.identifiers ?? []).map((ident) => ({ namespace: ident.namespace, name: ident.name })));
      if (!page['next-page-token']) return found;
      token = page['next-page-token'];
    }
  }

  async createTable(ident: TableIdent, request: CreateTableRequest): Promise<LoadedTable> {
    const url = this.#url('namespaces', this.#namespace(ident.namespace), 'tables');
    const body = stringifyJson({
      name: ident.name,
      schema: request.schema,
      'partition-spec': request.spec,
      ...(request.sortOrder && { 'write-order': request.sortOrder }),
      ...(request.location !== undefined && { location: request.location }),
      properties: request.properties,
      'stage-create': false,
    });
    let answer: HttpAnswer;
    try {
      answer = await this.#client.call({ method: 'POST', url, headers: DELEGATION, body, repeat: 'unsent' });
    } catch (error) {
      // Asked again, a table that was made after all answers `TABLE_EXISTS`.
      if (error instanceof AnswerLost)
        throw new TabletopicError('CATALOG_UNAVAILABLE', `creating ${identText(ident)}: ${error.message}`, {
          cause: error,
          where: { url },
        });
      throw error;
    }
    if (answer.status === 409)
      throw new TabletopicError('TABLE_EXISTS', `table ${identText(ident)} exists already`, {
        where: { table: identText(ident) },
      });
    if (answer.status !== 200) throw refusal(answer, `creating ${identText(ident)}`, url);
    return this.#loaded(ident, answer, url, 'all');
  }

  async loadTable(ident: TableIdent, snapshots: 'refs' | 'all'): Promise<LoadedTable | null> {
    const url = `${this.#table(ident)}?snapshots=${snapshots}`;
    const answer = await this.#client.call({ method: 'GET', url, headers: DELEGATION, repeat: 'all' });
    if (answer.status === 404 && errorModel(answer) !== null) return null;
    if (answer.status !== 200) throw refusal(answer, `loading ${identText(ident)}`, url);
    const table = this.#loaded(ident, answer, url, snapshots);
    this.#configs.set(identText(ident), table.config);
    return table;
  }

  async commit(ident: TableIdent, request: CommitRequest): Promise<CommitOutcome> {
    const url = this.#table(ident);
    const body = stringifyJson({ identifier: ident, requirements: request.requirements, updates: request.updates });
    const headers = { ...DELEGATION, 'idempotency-key': request.idempotencyKey };
    let answer: HttpAnswer;
    const seen: { head: LoadTableResult | null } = { head: null };
    const enough = (first: Uint8Array): boolean => {
      seen.head = parseHead(first, request.updates) as LoadTableResult | null;
      return seen.head !== null;
    };
    try {
      answer = await this.#client.call({ method: 'POST', url, headers, body, repeat: 'unsent', enough });
    } catch (error) {
      if (error instanceof AnswerLost)
        return unknownOutcome(`commit of ${identText(ident)}: ${error.message}`, url, error);
      throw error;
    }
    const outcome = commitOutcome(answer, identText(ident), url);
    if (outcome !== null) return outcome;
    try {
      if (seen.head === null) return { outcome: 'committed', table: this.#loaded(ident, answer, url, 'refs') };
      const table = tableOf(ident, seen.head, url, true);
      const config = { ...this.#configs.get(identText(ident)), ...table.config };
      return { outcome: 'committed', table: { ...table, config } };
    } catch (error) {
      // A 200 cut short or rewritten on the way says nothing of what was applied.
      return unknownOutcome(`commit of ${identText(ident)}: ${(error as Error).message}`, url, error);
    }
  }

  async dropTable(ident: TableIdent): Promise<void> {
    const url = this.#table(ident);
    const answer = await this.#client.call({ method: 'DELETE', url, repeat: 'all' });
    if (answer.status >= 300 && answer.status !== 404) throw refusal(answer, `dropping ${identText(ident)}`, url);
  }

  close(): Promise<void> {
    this.#closeTransport();
    return Promise.resolve();
  }

  #auth(send: ConstructorParameters<typeof OAuth2Auth>[1], ports: Ports): Auth {
    const { sigv4, credential, token, oauth2ServerUri, scope } = this.#config;
    if (sigv4) return sigv4Auth(sigv4);
    if (credential !== undefined) {
      return new OAuth2Auth(
        { tokenUri: oauth2ServerUri ?? `${this.#uri}/v1/oauth/tokens`, credential, scope: scope ?? 'catalog' },
        send,
        ports.clock,
      );
    }
    return token === undefined ? noAuth : bearerAuth(token);
  }

  #url(...parts: readonly string[]): string {
    return `${this.#uri}/v1${this.#prefix}/${parts.join('/')}`;
  }

  #namespace(namespace: readonly string[]): string {
    return namespace.map(encodeURIComponent).join(this.#separator);
  }

  #table(ident: TableIdent): string {
    return this.#url('namespaces', this.#namespace(ident.namespace), 'tables', encodeURIComponent(ident.name));
  }

  #loaded(ident: TableIdent, answer: HttpAnswer, url: string, snapshots: 'refs' | 'all'): LoadedTable {
    return tableOf(ident, this.#parse(answer, url, snapshots) as LoadTableResult, url, snapshots === 'refs');
  }

  #parse(answer: HttpAnswer, url: string, snapshots: 'refs' | 'all' = 'all'): unknown {
    try {
      return snapshots === 'refs' ? parseWithRefs(answer.bytes) : parseJson(answer.text);
    } catch (error) {
      throw notSpoken(url, (error as Error).message, error);
    }
  }
}

interface LoadTableResult {
  readonly 'metadata-location'?: string;
  readonly metadata?: unknown;
  readonly config?: Readonly<Record<string, string>>;
  readonly 'storage-credentials'?: readonly {
    readonly prefix: string;
    readonly config: Readonly<Record<string, string>>;
  }[];
}

function tableOf(ident: TableIdent, body: LoadTableResult, url: string, partial: boolean): LoadedTable {
  if (typeof body.metadata !== 'object' || body.metadata === null) throw notSpoken(url, 'it holds no table metadata');
  const metadata = normalMetadata(body.metadata);
  return {
    ident,
    metadataLocation: body['metadata-location'] ?? '',
    metadata,
    partial,
    config: { ...body.config, ...credentialsFor(metadata.location, body['storage-credentials']) },
  };
}

/** Of several credentials those of the longest prefix count (REST spec, `StorageCredential`). */
function credentialsFor(
  location: string,
  credentials: LoadTableResult['storage-credentials'] = [],
): Readonly<Record<string, string>> {
  const matching = credentials
    .filter(({ prefix }) => location.startsWith(prefix))
    .toSorted((a, b) => b.prefix.length - a.prefix.length);
  return matching[0]?.config ?? {};
}

function notSpoken(url: string, reason: string, cause?: unknown): TabletopicError {
  return new TabletopicError('CATALOG_REFUSED', `the answer of ${url} is none of an Iceberg REST catalog: ${reason}`, {
    cause,
    where: { url },
    hint: 'Is `catalogs.<name>.uri` right, without `/v1`?',
  });
}
