/**
 * What the BMC says of a sort of sensors, from FreeIPMI's `ipmi-sensors` or, where that is not
 * installed, from `ipmitool`: one command in flight, its rows in one form, and the words the two tools
 * use for the same IPMI states. What the rows mean for a fan or a supply is decided elsewhere.
 *
 * A list that is not complete is not used at all: a missing row would read as a component that is gone.
 * So a command that failed or was late makes the source blind. Formats as printed by freeipmi 1.6.10
 * and ipmitool 1.8.19 against openipmi's simulator.
 */
import type { Observation } from '../../rules/model.ts';
import type { Entry, Read, Snapshot } from './collector.ts';
import { errnoWords, plain } from './words.ts';

/** One sensor as either tool printed it. */
export interface BmcRow {
  readonly name: string;
  /** Entity instance, where the tool printed one. */
  readonly instance: string | undefined;
  readonly value: number | undefined;
  /** Lower case and short: `rpm`, `w`, `v`, `a`, `c`, `%`; empty without a value. */
  readonly unit: string;
  /** The asserted states in the tool's words, lower case; empty when none is asserted. */
  readonly states: string;
  /** The BMC answered for this sensor. */
  readonly readable: boolean;
}

const FREEIPMI_DEADLINE_MS = 20_000;
/** ipmitool reads all sensor records anew on each call; two calls must fit into the stale time. */
const IPMITOOL_DEADLINE_MS = 12_000;
const DEVICE = { root: 'dev', glob: 'ipmi0' } as const;
/** Platform devices the kernel makes for a BMC, whether or not a driver offers it to programs. */
const INTERFACES = ['bus/platform/devices/*ipmi*', 'bus/platform/devices/IPI0001*'];
const LINE_LENGTH_MAX = 1_000;

/** What one source asks the BMC for, in the words of both tools; ipmitool takes one type in a call. */
export interface BmcQuestion {
  /** Ends the names of its commands: one call of a name is in flight, so no two questions share one. */
  readonly about: string;
  readonly freeipmiTypes: readonly string[];
  readonly ipmitoolTypes: readonly string[];
  /** Has FreeIPMI print the entity before each name (both supplies of a Dell are called `Status`). */
  readonly entities: boolean;
}

/**
 * The reads that answer a question. FreeIPMI keeps the sensor records in a cache and makes it anew when
 * the BMC changed them; the first call is the slow one.
 */
export function bmcReads(question: BmcQuestion): readonly Read[] {
  return [
    ...INTERFACES.map((glob): Read => ({ kind: 'link', root: 'sys', glob })),
    {
      kind: 'command',
      name: `ipmi-sensors-${question.about}`,
      argv: [
        'ipmi-sensors',
        `--sensor-types=${question.freeipmiTypes.join(',')}`,
        '--comma-separated-output',
        '--output-sensor-state',
        ...(question.entities ? ['--entity-sensor-names'] : []),
        '--quiet-cache',
        '--sdr-cache-recreate',
      ],
      deadlineMs: FREEIPMI_DEADLINE_MS,
      when: DEVICE,
    },
    ...question.ipmitoolTypes.map(
      (type, index): Read => ({
        kind: 'command',
        name: ipmitoolName(question, index),
        argv: ['ipmitool', 'sdr', 'type', type],
        deadlineMs: IPMITOOL_DEADLINE_MS,
        unless: ['ipmi-sensors'],
        when: DEVICE,
      }),
    ),
  ];
}

function ipmitoolName({ about }: BmcQuestion, index: number): string {
  return index === 0 ? `ipmitool-${about}` : `ipmitool-${about}-${index + 1}`;
}

/** The rows of a snapshot of `bmcReads`, or the observation that stands in for them. */
export function bmcRows(
  snapshot: Snapshot,
  question: BmcQuestion,
): readonly BmcRow[] | Exclude<Observation, { kind: 'seen' }> {
  const freeipmi = `ipmi-sensors-${question.about}`;
  const missing = isErrno(snapshot.get(`command:${freeipmi}`), 'ENOENT');
  if (!missing) {
    return toolRows(snapshot, freeipmi, FREEIPMI_DEADLINE_MS, (line) =>
      freeipmiRow(line, question.entities),
    );
  }
  const rows: BmcRow[] = [];
  for (const index of question.ipmitoolTypes.keys()) {
    const name = ipmitoolName(question, index);
    if (isErrno(snapshot.get(`command:${name}`), 'ENOENT')) {
      return {
        kind: 'blind',
        why: 'there is a BMC, but no tool to read it: install freeipmi-tools or ipmitool',
      };
    }
    const part = toolRows(snapshot, name, IPMITOOL_DEADLINE_MS, ipmitoolRow);
    if ('kind' in part) return part;
    rows.push(...part);
  }
  return rows;
}

function isErrno(entry: Entry | undefined, errno: string): boolean {
  return entry !== undefined && 'errno' in entry && entry.errno === errno;
}

/** No /dev/ipmi0: no BMC, unless the kernel found one and only lacks the driver for programs. */
function noDevice(snapshot: Snapshot): Exclude<Observation, { kind: 'seen' }> {
  const found = [...snapshot.entries()].some(
    ([key, entry]) => key.startsWith('sys/bus/platform/devices/') && 'link' in entry,
  );
  return found
    ? {
        kind: 'blind',
        why: 'the kernel found a BMC, but there is no /dev/ipmi0: load the modules ipmi_si and ipmi_devintf',
      }
    : { kind: 'none', why: 'no BMC interface' };
}

function toolRows(
  snapshot: Snapshot,
  name: string,
  deadlineMs: number,
  row: (line: string) => BmcRow | undefined,
): readonly BmcRow[] | Exclude<Observation, { kind: 'seen' }> {
  const entry = snapshot.get(`command:${name}`);
  const tool = name.startsWith('ipmitool') ? 'ipmitool' : 'ipmi-sensors';
  if (entry === undefined) return { kind: 'blind', why: `${tool} was not run` };
  if ('link' in entry) return { kind: 'blind', why: `${tool} gave no text` };
  if ('errno' in entry) {
    if (entry.errno === 'ENODEV') return noDevice(snapshot);
    if (entry.errno === 'ETIMEDOUT') {
      const more = entry.why === undefined ? '' : ` (${plain(entry.why)})`;
      const why = `the BMC did not answer ${tool} in ${deadlineMs / 1000} s${more}`;
      return { kind: 'blind', why };
    }
    const detail = plain(entry.why) ?? errnoWords(entry.errno);
    return { kind: 'blind', why: `${tool} did not run (${detail})` };
  }
  if (entry.status !== 0) {
    const ended = entry.status === undefined ? 'did not end' : `ended with status ${entry.status}`;
    const said = plain(entry.why) ?? 'run it by hand as root to see why';
    return { kind: 'blind', why: `${tool} ${ended}: ${said}` };
  }
  const lines = entry.text.split('\n').filter((line) => line.trim() !== '');
  const rows = lines.flatMap((line) => row(line.slice(0, LINE_LENGTH_MAX)) ?? []);
  if (rows.length === 0 && lines.some((line) => !line.startsWith('ID,'))) {
    return { kind: 'blind', why: `${tool} printed something else than sensors` };
  }
  return rows;
}

/** Names may hold commas and quotes and are not escaped, so both ends are anchored. */
const FREEIPMI_ROW =
  /^\d+,(.+),([A-Z][\w /-]*),(Nominal|Warning|Critical|N\/A),([^,]*),([^,]*),('.*'|N\/A|Unknown)\s*$/u;
/** The entity FreeIPMI puts before a name; its number is left out where there is one only. */
const ENTITY =
  /^(?:Power Supply|Power Unit|Power Management|Power Module|Power System Board|System Board|System Chassis|Main System Board|Cooling Unit|Cooling Device|Fan)(?: (\d+))? (?=\S)/u;

function freeipmiRow(line: string, entities: boolean): BmcRow | undefined {
  const [, prefixed = '', , , reading = '', unit = '', events = ''] = FREEIPMI_ROW.exec(line) ?? [];
  if (events === '') return undefined;
  const entity = entities ? ENTITY.exec(prefixed) : null;
  const name = plain(prefixed.slice(entity?.[0].length ?? 0));
  if (name === undefined) return undefined;
  const value = number(reading);
  const states = events.toLowerCase();
  return {
    name,
    instance: entity?.[1],
    value,
    unit: value === undefined ? '' : shortUnit(unit),
    states: states === "'ok'" || states === 'n/a' || states === 'unknown' ? '' : states,
    readable: value !== undefined || events.startsWith("'"),
  };
}

const IPMITOOL_ROW = /^(.+?) *\| [0-9A-F]{2}h \| (\w+) *\| *\d+\.(\d+) *\| ?(.*)$/u;
const IPMITOOL_VALUE = /(?:^|, )(-?\d+(?:\.\d+)?) (RPM|percent|Watts|Volts|Amps|degrees C)/u;
/** States of threshold sensors, which ipmitool prints as a code instead of words. */
const THRESHOLDS: Readonly<Record<string, string>> = {
  nc: 'non-critical threshold',
  cr: 'critical threshold',
  nr: 'non-recoverable threshold',
  lnc: 'lower non-critical threshold',
  lcr: 'lower critical threshold',
  lnr: 'lower non-recoverable threshold',
  unc: 'upper non-critical threshold',
  ucr: 'upper critical threshold',
  unr: 'upper non-recoverable threshold',
};

function ipmitoolRow(line: string): BmcRow | undefined {
  const [, padded, status = '', instance, text = ''] = IPMITOOL_ROW.exec(line) ?? [];
  const name = plain(padded);
  if (name === undefined) return undefined;
  const [, digits = '', unit = ''] = IPMITOOL_VALUE.exec(text) ?? [];
  const value = number(digits);
  const silent =
    status === 'ns' || status === 'na' || /no reading|disabled|not readable/iu.test(text);
  return {
    name,
    instance,
    value,
    unit: value === undefined ? '' : shortUnit(unit),
    states: silent ? '' : (THRESHOLDS[status] ?? text.replace(IPMITOOL_VALUE, '').toLowerCase()),
    readable: !silent,
  };
}

function number(text: string): number | undefined {
  return /^-?\d{1,12}(\.\d{1,6})?$/u.test(text.trim()) ? Number(text) : undefined;
}

function shortUnit(unit: string): string {
  const short: Readonly<Record<string, string>> = {
    percent: '%',
    watts: 'w',
    volts: 'v',
    amps: 'a',
    'degrees c': 'c',
  };
  const lower = unit.trim().toLowerCase();
  return short[lower] ?? lower;
}
