/**
 * Neighbours as `lldpcli -f json0 show neighbors` prints them (lldpd 1.0; its `json0` form keeps every
 * list a list). Decides only which switch a port is plugged into, so that two slaves of a bond that
 * end in one switch are seen to share it. LLDP is unauthenticated: it may add a dependency, never
 * take one away.
 */
import type { Observation, Reading } from '../../rules/model.ts';
import { componentId } from '../../rules/model.ts';
import { linkId } from './links.ts';
import { defined, isRecord } from './snapshot.ts';

const WORD_LENGTH_MAX = 120;

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function member(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}

/** First text under a name: json0 wraps every leaf as `[{"value": ...}]`. */
function text(value: unknown, name: string): string | undefined {
  const found = member(list(member(value, name))[0], 'value');
  if (typeof found !== 'string' || found.trim() === '') return undefined;
  return found.trim().slice(0, WORD_LENGTH_MAX);
}

function neighbour(entry: unknown): Reading | undefined {
  const name = member(entry, 'name');
  const chassis = list(member(entry, 'chassis'))[0];
  const port = list(member(entry, 'port'))[0];
  const id = text(chassis, 'id');
  if (typeof name !== 'string' || name === '' || id === undefined) return undefined;
  return {
    component: linkId(name),
    kind: 'link',
    name,
    health: 'ok',
    gauges: {},
    facts: defined({
      switch: text(chassis, 'name') ?? id,
      switch_id: id,
      switch_port: text(port, 'id'),
      switch_port_description: text(port, 'descr'),
    }),
    needs: [componentId('switch', id)],
  };
}

/**
 * Observation of a parsed answer. A port that hears two neighbours (a hub, a phone) is on neither for
 * certain: the first one heard is taken, as lldpd orders them.
 */
export function neighbours(answer: unknown): Observation {
  const heads = member(answer, 'lldp');
  if (!Array.isArray(heads)) return { kind: 'blind', why: 'the answer of lldpcli is not json0' };
  const found = new Map<string, Reading>();
  for (const entry of heads.flatMap((head) => list(member(head, 'interface')))) {
    const reading = neighbour(entry);
    if (reading !== undefined && !found.has(reading.component)) {
      found.set(reading.component, reading);
    }
  }
  if (found.size === 0) return { kind: 'none', why: 'no LLDP neighbour was heard' };
  return { kind: 'seen', readings: [...found.values()], groups: [], advice: [] };
}
