import { TabletopicError } from '../errors.ts';
import { readPositions as readFilePositions } from '../parquet/positions.ts';
import type { PositionReader } from './verify-rows.ts';

/** The positions of all rows of a data file, whoever wrote it; null for rows without one. */
export const readPositions: PositionReader = (io, file) => {
  if (file.format !== 'PARQUET')
    throw new TabletopicError(
      'TABLE_UNSUPPORTED',
      `${file.location} is ${file.format}: only Parquet files can be verified.`,
      {
        where: { file: file.location },
      },
    );
  return readFilePositions((range) => io.read(file.location, range), file.fileSize);
};
