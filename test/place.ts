/** What the tests of the probe share: a folder that stands for a machine, and looking at processes. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import type { ReadPort, ReadPorts, SpecialRead } from '../agent/ports/port.ts';
import { openProbe, type Probe } from '../agent/probe.ts';
import type { Entry, Read, Snapshot, Source } from '../collectors/lib/collector.ts';
import type { Roots } from '../rules/config.ts';

const noPort: ReadPort<SpecialRead> = {
  read: async () => ({ errno: 'ENOSYS' }),
  close: () => undefined,
};

/** Ports of a machine that has nothing but files. */
export const NO_PORTS: ReadPorts = {
  command: noPort,
  dm: noPort,
  multipathd: noPort,
  kmsg: noPort,
  reach: noPort,
};

export function sourceOf(...reads: readonly Read[]): Source {
  return {
    name: 'things',
    reads,
    wakes: [],
    everyMs: 1_000,
    staleMs: 3_000,
    parse: () => ({ kind: 'none', why: 'a test' }),
  };
}

export interface Place {
  readonly roots: Roots;
  readonly probe: Probe;
  readonly write: (path: string, text: string) => void;
  readonly at: (path: string) => string;
}

/** Empty roots in a folder of the test, and a probe over them that is closed after it. */
export function place(t: Test, ports: ReadPorts = NO_PORTS): Place {
  const folder = t.testdir({ sys: {}, proc: {}, dev: {}, run: {} });
  const at = (path: string): string => join(folder, path);
  const roots = { proc: at('proc'), sys: at('sys'), dev: at('dev'), run: at('run') };
  const probe = openProbe({ roots, ports, runDir: at('run') });
  t.teardown(() => probe.close());
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  return { roots, probe, write, at };
}

/** Something that can be opened for reading and then keeps its reader waiting for ever. */
export function mkfifo(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const { status } = spawnSync('/usr/bin/mkfifo', [path]);
  if (status !== 0) throw new Error(`mkfifo ${path}`);
}

/** Number of descriptors this process has open. */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

export function object(snapshot: Snapshot): Record<string, Entry> {
  return Object.fromEntries(snapshot);
}

/** Processes whose parent is the given one. */
export function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(parent);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Waits until something holds; false when it never does within the time. */
export async function until(what: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  for (let waited = 0; waited < ms; waited += 20) {
    if (await what()) return true;
    await pause(20);
  }
  return what();
}
