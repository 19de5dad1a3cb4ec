/**
 * The small words every output shares: how long, when, how much, in which order. Nothing here judges;
 * it only says the same thing the same way on the page, in the terminal and in a log line.
 */
import type { Component, Health, Sight, Standing } from '../../rules/model.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A length of time in one coarse unit: `42 s`, `3 min`, `5 h`, `12 d`. Negative counts as 0. */
export function durationText(ms: number): string {
  if (!(ms >= SECOND_MS)) return '0 s';
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/**
 * Unix milliseconds as RFC 3339 in UTC, whole seconds: `2026-11-23T00:40:12Z`. The calendar is
 * reckoned here (days since 1970-03-01 in eras of 400 years) because pure code has no clock to ask.
 */
export function timeText(unixMs: number): string {
  if (!Number.isFinite(unixMs)) return 'time unknown';
  const days = Math.floor(unixMs / DAY_MS);
  const seconds = Math.floor((unixMs - days * DAY_MS) / SECOND_MS);
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${year}-${twoDigits(month)}-${twoDigits(day)}T${clock.map(twoDigits).join(':')}Z`;
}

/** `1 source cannot see`, `3 sources cannot see`: the noun in its number. */
export function count(amount: number, one: string, many: string = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

const UNIT_SYMBOLS: Readonly<Record<string, string>> = {
  amperes: 'A',
  celsius: '°C',
  joules: 'J',
  rpm: 'rpm',
  seconds: 's',
  volts: 'V',
  watts: 'W',
};
const BINARY_PREFIXES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

function rounded(value: number): string {
  return String(Number(value.toPrecision(Math.abs(value) >= 1000 ? 6 : 4)));
}

function bytesText(value: number): string {
  let power = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 1024 && power < BINARY_PREFIXES.length - 1) {
    scaled /= 1024;
    power += 1;
  }
  return `${Number(scaled.toPrecision(4))} ${BINARY_PREFIXES[power] ?? 'B'}`;
}

/** One gauge in words, from its key with the unit last: `input_volts` 12.1 is `input 12.1 V`. */
export function gaugeText(key: string, value: number): string {
  const named = (suffix: string, text: string): string => {
    const name = key.slice(0, -suffix.length).replace(/_+$/u, '').replaceAll('_', ' ');
    return name === '' ? text : `${name} ${text}`;
  };
  if (key.endsWith('bytes_per_second')) return named('bytes_per_second', `${bytesText(value)}/s`);
  if (key.endsWith('bytes')) return named('bytes', bytesText(value));
  if (key.endsWith('ratio')) return named('ratio', `${rounded(value * 100)} %`);
  const unit = key.slice(key.lastIndexOf('_') + 1);
  const symbol = Object.hasOwn(UNIT_SYMBOLS, unit) ? UNIT_SYMBOLS[unit] : undefined;
  if (symbol !== undefined) return named(unit, `${rounded(value)} ${symbol}`);
  return `${key.replace(/_total$/u, '').replaceAll('_', ' ')} ${rounded(value)}`;
}

/** All gauges and then all facts of a component, in one line. */
export function detailText(component: Component): string {
  const gauges = Object.entries(component.gauges).map(([key, value]) => gaugeText(key, value));
  const facts = Object.entries(component.facts).map(
    ([key, value]) => `${key.replaceAll('_', ' ')} ${value}`,
  );
  return [...gauges, ...facts].join(', ');
}

const STANDING_ORDER: Readonly<Record<Standing, number>> = {
  lost: 0,
  exposed: 1,
  unknown: 2,
  redundant: 3,
};
const HEALTH_ORDER: Readonly<Record<Health, number>> = {
  failed: 0,
  absent: 1,
  failing: 2,
  unknown: 3,
  ok: 4,
};
const SIGHT_ORDER: Readonly<Record<Sight['state'], number>> = {
  blind: 0,
  stale: 1,
  waiting: 2,
  none: 3,
  seen: 4,
};

/** Numbers inside names count as numbers: fan 2 stands before fan 10. Ties fall to the id. */
const NAMES: Intl.Collator = new Intl.Collator('en', { numeric: true });

interface Named {
  readonly id: string;
  readonly name: string;
}

function byName(a: Named, b: Named): number {
  const order = NAMES.compare(a.name, b.name);
  if (order !== 0) return order;
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

/** Worst standing first; among equals those that work on a less preferred member; then by name. */
export function byStanding<T extends Named & { standing: Standing; degraded: boolean }>(
  a: T,
  b: T,
): number {
  return (
    STANDING_ORDER[a.standing] - STANDING_ORDER[b.standing] ||
    Number(b.degraded) - Number(a.degraded) ||
    byName(a, b)
  );
}

/** Worst health first, then by name. */
export function byHealth<T extends Named & { health: Health }>(a: T, b: T): number {
  return HEALTH_ORDER[a.health] - HEALTH_ORDER[b.health] || byName(a, b);
}

/** What cannot be seen first, then by name. */
export function bySight<T extends Named & { state: Sight['state'] }>(a: T, b: T): number {
  return SIGHT_ORDER[a.state] - SIGHT_ORDER[b.state] || byName(a, b);
}
