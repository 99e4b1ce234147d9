import { join } from 'node:path';
import { rolldown } from 'rolldown';
import type { Plugin } from 'rolldown';

/**
 * Modules of Node are taken as they are. An `import` of one reads all that it exports into a module of its own, which wakes
 * what is loaded only when it is asked for: `node:http` the whole of `fetch`, `node:fs` its streams; a tenth of a start.
 */
const builtins: Plugin = {
  name: 'builtins',
  renderChunk: (code) => ({
    code: code
      .replaceAll(/^import (.+) from "(node:[^"]+)";$/gm, (_, names: string, module: string) => {
        const taken = `process.getBuiltinModule("${module}")`;
        const [, whole, some] = /^(?:(?:\* as )?([\w$]+))?(?:, )?(\{.+\})?$/.exec(names)!;
        const parts = some?.replaceAll(' as ', ': ');
        return [whole && `const ${whole} = ${taken};`, parts && `const ${parts} = ${taken};`].filter(Boolean).join(' ');
      })
      .replaceAll(/\bimport\("(node:[^"]+)"\)/g, 'Promise.resolve(process.getBuiltinModule("$1"))'),
    map: null,
  }),
};

/**
 * Bundles the service into the folder that is given: `main.mjs`, `worker.mjs` and what they share. A start reads a dozen files
 * instead of 1,800 modules, and of the Kafka client only what is used: half of the time and of the CPU of a start.
 */
async function build(out: string): Promise<void> {
  const src = join(import.meta.dirname, '..');
  const bundle = await rolldown({
    input: { main: join(src, 'main.ts'), worker: join(src, 'pipeline', 'worker.ts') },
    platform: 'node',
    plugins: [builtins],
    // ES modules where a package has both: what is not used of them is left out, a third of the S3 client.
    resolve: { mainFields: ['module', 'main'] },
    // What finds its native code or WebAssembly beside itself; pg-native is an option of pg that we do not take.
    external: ['@node-rs/crc32', '@platformatic/wasm-utils', 'pg-native'],
    treeshake: {
      // Its index imports clients and registries of its own, of which we use none; nothing is registered by an import.
      moduleSideEffects: [{ test: /node_modules\/@platformatic\/kafka\//, sideEffects: false }],
      // Validators of those clients' options, 0.1 s.
      manualPureFunctions: ['ajv.compile'],
    },
    onLog: (level, log, handle) => {
      // Of packages: a build that works has nothing to say.
      if (level === 'warn' && log.code !== 'UNRESOLVED_IMPORT') return;
      handle(level, log);
    },
  });
  await bundle.write({
    dir: out,
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
    // For `NODE_OPTIONS=--enable-source-maps`, which costs time at each start.
    sourcemap: true,
  });
  await bundle.close();
}

await build(process.argv[2]!);
