/**
 * Finds units by their folder: a collector is a file in `collectors/` with the export `collector`. There
 * is no list to keep: the folder is the registry. Runs once, before the first step.
 */
import { readdir } from 'node:fs/promises';
import type { Collector } from '../collectors/lib/collector.ts';

const FOLDER = new URL('../collectors/', import.meta.url);

interface CollectorFile {
  readonly collector?: Collector;
}

/** All collectors in order of their names. A file without the export, or a name that is not its file's, is a bug. */
export async function loadCollectors(): Promise<readonly Collector[]> {
  const entries = await readdir(FOLDER, { withFileTypes: true });
  const files = entries
    .filter(
      (entry) => entry.isFile() && /\.(js|ts)$/u.test(entry.name) && !entry.name.endsWith('.d.ts'),
    )
    .map((entry) => entry.name)
    .sort();
  return Promise.all(
    files.map(async (file) => {
      const { collector } = (await import(new URL(file, FOLDER).href)) as CollectorFile;
      if (collector === undefined || collector.name !== file.replace(/\.(js|ts)$/u, '')) {
        throw new Error(`collectors/${file} must export a collector of its own name`);
      }
      return collector;
    }),
  );
}
