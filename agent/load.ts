/**
 * Finds data units by their folder, as `units.ts` finds collectors: each `NAME.yaml` is one. Hands out
 * names and texts; what they mean is for the pure folder that owns them.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readText } from './config/text.ts';

export interface DataUnit {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly writableByAll: boolean;
}

export interface BadUnit {
  readonly file: string;
  readonly message: string;
  readonly mend: string;
}

export interface DataUnits {
  readonly units: readonly DataUnit[];
  readonly bad: readonly BadUnit[];
}

/** Data shipped beside `dist/`. */
export function shippedFolder(path: string): string {
  return fileURLToPath(new URL(`../../${path}/`, import.meta.url));
}

const UNITS_MAX = 1000;
const NAME = /^([a-z0-9][a-z0-9-]{0,62})\.yaml$/u;

/** All `NAME.yaml` of a folder in order of their names. A folder that is not there holds none. */
export async function loadUnits(folder: string): Promise<DataUnits> {
  let files: readonly string[];
  try {
    files = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { units: [], bad: [] };
    const bad = { file: folder, message: `cannot be listed: ${code}`, mend: 'check its rights' };
    return { units: [], bad: [bad] };
  }
  const units: DataUnit[] = [];
  const bad: BadUnit[] = [];
  for (const one of files.slice(0, UNITS_MAX)) {
    const file = join(folder, one);
    const name = NAME.exec(one)?.[1];
    if (name === undefined) {
      bad.push({ file, message: 'is no good name', mend: 'small letters, digits and -' });
      continue;
    }
    const text = await readText(file);
    if (text.kind === 'text') {
      const { writableByAll } = text;
      units.push({ name, file, text: text.text, writableByAll });
    } else if (text.kind === 'problem') bad.push({ file, message: text.message, mend: text.mend });
    else bad.push({ file, message: 'leads nowhere', mend: 'mend the link' });
  }
  return { units, bad };
}
