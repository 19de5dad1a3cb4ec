/** Snapshots of hwmon trees and of BMC commands, written short for the tests of their collectors. */
import type { Entry, Snapshot, Source } from '../../collectors/lib/collector.ts';
import type { Observation, Reading } from '../../rules/model.ts';

export interface ChipTree {
  readonly node: number;
  readonly device: string;
  readonly name: string;
  /** Attribute to its text; `!EIO` stands for an errno. */
  readonly files: Readonly<Record<string, string | number>>;
}

function entry(value: string | number): Entry {
  const text = String(value);
  return text.startsWith('!') ? { errno: text.slice(1) } : { text: `${text}\n` };
}

export function tree(...chips: readonly ChipTree[]): Snapshot {
  const snapshot = new Map<string, Entry>();
  for (const { node, device, name, files } of chips) {
    const base = `sys/class/hwmon/hwmon${node}`;
    snapshot.set(base, { link: `${device}/hwmon/hwmon${node}` });
    snapshot.set(`${base}/device`, { link: device });
    for (const [key, value] of Object.entries({ name, ...files })) {
      snapshot.set(`${base}/${key}`, entry(value));
    }
  }
  return snapshot;
}

export function command(name: string, text: string, status = 0): [string, Entry] {
  return [`command:${name}`, { text, status }];
}

export function sourceOf(sources: readonly Source[], name: string): Source {
  const source = sources.find((one) => one.name === name);
  if (source === undefined) throw new Error(`no source ${name}`);
  return source;
}

export function readingsOf(observation: Observation): readonly Reading[] {
  return observation.kind === 'seen' ? observation.readings : [];
}

export function healths(observation: Observation): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readingsOf(observation).map((reading) => [reading.component, reading.health]),
  );
}
