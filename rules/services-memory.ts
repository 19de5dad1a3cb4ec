/**
 * What is kept of services on disk, so that an agent that starts anew goes on where it was: latches, the
 * operator's words, restarts that count. Times hold within one boot; after another one only what does not
 * turn on them is taken. A file that is not entirely well-formed is none.
 */
import { ms } from './model.ts';
import type { End, Exit, RememberedService, Service } from './service.ts';
import { fingerprintOf } from './services-ends.ts';

export const SERVICES_FORMAT = 'nospof services 1';

export type ServicesRead =
  | { readonly ok: true; readonly services: readonly RememberedService[] }
  | { readonly ok: false; readonly why: string };

function rememberedOf(service: Service): RememberedService {
  const { spec, wanted, latch, restarts, restartsTotal, attempt, dueAt, ends, lastExit } = service;
  const word = wanted === spec.wanted || wanted === 'observed' ? undefined : wanted;
  return { id: spec.id, word, latch, restarts, restartsTotal, attempt, dueAt, ends, lastExit };
}

/** `boot` is the kernel's boot id: what the times count from. */
export function encodeServices(services: readonly Service[], boot: string): string {
  const kept = services.map(rememberedOf);
  return `${JSON.stringify({ format: SERVICES_FORMAT, boot, services: kept }, null, 1)}\n`;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isExit(value: unknown): value is Exit {
  if (!isFields(value)) return false;
  const { run, how, value: number, afterStartMs, lastLine } = value;
  return (
    typeof run === 'string' &&
    (how === 'status' || how === 'signal' || how === 'unknown') &&
    isNumber(number) &&
    isNumber(afterStartMs) &&
    typeof lastLine === 'string'
  );
}

function endsOf(value: unknown): readonly End[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const ends: End[] = [];
  for (const one of value as readonly unknown[]) {
    if (!isFields(one) || !isNumber(one.at) || !isExit(one.exit)) return undefined;
    ends.push({ at: ms(one.at), exit: one.exit, fingerprint: fingerprintOf(one.exit) });
  }
  return ends;
}

function latchOf(value: unknown): RememberedService['latch'] | 'bad' {
  if (value === undefined) return undefined;
  if (!isFields(value)) return 'bad';
  const { at, why, evidence } = value;
  if (!isNumber(at) || typeof why !== 'string' || typeof evidence !== 'string') return 'bad';
  return { at: ms(at), why, evidence };
}

function wordOf(value: unknown): RememberedService['word'] | 'bad' {
  return value === undefined || value === 'running' || value === 'stopped' ? value : 'bad';
}

function serviceOf(value: unknown): RememberedService | undefined {
  if (!isFields(value) || typeof value.id !== 'string') return undefined;
  const { restarts, restartsTotal, attempt, dueAt, lastExit } = value;
  const word = wordOf(value.word);
  const latch = latchOf(value.latch);
  const ends = endsOf(value.ends);
  if (word === 'bad' || latch === 'bad' || ends === undefined) return undefined;
  if (!Array.isArray(restarts) || !restarts.every(isNumber)) return undefined;
  if (!isNumber(restartsTotal) || !isNumber(attempt)) return undefined;
  if (dueAt !== undefined && !isNumber(dueAt)) return undefined;
  if (lastExit !== undefined && !isExit(lastExit)) return undefined;
  return {
    id: value.id as RememberedService['id'],
    word,
    latch,
    restarts: restarts.map((at) => ms(at)),
    restartsTotal,
    attempt,
    dueAt: dueAt === undefined ? undefined : ms(dueAt),
    ends,
    lastExit,
  };
}

/** Of another boot: a latch is cleared by an operator alone, and what was to be stopped stays so. */
function afterBoot(service: RememberedService): RememberedService {
  const { latch } = service;
  return {
    ...service,
    latch: latch === undefined ? undefined : { ...latch, at: ms(0) },
    restarts: [],
    attempt: 0,
    dueAt: undefined,
    ends: [],
    lastExit: undefined,
  };
}

export function decodeServices(text: string, boot: string): ServicesRead {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, why: 'it is not JSON (cut off?)' };
  }
  if (!isFields(value) || value.format !== SERVICES_FORMAT || !Array.isArray(value.services)) {
    return { ok: false, why: `it does not start with "${SERVICES_FORMAT}"` };
  }
  const services: RememberedService[] = [];
  for (const [index, one] of (value.services as readonly unknown[]).entries()) {
    const service = serviceOf(one);
    if (service === undefined) return { ok: false, why: `entry ${index + 1} is malformed` };
    services.push(value.boot === boot ? service : afterBoot(service));
  }
  return { ok: true, services };
}
