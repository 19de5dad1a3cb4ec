/**
 * The shape of a port that reads something other than files: one small file per outside thing, handed
 * to the probe by the kind of read it serves. A port always answers, within its own deadline, with
 * text or with an errno; it never throws and never blocks the loop.
 */
import type { Entry, Read } from '../../collectors/lib/collector.ts';

/** Reads that are no plain files. */
export type SpecialRead = Extract<
  Read,
  { kind: 'command' | 'dm' | 'multipathd' | 'kmsg' | 'reach' }
>;

export interface ReadPort<R extends SpecialRead> {
  readonly read: (read: R) => Promise<Entry>;
  /** Ends what is in flight; safe to call twice. */
  readonly close: () => void;
}

/** One port for each kind of special read. */
export type ReadPorts = {
  readonly [K in SpecialRead['kind']]: ReadPort<Extract<SpecialRead, { kind: K }>>;
};
