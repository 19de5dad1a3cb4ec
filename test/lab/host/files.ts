/** Where things of the lab are: the checkout it runs from and the one folder it writes to. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function checkoutRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** The checkout; the machines see it under the same path. */
export const ROOT: string = checkoutRoot();
/** Files of the lab that are not compiled: guest scripts, topologies, scenarios. */
export const DATA: string = join(ROOT, 'test/lab');
export const DIST: string = join(ROOT, 'dist');

export interface Cache {
  readonly folder: string;
  /** Downloaded packages. */
  readonly download: string;
  /** The unpacked kernel package; `modules` of it is at KERNEL/lib/modules. */
  readonly kernel: string;
  /** One folder for each lab that runs. */
  readonly runs: string;
}

export const DEFAULT_CACHE: string = join(homedir(), '.cache/nospof-lab');

export function cacheAt(folder: string): Cache {
  return {
    folder,
    download: join(folder, 'download'),
    kernel: join(folder, 'kernel'),
    runs: join(folder, 'run'),
  };
}
