/**
 * A machine made of files: folders that nospof and node_exporter both take for /sys and /proc, with as
 * many sensors, links, arrays, supplies and zones as asked for. Every device has its folder below
 * `devices` and its links, so that identities are as stable as real ones. What it cannot show is the cost
 * of real attributes: here a read is a copy from the page cache, and no descriptor tells by itself that
 * its file is gone, so nospof asks by `stat` before each read, which it need not do on a real sysfs.
 */
import { closeSync, mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { arrays, chip, kernel, links, SENSORS_PER_CHIP, supplies, zones } from './tree-devices.ts';
import { type Value, Writer } from './tree-writer.ts';

export interface TreeSize {
  readonly sensors: number;
  readonly links: number;
  readonly arrays: number;
  readonly zones: number;
}

/** About 900 and about 11,000 series of node_exporter. */
export const SMALL: TreeSize = { sensors: 80, links: 16, arrays: 8, zones: 4 };
export const LARGE: TreeSize = { sensors: 1000, links: 256, arrays: 64, zones: 16 };

export interface Tree {
  readonly sys: string;
  readonly proc: string;
  readonly run: string;
  /** Files written. */
  readonly files: number;
  /** Values that `change` moves. */
  readonly values: number;
  /** Writes another number into one of ten values, in place; every call into the next tenth. */
  readonly change: () => void;
  /** The first value, in degrees: another one after each `change`. */
  readonly marker: () => number;
  readonly close: () => void;
}

function numberOf({ base, span }: Value, round: number): number {
  return base + ((round * 7) % span);
}

/** Writes the tree below `root`, a folder that is there and empty. */
export function makeTree(root: string, size: TreeSize): Tree {
  const writer = new Writer(root);
  for (const folder of ['run', 'proc']) mkdirSync(join(root, folder), { recursive: true });
  for (let made = 0, index = 0; made < size.sensors; made += SENSORS_PER_CHIP, index += 1) {
    chip(writer, index, size.sensors - made);
  }
  links(writer, size.links);
  arrays(writer, size.arrays);
  supplies(writer);
  zones(writer, size.zones);
  kernel(writer, size.links);
  const { values } = writer;
  let round = 0;
  return {
    sys: join(root, 'sys'),
    proc: join(root, 'proc'),
    run: join(root, 'run'),
    files: writer.files,
    values: values.length,
    change: () => {
      round += 1;
      for (const [index, value] of values.entries()) {
        if (index !== 0 && index % 10 !== round % 10) continue;
        writeSync(value.fd, `${numberOf(value, round)}`, 0);
      }
    },
    marker: () => {
      const first = values[0];
      return first === undefined ? Number.NaN : numberOf(first, round) / 1000;
    },
    close: () => {
      for (const { fd } of values.splice(0)) closeSync(fd);
    },
  };
}
