/**
 * What a collector is: a declaration of what to read, and pure functions from what was read to
 * readings. It never reads by itself: the probe in `agent/` does, with deadlines and byte caps, so
 * hung, huge and vanishing files are handled once. Each source is read, woken, stale and blind on its
 * own; two sources of one collector never hide each other.
 */
import type { Observation } from '../../rules/model.ts';

/** Movable roots: `proc` is /proc, `sys` /sys, `dev` /dev, `run` /run, unless told otherwise. */
export type Root = 'proc' | 'sys' | 'dev' | 'run';

/**
 * One thing to read. In globs `*` stands for anything but `/`, `{a,b}` for alternatives, in any
 * segment; matches are read in sorted order. Keys in the snapshot:
 * - `file`: the file's text under `ROOT/PATH` (`sys/class/hwmon/hwmon0/name`). `mayHang` has it read in
 *   a child that can be abandoned (drivers that sleep on a bus or in firmware). `still` says that it does
 *   not change while the device is there (a label, an identity): it is read when its folders are listed,
 *   which a wake of the source causes and half a minute in any case, and again, with pauses, while it
 *   cannot be read.
 * - `link`: the target of a symbolic link, in full as an absolute path below its root
 *   (`sys/devices/pci0000:00/...`), under `ROOT/PATH`.
 * - `command`: standard output under `command:NAME`; argv[0] is a bare name looked up in the system's
 *   own directories. One call in flight, killed at the deadline, backed off while it fails. `unless`
 *   names commands tried before it: it runs only when those are not installed. `when` is a glob that
 *   must match something (`dev:ipmi0`), else the command is not run and its entry is errno `ENODEV`.
 * - `dm`: device-mapper status, one line per device as `dmsetup status` prints it but with the device's
 *   number before the name (`253:3 mpatha: 0 204800 multipath 2 0 ...`), each followed by its table as
 *   `table 253:3 mpatha: 0 204800 multipath 1 queue_if_no_path ...`, under `dm:TARGET`.
 * - `multipathd`: the daemon's answer, under `multipathd:REQUEST`.
 * - `kmsg`: the newest kernel records of facility 0 and level <= 4, as /dev/kmsg prints them, under `kmsg`.
 *   Where records were overwritten before they could be read, a first line `# lost N` says how many.
 * - `reach`: default routes and configured targets tried once each; JSON lines under `reach`.
 */
export type Read =
  | {
      readonly kind: 'file';
      readonly root: Root;
      readonly glob: string;
      readonly mayHang?: true;
      readonly still?: true;
    }
  | { readonly kind: 'link'; readonly root: Root; readonly glob: string; readonly still?: true }
  | {
      readonly kind: 'command';
      readonly name: string;
      readonly argv: readonly [string, ...string[]];
      readonly deadlineMs: number;
      readonly unless?: readonly string[];
      readonly when?: { readonly root: Root; readonly glob: string };
    }
  | { readonly kind: 'dm'; readonly target: string }
  | { readonly kind: 'multipathd'; readonly request: string }
  | { readonly kind: 'kmsg' }
  | { readonly kind: 'reach' };

/** What wakes a source before its period is over. A wake carries no fact: the source is read afresh. */
export type Wake =
  | { readonly on: 'uevent'; readonly subsystem: string }
  | { readonly on: 'netlink'; readonly about: 'link' | 'route' }
  | { readonly on: 'pollpri'; readonly root: Root; readonly glob: string }
  | { readonly on: 'kmsg' };

/**
 * One thing that was read: its text (a command's also with exit status and, where that is not 0, the
 * first line of its complaint), a link's target, or the
 * symbolic errno with which it could not be (`ENOENT`, `EIO`, `ETIMEDOUT`, `E2BIG`, `ENODEV`, ...).
 */
export type Entry =
  | { readonly text: string; readonly status?: number; readonly why?: string }
  | { readonly link: string }
  | { readonly errno: string; readonly why?: string };

/** Everything one source read, by key, in the order of its reads. */
export interface Snapshot extends ReadonlyMap<string, Entry> {
  /** Stands for this snapshot in the one after it. */
  readonly mark?: object;
  /** The keys whose entries differ from those of the snapshot with that mark; all else is the same. */
  readonly changes?: { readonly since: object; readonly keys: readonly string[] } | undefined;
}

/** A snapshot and what was made of it. */
export interface Parsed {
  readonly snapshot: Snapshot;
  readonly observation: Observation;
}

/**
 * One source of a collector. `parse` never throws and never guesses: what it cannot read is unknown. It may
 * take over from `before` what no change touches; the observation is the same as without.
 */
export interface Source {
  readonly name: string;
  readonly reads: readonly Read[];
  readonly wakes: readonly Wake[];
  readonly everyMs: number;
  /** Age at which its readings decay to unknown; at least three periods. */
  readonly staleMs: number;
  /** A second opinion: it may darken the health that another source reports, never decide it alone. */
  readonly opinion?: true;
  readonly parse: (snapshot: Snapshot, before?: Parsed) => Observation;
}

/** The one export of a file in `collectors/`, under the name `collector`. */
export interface Collector {
  readonly name: string;
  /** One line for `nospof --help` and the status page. */
  readonly sees: string;
  readonly sources: readonly Source[];
}
