/**
 * What the states of IPMI sensors say of a component, in the words of FreeIPMI and of ipmitool alike. The
 * tables are the generic states and those of fans, supplies and power units (IPMI 2.0 specification,
 * section 42). A state that no table knows is not taken for a good one.
 */
import type { Health } from '../../rules/model.ts';
import type { BmcRow } from './ipmi.ts';

/** Evidence that a state is for a component. `absent` overrides, then the worst counts. */
export interface Evidence {
  readonly health: Health;
  readonly why: string;
}

/** A row about redundancy itself (event type 0Bh), not about one fan or supply. */
export function isRedundancy(row: BmcRow): boolean {
  return /redundan/u.test(row.states) || /redund|^(fans|power supplies)$/iu.test(row.name);
}

/** Words of the generic states and thresholds, worst first; sensor types add their own. */
const GENERIC: readonly (readonly [RegExp, Health, string])[] = [
  [/device removed|device absent/u, 'absent', 'the BMC says it is absent'],
  [/transition to non-recoverable/u, 'failed', 'the BMC says non-recoverable'],
  [/transition to critical/u, 'failed', 'the BMC says critical'],
  [/install error/u, 'failed', 'the BMC says it is installed wrongly'],
  [/transition to degraded/u, 'failing', 'the BMC says degraded'],
  [/transition to non-critical/u, 'failing', 'the BMC says non-critical'],
  [/transition to (off ?line|off ?duty|power off)/u, 'failing', 'the BMC says it is off duty'],
  [/predictive failure(?! deasserted)/u, 'failing', 'the BMC predicts a failure'],
  [/non-recoverable threshold/u, 'failing', 'beyond the non-recoverable threshold of the BMC'],
  [/(?<!non-)critical threshold/u, 'failing', 'beyond the critical threshold of the BMC'],
  [/non-critical threshold/u, 'failing', 'beyond the warning threshold of the BMC'],
  [/performance lags|limit exceeded/u, 'failing', 'the BMC says it performs badly'],
];

/** States of a power supply (sensor type 08h) and of a power unit (09h), in the words of both tools. */
const POWER: readonly (readonly [RegExp, Health, string])[] = [
  [/failure detected/u, 'failed', 'the BMC detected a failure'],
  [/out-of-range, but present/u, 'failing', 'its input is out of range'],
  [/(input|ac) lost/u, 'failed', 'its input is lost'],
  [/config(uration)? error/u, 'failing', 'it does not fit the others (configuration error)'],
  [/soft-power control failure/u, 'failing', 'its power control failed'],
];

/** States that say nothing bad. Any other that no table knows may mean anything. */
const BENIGN =
  /presence detected|device (present|inserted|enabled)|transition to (running|on line|ok|active|idle|busy|power save|in test)|monitor|informational|state deasserted|limit not exceeded|performance met|failure deasserted|power supply inactive|power (off|cycle)|interlock|240va/u;

/** Bits of generic type mean what their name says (`PSU1 Fail`: state asserted). */
const ASSERTED = /state asserted/u;
const PRESENT_NAME = /presen|instal/iu;

function namedBit(row: BmcRow): readonly Evidence[] {
  if (!ASSERTED.test(row.states)) return [];
  const why = `the BMC asserts ${row.name}`;
  if (/fail|lost/iu.test(row.name)) return [{ health: 'failed', why }];
  return /fault|err|alarm|alert|over/iu.test(row.name) ? [{ health: 'failing', why }] : [];
}

/** What the asserted states of a row say; empty when they say nothing bad. */
export function evidence(row: BmcRow): readonly Evidence[] {
  return [...GENERIC, ...POWER]
    .filter(([words]) => words.test(row.states))
    .map(([, health, why]): Evidence => ({ health, why }))
    .concat(namedBit(row));
}

/** The row itself proves that the thing is there. */
export function provesPresence(row: BmcRow): boolean {
  if (/presence detected|device present|device inserted|but present/u.test(row.states)) return true;
  if (ASSERTED.test(row.states) && PRESENT_NAME.test(row.name)) return true;
  return row.value !== undefined && row.value > 0;
}

/** States are asserted, and none of them is one we know (a maker's own). */
export function isForeign(row: BmcRow): boolean {
  if (row.states === '' || BENIGN.test(row.states)) return false;
  return evidence(row).length === 0 && !provesPresence(row);
}

/**
 * The worst of the evidence with every reason for it; `absent` before all, since nothing else can then be
 * true. A supply without mains often reports a failure as well, and the operator needs to read both.
 */
export function worst(found: readonly Evidence[]): Evidence | undefined {
  const order: readonly Health[] = ['absent', 'failed', 'failing'];
  const health = order.find((level) => found.some((one) => one.health === level));
  if (health === undefined) return undefined;
  const whys = found.filter((one) => one.health === health).map((one) => one.why);
  return { health, why: [...new Set(whys)].join('; ') };
}
