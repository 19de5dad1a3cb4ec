/**
 * Gateways and other addresses that must answer. Decides which of those the `reach` port tried are
 * reachable, and which default gateways stand in for each other. A gateway of one IP family does not
 * stand in for one of the other, so each family is a group of its own.
 */
import type { ComponentId, GroupReading, Observation, Reading } from '../rules/model.ts';
import { componentId, groupId } from '../rules/model.ts';
import type { Collector, Snapshot } from './lib/collector.ts';
import type { Verdict } from './lib/links.ts';
import { linkId } from './lib/links.ts';
import { defined, isRecord, json } from './lib/snapshot.ts';

const MS_PER_SECOND = 1_000;

/** One line of the port's answer. */
interface Tried {
  readonly name: string;
  readonly from: 'route' | 'target';
  readonly address: string;
  readonly link: string | undefined;
  readonly port: number | undefined;
  readonly method: string;
  readonly metric: number | undefined;
  readonly rank: number;
  readonly state: string;
  readonly rttMs: number | undefined;
  readonly tries: number | undefined;
  readonly why: string | undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function tried(line: string): Tried | undefined {
  const value = json(line);
  if (!isRecord(value)) return undefined;
  const { name, from, address, state } = value;
  if (text(name) === undefined || text(address) === undefined) return undefined;
  if (from !== 'route' && from !== 'target') return undefined;
  return {
    name: String(name),
    from,
    address: String(address),
    link: text(value.link),
    port: number(value.port),
    method: text(value.method) ?? 'unknown method',
    metric: number(value.metric),
    rank: number(value.rank) ?? 0,
    state: text(state) ?? '',
    rttMs: number(value.rttMs),
    tries: number(value.tries),
    why: text(value.why),
  };
}

/** A configured target on the same address and link is the default gateway itself, tried as configured. */
function identity({ address, link, port }: Tried): ComponentId {
  const place = port === undefined ? address : `${address}:${port}`;
  return componentId('gateway', link === undefined ? place : `${place}@${link}`);
}

function judge({ state, method, tries, why, from, address }: Tried): Verdict {
  switch (state) {
    case 'answered':
    case 'refused':
      return { health: 'ok' };
    case 'silent':
      // The wire was asked as well, which no filter stops: by ARP or neighbour discovery. Where it could
      // not be, an IPv6 gateway's silence proves nothing, for many answer no echo.
      if (from === 'route' && address.includes(':') && method === 'icmp') {
        return { health: 'unknown', why: 'no answer to echo requests, which it may filter' };
      }
      return { health: 'failed', why: `no answer by ${method} to ${tries ?? 'any'} tries` };
    case 'unreachable':
      return { health: 'failed', why: why ?? 'unreachable' };
    default:
      return { health: 'unknown', why: why ?? `could not be tried by ${method}` };
  }
}

function reading(component: ComponentId, one: Tried): Reading {
  return {
    component,
    kind: 'gateway',
    name: one.name,
    ...judge(one),
    gauges: defined({
      rtt_seconds: one.rttMs === undefined ? undefined : one.rttMs / MS_PER_SECOND,
    }),
    facts: defined({
      address: one.address,
      link: one.link,
      by: one.method,
      metric: one.metric?.toString(),
    }),
    needs: one.link === undefined ? [] : [linkId(one.link)],
  };
}

interface Member {
  readonly component: ComponentId;
  readonly order: number;
}

/**
 * The lowest order is used first. A preference has one best member: of two equal ones neither is worse
 * than the other, and nothing is said.
 */
function group(id: string, name: string, members: readonly Member[]): readonly GroupReading[] {
  const components = [...new Set(members.map((member) => member.component))];
  if (components.length === 0) return [];
  const best = members.toSorted((a, b) => a.order - b.order);
  const ranked = new Set(best.map((member) => member.component));
  const hasBest = ranked.size > 1 && best[0]?.order !== best[1]?.order;
  return [
    {
      group: groupId('gateways', id),
      kind: 'gateways',
      name,
      members: components,
      ...(hasBest ? { preference: [...ranked] } : {}),
    },
  ];
}

function parse(snapshot: Snapshot): Observation {
  const entry = snapshot.get('reach');
  if (entry === undefined) return { kind: 'blind', why: 'gateways were not tried' };
  if ('errno' in entry) {
    return { kind: 'blind', why: `routing table: ${entry.why ?? entry.errno}` };
  }
  const lines = 'text' in entry ? entry.text.split('\n').filter((line) => line.trim() !== '') : [];
  if (lines.length === 0) {
    return { kind: 'none', why: 'no default route and no targets configured' };
  }
  const all = lines.flatMap((line) => tried(line) ?? []);
  if (all.length === 0)
    return { kind: 'blind', why: 'the answer of the reach port is not understood' };
  const readings = new Map<ComponentId, Reading>();
  for (const one of all) {
    const component = identity(one);
    if (!readings.has(component)) readings.set(component, reading(component, one));
  }
  const members = (isMember: (one: Tried) => boolean): readonly Member[] =>
    all
      .filter(isMember)
      .map((one) => ({ component: identity(one), order: one.metric ?? one.rank }));
  const targets = members((one) => one.from === 'target');
  return {
    kind: 'seen',
    readings: [...readings.values()],
    groups: [
      ...group(
        'default',
        'default gateways',
        members((one) => one.from === 'route' && !one.address.includes(':')),
      ),
      ...group(
        'default6',
        'IPv6 default gateways',
        members((one) => one.from === 'route' && one.address.includes(':')),
      ),
      // Ranks say that the targets are lines to the same place; without them each stands for itself.
      ...(new Set(targets.map((target) => target.order)).size > 1
        ? group('targets', 'configured targets', targets)
        : []),
    ],
    advice: [],
  };
}

export const collector: Collector = {
  name: 'gateways',
  sees: 'default gateways and configured addresses: whether they answer',
  sources: [
    {
      name: 'reach',
      reads: [{ kind: 'reach' }],
      wakes: [
        { on: 'netlink', about: 'route' },
        { on: 'netlink', about: 'link' },
      ],
      everyMs: 2_000,
      staleMs: 10_000,
      parse,
    },
  ],
};
