/**
 * What a resource agent says of itself: its parameters and how long its actions may take. The XML is
 * taken apart only as far as that needs; whatever is not well-formed in the parts used is refused.
 */
import type { AgentPlace } from './place.ts';
import { runAgent } from './run.ts';

export interface AgentParameter {
  readonly name: string;
  readonly required: boolean;
}

export interface AgentMeta {
  readonly name: string;
  readonly parameters: readonly AgentParameter[];
  /** Advertised timeout of each action, in milliseconds; the greatest where one is there for several depths. */
  readonly timeoutsMs: Readonly<Record<string, number>>;
}

export type MetaRead =
  | { readonly ok: true; readonly meta: AgentMeta }
  | { readonly ok: false; readonly why: string };

const META_MS = 5_000;
const META_BYTES_MAX = 1024 * 1024;
const PARAMETERS_MAX = 1_000;

const NOISE = /<!--[\s\S]*?-->|<longdesc\b[\s\S]*?<\/longdesc>|<shortdesc\b[\s\S]*?<\/shortdesc>/gu;
const TAG = /<(\/?)(resource-agent|parameter|content|action)\b([^<>]*)>/gu;
const ATTRIBUTE = /([A-Za-z_:][A-Za-z0-9_:.-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/gu;
const TIME = /^([0-9]{1,9}(?:\.[0-9]+)?)\s*(ms|s|sec|m|min|h)?$/u;
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

function attributes(text: string): Readonly<Record<string, string>> {
  const found = Object.create(null) as Record<string, string>;
  for (const [, name = '', double, single] of text.matchAll(ATTRIBUTE)) {
    found[name] = double ?? single ?? '';
  }
  return found;
}

function timeMs(text: string | undefined): number | undefined {
  const [, amount, unit = 's'] = TIME.exec(text?.trim() ?? '') ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNIT_MS[unit] ?? 1000);
}

interface Gathered {
  name: string | undefined;
  ended: boolean;
  readonly parameters: { name: string; required: boolean; otherwise: boolean }[];
  readonly timeoutsMs: Record<string, number>;
}

function takeTag(into: Gathered, tag: string, given: Readonly<Record<string, string>>): void {
  const { name } = given;
  switch (tag) {
    case 'resource-agent':
      into.name = name;
      return;
    case 'parameter':
      if (name === undefined) return;
      into.parameters.push({ name, required: given.required === '1', otherwise: false });
      return;
    case 'content': {
      const last = into.parameters.at(-1);
      if (last !== undefined && (given.default ?? '') !== '') last.otherwise = true;
      return;
    }
    default: {
      const ms = timeMs(given.timeout);
      if (name === undefined || ms === undefined) return;
      into.timeoutsMs[name] = Math.max(ms, into.timeoutsMs[name] ?? 0);
    }
  }
}

/** Reads the meta-data of one agent. */
export function parseMeta(text: string): MetaRead {
  const found: Gathered = {
    name: undefined,
    ended: false,
    parameters: [],
    timeoutsMs: Object.create(null) as Record<string, number>,
  };
  for (const [, slash, tag = '', rest = ''] of text.replace(NOISE, '').matchAll(TAG)) {
    if (slash !== '/') takeTag(found, tag, attributes(rest));
    else found.ended ||= tag === 'resource-agent';
  }
  const { name, parameters, timeoutsMs } = found;
  if (name === undefined || !found.ended) {
    return { ok: false, why: 'its meta-data is no resource-agent' };
  }
  if (parameters.length > PARAMETERS_MAX) return { ok: false, why: 'its meta-data is too large' };
  const listed = parameters.map((one) => ({
    name: one.name,
    required: one.required && !one.otherwise,
  }));
  return { ok: true, meta: { name, parameters: listed, timeoutsMs } };
}

/** Asks the agent itself. */
export async function readMeta(place: AgentPlace, root: string): Promise<MetaRead> {
  const run = runAgent({
    place,
    root,
    instance: 'meta',
    action: 'meta-data',
    parameters: {},
    level: 0,
    deadlineMs: META_MS,
    outputMax: META_BYTES_MAX,
  });
  const end = await run.end;
  if (end.kind === 'late')
    return { ok: false, why: `gave no meta-data within ${META_MS / 1000} s` };
  if (end.kind === 'unstarted') return { ok: false, why: end.why };
  if (end.kind === 'signal') return { ok: false, why: `was killed by ${end.signal}` };
  if (end.cut) return { ok: false, why: `gave more than ${META_BYTES_MAX} bytes of meta-data` };
  if (end.status !== 0) return { ok: false, why: `answered meta-data with status ${end.status}` };
  return parseMeta(end.stdout);
}
