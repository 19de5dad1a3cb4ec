/**
 * What the main thread and the wake thread say to each other. Wakes carry no facts: each names what
 * moved, so that the sources that asked for it are read afresh, and a lost one costs a poll period.
 */
import type { Root } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';

/**
 * Something moved in the kernel. `path` is a snapshot key (`proc/mdstat`, `sys/block/md0/md/degraded`).
 * `overflow`: events were lost, or there were too many to name, so every source may be out of date.
 */
export type KernelWake =
  | { readonly on: 'uevent'; readonly subsystem: string; readonly action: string }
  | { readonly on: 'netlink'; readonly about: 'link' | 'route' }
  | { readonly on: 'pollpri'; readonly path: string }
  | { readonly on: 'kmsg' }
  | { readonly on: 'overflow' };

/** A glob of files to poll for POLLPRI. */
export interface WatchGlob {
  readonly root: Root;
  readonly glob: string;
}

/** Descriptors the main thread opened and keeps: they outlive a wake thread, and so do their events. */
export interface KernelFds {
  /** An eventfd that becomes readable when the thread is to end. */
  readonly stop: number;
  readonly uevent: number | undefined;
  readonly route: number | undefined;
  readonly kmsg: number | undefined;
}

/** Handed to the wake thread when it starts. */
export interface WorkerStart {
  readonly roots: Roots;
  readonly globs: readonly WatchGlob[];
  /** Uevents of other subsystems do not wake the main thread. */
  readonly subsystems: readonly string[];
  readonly abouts: readonly ('link' | 'route')[];
  readonly fds: KernelFds;
  /** Int32Array of `CELLS`. */
  readonly shared: SharedArrayBuffer;
}

/** Cells of the shared array: the thread's beat, messages it sent, messages the main thread took. */
export const CELL = { beat: 0, sent: 1, taken: 2 } as const;
export const CELLS = 3;

export type WorkerMessage =
  /** Everything that can be armed is armed. */
  | { readonly kind: 'ready' }
  /** `atMs`: when poll returned with the first of them, CLOCK_MONOTONIC. */
  | { readonly kind: 'wakes'; readonly wakes: readonly KernelWake[]; readonly atMs: number }
  | { readonly kind: 'trouble'; readonly why: string };

/** The symbolic errno of an error thrown by `node:fs`, else its message. */
export function errorName(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
