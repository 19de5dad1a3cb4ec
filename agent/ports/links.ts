/**
 * Reads symbolic links and tells where they lead in the terms of snapshots: `sys/devices/...`, whatever
 * folder stands for /sys. Resolving costs a walk; so the link itself is read each time, and resolved
 * again only when it changed or the listing was made anew.
 */
import { readlinkSync, realpathSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import type { Entry, Root } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import { errnoOf } from './errno.ts';
import { sameEntry } from './files.ts';

export interface KeptLink {
  readonly path: string;
  /** What the link itself held when it was resolved; undefined asks for resolving. */
  raw: string | undefined;
  entry: Entry | undefined;
}

export function keptLink(path: string): KeptLink {
  return { path, raw: undefined, entry: undefined };
}

const ROOTS: readonly Root[] = ['proc', 'sys', 'dev', 'run'];

/** Where roots really are: asked for each link anew it was half of resolving the links of many ports. */
const realRoots = new Map<string, string>();

function realRoot(path: string): string | undefined {
  const known = realRoots.get(path);
  if (known !== undefined) return known;
  try {
    const real = realpathSync.native(path);
    realRoots.set(path, real);
    return real;
  } catch {
    return undefined;
  }
}

/** `sys/devices/...` for an absolute path below one of the roots (its own first), else undefined. */
function belowRoot(path: string, own: Root, roots: Roots): string | undefined {
  for (const root of [own, ...ROOTS]) {
    const folder = realRoot(roots[root]);
    if (folder === undefined) continue;
    const rest = relative(folder, path);
    if (rest === '') return root;
    if (!isAbsolute(rest) && rest !== '..' && !rest.startsWith('../')) return `${root}/${rest}`;
  }
  return undefined;
}

function resolved(path: string, own: Root, roots: Roots): Entry {
  const target = realpathSync.native(path);
  const link = belowRoot(target, own, roots);
  return link === undefined ? { errno: 'EXDEV', why: `leads to ${target}` } : { link };
}

/** Brings `link.entry` up to date; true when it changed. A dangling link is `ENOENT`, a file `EINVAL`. */
export function readLink(link: KeptLink, own: Root, roots: Roots): boolean {
  const before = link.entry;
  let entry: Entry;
  try {
    const raw = readlinkSync(link.path);
    if (raw === link.raw && before !== undefined && 'link' in before) return false;
    entry = resolved(link.path, own, roots);
    link.raw = raw;
  } catch (error) {
    entry = { errno: errnoOf(error) };
  }
  if (sameEntry(before, entry)) return false;
  link.entry = entry;
  return true;
}
