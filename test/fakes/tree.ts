/**
 * Makes a folder that looks like /sys and /proc from captures, for the whole agent to be run against.
 * What a capture could not read (an errno) is left out: a folder cannot give EIO.
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeCapture } from '../../collectors/lib/capture.ts';
import type { Snapshot } from '../../collectors/lib/collector.ts';

const FIXTURES = new URL('../../../test/fixtures/', import.meta.url);

/** A fixture by `COLLECTOR/SOURCE.CASE`, with parts of its keys and link targets replaced. */
export function fixture(name: string, replaced: Readonly<Record<string, string>> = {}): Snapshot {
  const snapshot = decodeCapture(readFileSync(new URL(`${name}.snap`, FIXTURES), 'utf8'));
  const change = (text: string): string =>
    Object.entries(replaced).reduce((all, [from, to]) => all.replaceAll(from, to), text);
  return new Map(
    [...snapshot].map(([key, entry]) => [
      change(key),
      'link' in entry ? { link: change(entry.link) } : entry,
    ]),
  );
}

function isFile(key: string): boolean {
  return key.startsWith('sys/') || key.startsWith('proc/') || key.startsWith('dev/');
}

/** Writes the snapshots below a folder: links first, so that files written through them land behind them. */
export function writeTree(root: string, snapshots: readonly Snapshot[]): void {
  const all = snapshots.flatMap((snapshot) => [...snapshot]).filter(([key]) => isFile(key));
  const links = all.filter(([, entry]) => 'link' in entry);
  links.sort(([a], [b]) => a.split('/').length - b.split('/').length);
  for (const top of ['sys', 'proc', 'dev', 'run']) mkdirSync(join(root, top), { recursive: true });
  for (const [key, entry] of links) {
    if (!('link' in entry)) continue;
    const path = join(root, key);
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(join(root, entry.link), { recursive: true });
    // Absolute: a relative one would be taken from behind the links it is reached through.
    if (!existsSync(path)) symlinkSync(join(root, entry.link), path);
  }
  for (const [key, entry] of all) {
    if (!('text' in entry)) continue;
    const path = join(root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, entry.text);
  }
}

/**
 * A well-equipped server: four fans of a board, two supplies, two mirrors (one has lost a leg), links with
 * bonds, temperatures, mains and a battery. Everything a newcomer should see on the first screen.
 */
export function writeRichTree(root: string): void {
  writeTree(root, [
    fixture('fans/hwmon.adt7475', { hwmon3: 'hwmon9' }),
    fixture('psus/hwmon.two-supplies'),
    fixture('mdraid/md.raid1-healthy'),
    fixture('nics/sysfs.bonds'),
    fixture('acpi/supply.two'),
    fixture('acpi/thermal.ok'),
    fixture('kernel/health.ok'),
    fixture('kernel/memory.ok'),
    fixture('kernel/watchdog.armed'),
    fixture('kernel/pressure.ok'),
  ]);
}
