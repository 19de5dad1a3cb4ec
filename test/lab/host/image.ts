/**
 * A disk image of what the machines run most: Node, the build and the packages it needs. Read through
 * 9p, file by file, these took as long to load as to run. It is mounted over the same paths, named by
 * what is in it; the last few are kept. A program may be changed in the image alone, to see whether a
 * scenario notices.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { extname, join } from 'node:path';
import { type Cache, DIST, ROOT } from './files.ts';
import { run } from './prepare.ts';
import type { RunFolder } from './run-folder.ts';

const KEPT = 2;
const JUST_USED_MS = 600_000;
const LOCK = join(ROOT, 'package-lock.json');
/** What no program reads at run time. */
const LEFT_OUT = new Set(['.map', '.md', '.h', '.c', '.cc', '.cpp']);
/** Room for the tables of the file system, beyond a twentieth of the files. */
const SPARE_MB = 16;

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

function nameOf(): string {
  const hash = createHash('sha256').update(readFileSync(LOCK)).update(process.execPath);
  hash.update(String(statSync(process.execPath).mtimeMs));
  for (const name of filesBelow(DIST)) {
    const { mtimeMs, size } = statSync(join(DIST, name));
    hash.update(`${name} ${mtimeMs} ${size}\n`);
  }
  return `programs-${hash.digest('hex').slice(0, 16)}.ext4`;
}

/** Folders of the packages that are installed and not only for development. */
function packages(): readonly string[] {
  const lock = JSON.parse(readFileSync(LOCK, 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(ROOT, path)))
    .map(([path]) => path)
    .sort();
}

function stage(folder: string): void {
  const filter = (path: string): boolean =>
    !LEFT_OUT.has(extname(path)) && !path.endsWith('.d.ts') && !path.endsWith('.d.cts');
  for (const path of ['dist', ...packages()]) {
    cpSync(join(ROOT, path), join(folder, path), { recursive: true, dereference: true, filter });
  }
  copyFileSync(process.execPath, join(folder, 'node'));
}

function sizeMb(folder: string): number {
  let bytes = 0;
  let files = 0;
  for (const name of filesBelow(folder)) {
    bytes += Math.ceil(statSync(join(folder, name)).size / 4096) * 4096;
    files += 1;
  }
  return Math.ceil((bytes * 1.05 + files * 256) / (1 << 20)) + SPARE_MB;
}

/** Another lab may be about to open the image that it just made. */
function removeOld(cache: Cache): void {
  const images = readdirSync(cache.folder)
    .filter((name) => name.startsWith('programs-'))
    .map((name) => join(cache.folder, name))
    .map((path) => ({ path, usedAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((one, two) => two.usedAt - one.usedAt);
  for (const { path, usedAt } of images.slice(KEPT)) {
    if (Date.now() - usedAt > JUST_USED_MS) rmSync(path, { force: true });
  }
}

/** One text of the build, and what stands there instead. */
export interface Change {
  /** File below `dist`. */
  readonly in: string;
  readonly from: string;
  readonly to: string;
}

function change(folder: string, { in: name, from, to }: Change): void {
  const path = join(folder, 'dist', name);
  const text = readFileSync(path, 'utf8');
  const times = text.split(from).length - 1;
  if (times !== 1) throw new Error(`${name} has ${times} times: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
}

function pack(folder: string, image: string): void {
  const how = ['-q', '-t', 'ext4', '-O', '^has_journal', '-E', 'root_owner=0:0', '-m', '0'];
  run(['mke2fs', ...how, '-d', folder, image, `${sizeMb(folder)}m`]);
}

/** All that is half made is in the run folder, which is cleared when this run was killed. */
function make(run: RunFolder, image: string, changed: Change | undefined): string {
  const folder = run.file('programs');
  rmSync(folder, { recursive: true, force: true });
  rmSync(image, { force: true });
  stage(folder);
  if (changed !== undefined) change(folder, changed);
  pack(folder, image);
  rmSync(folder, { recursive: true, force: true });
  return image;
}

export function makeImage(cache: Cache, run: RunFolder): string {
  removeOld(cache);
  const made = join(cache.folder, nameOf());
  if (existsSync(made)) {
    const now = new Date();
    utimesSync(made, now, now);
  } else renameSync(make(run, run.file('programs.ext4'), undefined), made);
  return made;
}

/** An image for this run only. */
export function makeBrokenImage(run: RunFolder, changed: Change): string {
  return make(run, run.file('broken.ext4'), changed);
}
