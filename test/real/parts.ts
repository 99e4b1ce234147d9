import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Part, ensurePart, isWhole, lock, partDir } from './cache.ts';
import { findJava, run } from './tools.ts';

const here = dirname(fileURLToPath(import.meta.url));
const genDir = join(here, '..', 'gen');
const franzDir = join(here, '..', 'registry', 'franz');
const readersDir = join(here, '..', 'readers');

const versitygwVersion = 'v1.8.0';
const pysparkVersion = '4.1.1';
/** 3.x needs Java 21; the last 2.6 runs on 17. */
const apicurio = findJava(21) === undefined ? { version: '2.6.13.Final', least: 17 } : { version: '3.3.3', least: 21 };

/** Maven's local repository is not safe against two writers: one Maven at a time on this machine. */
async function maven(...args: string[]): Promise<void> {
  const release = await lock('maven');
  try {
    await run('mvn', ['-q', '-B', ...args]);
  } finally {
    release();
  }
}

function jars(name: string, label: string, ...options: string[]): Part {
  const pom = pomOf(name);
  return {
    name: `${name}-jars`,
    label,
    madeFrom: readFileSync(pom, 'utf8'),
    make: (dir) => copyJars(pom, dir, ...options),
  };
}

/** A list of jars in test/real/maven. */
export function pomOf(name: string): string {
  return join(here, 'maven', `${name}.xml`);
}

/** Copies what a POM names, and what that needs, into a directory. */
export function copyJars(pom: string, dir: string, ...options: string[]): Promise<void> {
  const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${dir}`, '-DincludeScope=runtime'];
  return maven('-f', pom, ...copy, ...options);
}

function venv(name: string, label: string, madeFrom: string, ...pipArgs: string[]): Part {
  return {
    name,
    label,
    madeFrom,
    make: async (dir) => {
      await run('python3', ['-m', 'venv', dir]);
      await run(join(dir, 'bin', 'python'), [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        ...pipArgs,
      ]);
    },
  };
}

function source(dir: string): string {
  return readdirSync(dir)
    .filter((f) => f.endsWith('.go') || f.startsWith('go.'))
    .map((f) => readFileSync(join(dir, f), 'utf8'))
    .join('\n');
}

const requirements = join(readersDir, 'requirements.txt');
const formats = join(readersDir, 'formats.txt');

/** Everything real that the tests run against, each from its package registry, with exact versions. */
export const parts = {
  s3: {
    name: 'versitygw',
    label: `S3 server: versitygw ${versitygwVersion} (built from source with Go)`,
    madeFrom: versitygwVersion,
    make: async (dir) => {
      const env = { GOBIN: dir, CGO_ENABLED: '0' };
      await run(
        'go',
        ['install', '-trimpath', '-ldflags=-s -w', `github.com/versity/versitygw/cmd/versitygw@${versitygwVersion}`],
        { env },
      );
    },
  },
  kafka: jars('kafka', 'Apache Kafka 4.3.1'),
  catalog: jars('catalog', 'Iceberg REST catalog 1.11.0'),
  registry: {
    name: 'apicurio',
    label: `schema registry: Apicurio ${apicurio.version} (Confluent API)`,
    madeFrom: apicurio.version,
    make: async (dir) => {
      const coordinates = `io.apicurio:apicurio-registry-app:${apicurio.version}:tar.gz:all`;
      await maven(
        'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy',
        `-Dartifact=${coordinates}`,
        `-DoutputDirectory=${dir}`,
        '-Dmdep.useBaseVersion=true',
      );
      const archive = readdirSync(dir).find((f) => f.endsWith('.tar.gz'))!;
      await run('tar', ['xzf', archive], { cwd: dir });
      rmSync(join(dir, archive));
    },
  },
  generator: {
    name: 'generator',
    label: 'load generator (franz-go)',
    madeFrom: source(genDir),
    make: async (dir) => {
      await run('go', ['build', '-trimpath', '-o', join(dir, 'gen'), '.'], { cwd: genDir, env: { CGO_ENABLED: '0' } });
    },
  },
  franzRegistry: {
    name: 'franz-registry',
    label: 'second schema registry: franz-go’s (built with Go)',
    madeFrom: source(franzDir),
    make: async (dir) => {
      const args = ['build', '-trimpath', '-o', join(dir, 'franz-registry'), '.'];
      await run('go', args, { cwd: franzDir, env: { CGO_ENABLED: '0' } });
    },
  },
  readers: venv('readers', 'PyIceberg 0.12.0 and DuckDB 1.5.5', readFileSync(requirements, 'utf8'), '-r', requirements),
  formats: venv(
    'formats',
    'reference libraries of the formats: Avro, fastavro, Protobuf',
    readFileSync(formats, 'utf8'),
    '-r',
    formats,
  ),
  sparkJars: jars('spark', 'Iceberg runtime 1.12.0 for Spark', '-DexcludeTransitive=true'),
  spark: venv('spark', `Spark ${pysparkVersion}`, pysparkVersion, `pyspark==${pysparkVersion}`),
} satisfies Record<string, Part>;

export type PartName = keyof typeof parts;

export const allParts: readonly PartName[] = Object.keys(parts) as PartName[];

/** Least Java version that the registry in the cache runs on. */
export const registryJava: number = apicurio.least;

export function dirOf(name: PartName): string {
  return partDir(parts[name]);
}

/**
 * Makes sure that the named parts are in the cache. Compiling and downloading run side by side; what is fetched, how far it is
 * and how long it took go to `log` as whole lines.
 */
export async function install(names: readonly PartName[], log: (line: string) => void = toStderr): Promise<void> {
  const absent = names.filter((n) => !isWhole(parts[n]));
  if (absent.length === 0) return;
  const from = performance.now();
  const seconds = (since: number): number => Math.round((performance.now() - since) / 1000);
  let done = 0;
  const running = new Set<string>();
  log(`fetching ${absent.length} real parts (once; several minutes on an empty machine)`);
  const heartbeat = setInterval(
    () => log(`${done} of ${absent.length} after ${seconds(from)} s, now: ${[...running].join('; ')}`),
    15_000,
  );
  const lane = async (lanes: readonly PartName[]): Promise<void> => {
    for (const name of lanes) {
      const part: Part = parts[name];
      const began = performance.now();
      running.add(part.label);
      await ensurePart(part);
      running.delete(part.label);
      done += 1;
      log(`${done} of ${absent.length}: ${part.label}, ${seconds(began)} s`);
    }
  };
  const compiled: readonly PartName[] = ['generator', 's3', 'franzRegistry'];
  try {
    const results = await Promise.allSettled([
      lane(absent.filter((n) => compiled.includes(n))),
      lane(absent.filter((n) => !compiled.includes(n))),
    ]);
    for (const r of results) if (r.status === 'rejected') throw r.reason;
  } finally {
    clearInterval(heartbeat);
  }
}

function toStderr(line: string): void {
  process.stderr.write(`real parts: ${line}\n`);
}
