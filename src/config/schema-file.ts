import { readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { parseAvro } from '../schema/avro-parse.ts';
import { parseProtobuf } from '../schema/protobuf-parse.ts';
import type { FormatOptions, SchemaFile } from './config.ts';
import type { KeyPath, Problems } from './problem.ts';

/**
 * Reads the files of `schema: { file: … }`, taken from `directory`. The first is the schema, the others are what it
 * references, under their path from the first with slashes. What is no schema is a problem with the file and the line.
 */
export function readSchemaFiles(
  { format, schema, message }: FormatOptions,
  directory: string,
  path: KeyPath,
  problems: Problems,
): SchemaFile | null {
  if (typeof schema !== 'object') return null;
  const files = schema.file.map((file) => resolve(directory, file));
  const texts = files.map((file) => read(file, [...path, 'schema', 'file'], problems));
  const [text] = texts;
  if (text === undefined || texts.includes(undefined)) return null;
  const base = dirname(files[0]!);
  const references = Object.fromEntries(
    files.slice(1).map((file, i) => [relative(base, file).split(sep).join('/'), texts[i + 1]!]),
  );
  files.forEach((file, i) => {
    const problem = syntaxProblem(format, texts[i]!);
    if (problem !== null)
      problems.add([...path, 'schema', 'file'], `${file}: ${problem}`, 'Correct the schema in that file.');
  });
  if ((format === 'avro' || format === 'debezium') && problems.list.length === 0) {
    try {
      parseAvro(text, references);
    } catch (error) {
      problems.add([...path, 'schema', 'file'], `${files[0]!}: ${(error as Error).message}`, MORE_FILES);
    }
  }
  if (format === 'protobuf') {
    try {
      parseProtobuf(text, references, message);
    } catch (error) {
      problems.add([...path, 'schema', 'file'], `${files[0]!}: ${(error as Error).message}`, MORE_PROTO_FILES);
    }
  }
  return { file: files, text, references };
}

const MORE_PROTO_FILES =
  'Correct the schema or `message`; files that it imports stand after it in a list, each where its import path says.';

const MORE_FILES = 'Correct the schema; files that define other named types stand after it in a list.';

function read(file: string, path: KeyPath, problems: Problems): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return problems.add(
      path,
      `cannot be read: ${(error as Error).message}`,
      'Name a readable file, relative to this file.',
    );
  }
}

/** Of formats whose schemas are JSON; the message of the parser names line and column. */
function syntaxProblem(format: FormatOptions['format'], text: string): string | null {
  if (format !== 'avro' && format !== 'debezium' && format !== 'json-schema') return null;
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`;
  }
}
