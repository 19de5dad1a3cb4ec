/**
 * A family of switches as data: what its profile file says, in the very shape it is written in
 * (`schema/switch-profile.schema.json`). This file gives the shapes and reads the answers' closed
 * world; what may not be in a profile is refused by `profile-checks.ts` before any of this is used.
 */

import type { LineFake } from './profile-fake.ts';

/**
 * What a value that a device shows means. Only `off` and `on` are states; the others are named so that
 * people can read them. A value that is in no list is unknown.
 */
export interface Values {
  readonly off?: readonly (number | string)[];
  readonly on?: readonly (number | string)[];
  /** On its way, or about to change by itself: wait, whatever the relay is now. */
  readonly moving?: readonly (number | string)[];
  /** The device says that it does not know. */
  readonly unknown?: readonly (number | string)[];
  /** The device says that it is broken: relay welded, fuse blown. */
  readonly error?: readonly (number | string)[];
}

export const VALUE_WORDS = ['off', 'on', 'moving', 'unknown', 'error'] as const;
export type ValueWord = (typeof VALUE_WORDS)[number];

/** The word for a shown value; undefined when no list has it. */
export function valueWord(values: Values, shown: string): ValueWord | undefined {
  return VALUE_WORDS.find(
    (word) => values[word]?.some((value) => String(value) === shown) === true,
  );
}

export interface Timing {
  /** From an order to the first look that may prove anything. */
  readonly settleMs: number;
  /** Between looks, at first; it grows to `pollMostMs`. */
  readonly pollMs: number;
  readonly pollMostMs: number;
  /** The longest one question may take. */
  readonly answerMs: number;
  /** The longest an order may take from the first question to the proof. */
  readonly deadlineMs: number;
}

export interface IndexPart {
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

export interface Index {
  /** One to three numbers, in the order they stand in the object identifier. */
  readonly parts: readonly IndexPart[];
  /** `{shifted}`: the last number plus what is given for the highest `from` not above it. */
  readonly shifts?: readonly { readonly from: number; readonly add: number }[];
  /** The instance found by the name is used as it is, whatever its shape (a column by name only). */
  readonly byNameOnly?: true;
}

/** One position of a list that holds all outlets in one text. */
export interface ListEdit {
  readonly separator: string;
  /** Position of outlet 1. */
  readonly first: 0 | 1;
}

export interface StateColumn {
  readonly oid: string;
  readonly values: Values;
  readonly list?: ListEdit;
}

export const CHECK_WORDS = ['pending', 'health', 'relay', 'lock', 'switchable'] as const;

/** A further column that must show a good value. */
export interface CheckColumn {
  /**
   * `pending`, `health` and `relay` (a relay that did not follow) are part of every proof. `lock` and
   * `switchable` are looked at before an order: a device that would ignore it is not asked.
   */
  readonly as: (typeof CHECK_WORDS)[number];
  readonly oid: string;
  readonly good: readonly (number | string)[];
  /** Older firmware lacks the column: no such object counts as good. */
  readonly optional?: true;
}

export interface Write {
  readonly oid: string;
  readonly type?: 'integer' | 'unsigned' | 'text';
  /** Value; `secret:NAME` takes a secret of the device's configuration. */
  readonly value: number | string;
  readonly list?: ListEdit;
  /** It does not name the outlet (a commit, an unlock of the whole unit) and switches nothing alone. */
  readonly shared?: true;
}

export interface SnmpTable {
  readonly names?: string;
  readonly state: StateColumn;
  /** Measured apart from the state (a sensed relay); must agree with it. */
  readonly feedback?: StateColumn;
  readonly checks?: readonly CheckColumn[];
  readonly off: readonly Write[];
  readonly on: readonly Write[];
  /** Ends commands that wait in the device. */
  readonly cancel?: readonly Write[];
}

/** What a firmware's own words select. The first line that fits decides; no line fits: refused. */
export interface Firmware {
  readonly oid: string;
  readonly known: readonly {
    /** A pattern (`fencing/pattern.ts`) that must stand in the text. */
    readonly sees: string;
    /** `base`, or a name under `variants`. */
    readonly use?: string;
    readonly refuse?: string;
  }[];
}

export interface SnmpProfile {
  readonly kind: 'snmp';
  readonly versions: readonly ('1' | '2c' | '3')[];
  /** Prefixes of sysObjectID; the longest of all profiles decides. None: by configuration only. */
  readonly match: readonly string[];
  readonly index: Index;
  /** `{product}` in templates: the number after this prefix in sysObjectID. */
  readonly product?: string;
  readonly table: SnmpTable;
  readonly firmware?: Firmware;
  readonly variants?: Readonly<Record<string, Partial<SnmpTable>>>;
  /** Objects that switch every outlet. No template may lead to one of them. */
  readonly never?: readonly string[];
  /** State is read where the order was written, and nothing else tells more: look twice, later. */
  readonly sameColumn?: true;
}

export type Step =
  /** Text and the profile's line end. */
  | { readonly send: string }
  /** Text as it is. */
  | { readonly bytes: string }
  | {
      /** Waits until one of these stands in a line. */
      readonly until: readonly string[];
      /** What is answered on the way: prompts, pagers, confirmations. */
      readonly answer?: readonly {
        readonly see: string;
        readonly send?: string;
        readonly bytes?: string;
        /** How often at most; default 1. */
        readonly most?: number;
      }[];
      readonly withinMs?: number;
    }
  | { readonly waitMs: number }
  | { readonly lines: { readonly dtr?: boolean; readonly rts?: boolean } };

export interface ErrorLine {
  readonly see: string;
  readonly why: string;
  /** `refused`: trying again would be harmful or useless. `busy`: try again until the deadline. */
  readonly means: 'refused' | 'busy';
}

export interface StatusQuery {
  readonly steps: readonly Step[];
  /** Patterns of the lines that tell a state; this, or columns. */
  readonly rows?: readonly string[];
  /** A table with a line of headings: which cell tells what is read from there. */
  readonly columns?: {
    readonly separator: string;
    readonly outlet: string;
    readonly name?: string;
    readonly state: string;
  };
  readonly values: Values;
  /** Words `{lock}` may show; others make the row unknown. */
  readonly lock?: { readonly free: readonly string[]; readonly locked: readonly string[] };
  /** The number behind `{state}` is hexadecimal and only these bits of it count. */
  readonly bits?: number;
  /** The steps name the outlet and the answer does not: one query for each outlet. */
  readonly perOutlet?: true;
}

export interface SerialLine {
  readonly baud: number;
  readonly dataBits: 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
  readonly flow: 'none' | 'hardware' | 'software';
  /** Sent after opening: a serial device does not see that somebody has come. */
  readonly wake?: string;
}

export interface LineProfile {
  readonly kind: 'line';
  readonly over: readonly ('serial' | 'telnet' | 'tcp')[];
  readonly serial?: SerialLine;
  readonly port?: number;
  /** Pause between two characters that are sent. */
  readonly paceMs?: number;
  /** Ends what `send` sends. */
  readonly end: string;
  /** The device sends our lines back; what comes before that is older than our question. */
  readonly echo?: true;
  /** Characters that may come at any time and mean nothing here. */
  readonly strip?: string;
  readonly outlets: {
    readonly first?: number;
    readonly last?: number;
    /** Outlet 0 is one outlet here, and not all of them. */
    readonly zeroIsOne?: true;
    /** Outlets have labels: this many letters and then digits. */
    readonly letters?: number;
  };
  readonly open?: readonly Step[];
  readonly login?: readonly Step[];
  readonly logout?: readonly Step[];
  readonly status?: StatusQuery;
  readonly off: readonly Step[];
  readonly on: readonly Step[];
  readonly errors?: readonly ErrorLine[];
  /** The device's side, for rehearsals and tests. */
  readonly fake?: LineFake;
}

/** What one run of a program gets beside what every run gets; words in braces are put in. */
export interface ProgramCall {
  readonly argv?: readonly string[];
  /** Lines for its standard input. Only there may a password stand. */
  readonly input?: readonly string[];
}

/** A device that is asked by a program of the system, one run a question. */
export interface ProgramProfile {
  readonly kind: 'program';
  /** Its bare name in the system's folders; `{agent}`: the switch's configuration names it. */
  readonly program: string;
  readonly every?: ProgramCall;
  readonly read: ProgramCall;
  readonly off: ProgramCall;
  readonly on: ProgramCall;
  /** Words for the braces that a configuration may change by `options`. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** `options` and `secrets` of the switch are handed to the program as lines `name=value`. */
  readonly passesOptions?: true;
  /** It has this one outlet and no other. */
  readonly onlyOutlet?: string;
  /** What tells the state: a whole line of its output (with status 0), or its exit status. */
  readonly told: 'line' | 'status';
  readonly values: Values;
  /** Lines of the output that must agree with the exit status: a program may end so for other reasons. */
  readonly confirms?: Values;
}

export interface Profile {
  readonly name: string;
  readonly title: string;
  readonly device: SnmpProfile | LineProfile | ProgramProfile;
  readonly timing: Timing;
  readonly confidence: 'high' | 'medium' | 'low';
  readonly evidence: readonly string[];
  readonly notes: readonly string[];
  /** Ids that are refused: they address every outlet, or none that may be cut. */
  readonly forbid: readonly string[];
  /** `none`: nothing the device says proves that an outlet is off. It never fences alone. */
  readonly proof: 'read' | 'none';
}

/** A profile file as it stands, after the schema found no fault in it. */
export type RawProfile = {
  readonly title: string;
  readonly confidence: Profile['confidence'];
  readonly evidence: readonly string[];
  readonly notes?: readonly string[];
  readonly forbid?: readonly (number | string)[];
  readonly proof?: 'none';
  readonly timing?: Partial<Timing>;
  readonly snmp?: Omit<SnmpProfile, 'kind'>;
  readonly line?: Omit<LineProfile, 'kind'>;
  readonly program?: Omit<ProgramProfile, 'kind'>;
};

const SNMP_TIMING: Timing = {
  settleMs: 0,
  pollMs: 40,
  pollMostMs: 1000,
  answerMs: 1000,
  deadlineMs: 30_000,
};
const LINE_TIMING: Timing = {
  settleMs: 200,
  pollMs: 500,
  pollMostMs: 2000,
  answerMs: 10_000,
  deadlineMs: 60_000,
};

const PROGRAM_TIMING: Timing = {
  settleMs: 200,
  pollMs: 300,
  pollMostMs: 2000,
  answerMs: 10_000,
  deadlineMs: 60_000,
};
const TIMINGS: Readonly<Record<Profile['device']['kind'], Timing>> = {
  snmp: SNMP_TIMING,
  line: LINE_TIMING,
  program: PROGRAM_TIMING,
};

/** The profile of a raw one in which nothing was found wrong. */
export function profileOf(name: string, raw: RawProfile): Profile | undefined {
  let device: Profile['device'];
  if (raw.snmp !== undefined) device = { kind: 'snmp', ...raw.snmp };
  else if (raw.line !== undefined) device = { kind: 'line', ...raw.line };
  else if (raw.program !== undefined) device = { kind: 'program', ...raw.program };
  else return undefined;
  return {
    name,
    title: raw.title,
    device,
    timing: { ...TIMINGS[device.kind], ...raw.timing },
    confidence: raw.confidence,
    evidence: raw.evidence,
    notes: raw.notes ?? [],
    forbid: (raw.forbid ?? []).map(String),
    proof: raw.proof ?? 'read',
  };
}
