import { readManifestList } from '../iceberg/manifest-list.ts';
import { readManifest } from '../iceberg/manifest.ts';
import { EntryStatus, FileContent, type DataFile } from '../iceberg/manifest-types.ts';
import type { Snapshot } from '../iceberg/metadata.ts';
import type { FileIO } from '../io/file-io.ts';

/** Files of a snapshot: everything that its manifests add or keep. */
export interface LiveFiles {
  readonly data: readonly DataFile[];
  /** Position and equality delete files, deletion vectors. */
  readonly deletes: readonly DataFile[];
}

export async function liveFiles(io: FileIO, snapshot: Snapshot): Promise<LiveFiles> {
  const data: DataFile[] = [];
  const deletes: DataFile[] = [];
  if (snapshot['manifest-list'] === undefined) return { data, deletes };
  for (const manifest of await readManifestList(io, snapshot['manifest-list'])) {
    for (const { status, file } of await readManifest(io, manifest)) {
      if (status === EntryStatus.deleted) continue;
      (file.content === FileContent.data ? data : deletes).push(file);
    }
  }
  return { data, deletes };
}
