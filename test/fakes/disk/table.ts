/** The nouns of the simulated disk: a nexus, a result, its table of registrations, and what it can. */

export interface Nexus {
  /** iSCSI name and ISID of the initiator port: `iqn.2026-01.test:a,i,0x000000000001`. */
  readonly initiator: string;
  readonly port: number;
}

export interface Result {
  readonly status: number;
  readonly sense: Uint8Array;
  readonly data: Uint8Array;
}

/** What a device can, and what it gets wrong. */
export interface Features {
  readonly preemptAbort: boolean;
  readonly fullStatus: boolean;
  readonly aptpl: boolean;
  readonly allPorts: boolean;
  readonly reservations: boolean;
  /** Like LIO without its state folder: an APTPL registration is made and answered with not ready. */
  readonly stateFolder: boolean;
  /** PREEMPT AND ABORT forgets to abort. */
  readonly abortForgets: boolean;
  readonly readOnly: boolean;
  readonly wwid: string;
  readonly ports: readonly number[];
}

export interface Registrant {
  key: string;
  readonly initiator: string;
  readonly port: number;
  readonly allPorts: boolean;
}

export interface Reservation {
  /** Name of the holding nexus; undefined: all registrants hold. */
  readonly holder: string | undefined;
  readonly type: number;
}

export interface Table {
  readonly registrants: Map<string, Registrant>;
  reservation: Reservation | undefined;
  generation: number;
}

/** What the parts of the simulated disk ask of the whole. */
export interface Device {
  readonly features: Features;
  readonly table: Table;
  aptpl: boolean;
  readonly attend: (name: string, asc: number, ascq: number) => void;
  readonly attendAll: (asc: number, ascq: number, but?: string) => void;
  readonly abort: (names: ReadonlySet<string>) => void;
}

export const NONE: Uint8Array = new Uint8Array(0);
export const GOOD = 0x00;
export const CHECK = 0x02;
export const CONFLICT = 0x18;
export const ABORTED = 0x40;

export function nexusName({ initiator, port }: Nexus): string {
  return `${initiator}@${port}`;
}

export function good(data: Uint8Array = NONE): Result {
  return { status: GOOD, sense: NONE, data };
}

export function check(key: number, asc: number, ascq: number): Result {
  const sense = new Uint8Array(18);
  sense.set([0x70, 0, key, 0, 0, 0, 0, 10]);
  sense.set([asc, ascq], 12);
  return { status: CHECK, sense, data: NONE };
}

export const conflict: Result = { status: CONFLICT, sense: NONE, data: NONE };
