/**
 * Looks once at everything a fault must show: at the agents, by their world and metrics, and at what
 * only somebody beside the machines sees, whether they run and what their power switches say.
 */
import type { World } from '../../exporters/status/json.ts';
import { outletOf } from './host/power.ts';
import { isOn } from './host/power-client.ts';
import type { Lab } from './lab.ts';
import type { LabNode } from './machine.ts';
import type { Sight } from './scenario.ts';
import { seenOf } from './sight.ts';

const REQUEST_MS = 20_000;
/** An agent that does not answer within this is silent. */
const SILENT_MS = 3_000;

export interface Look {
  /** What is seen instead; undefined: all is seen. */
  readonly missing: string | undefined;
  /** When the last of it became so, in the agent's monotonic milliseconds. */
  readonly since: number | undefined;
}

async function text(node: LabNode, path: string): Promise<string> {
  const answer = await fetch(`${node.url}${path}`, { signal: AbortSignal.timeout(REQUEST_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).trim()}`);
  return answer.text();
}

function nodeOf(lab: Lab, name: string | undefined): LabNode {
  const found = lab.nodes.find((one) => (name === undefined ? one.spec.agent : one.name === name));
  if (found === undefined) throw new Error(`no node ${name ?? 'with an agent'}`);
  return found;
}

async function stateOfNode(node: LabNode): Promise<string> {
  if (!node.isOn()) return 'off';
  const { status } = (await node.vm.qmp.execute('query-status')) as { readonly status: string };
  return status === 'running' ? 'on' : 'hung';
}

async function stateOfAgent({ url }: LabNode): Promise<string> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(SILENT_MS) });
    return answer.ok ? 'answering' : 'unready';
  } catch {
    return 'silent';
  }
}

/** State of a thing beside the machines; undefined: it is the agent's to say. */
async function outside(lab: Lab, id: string): Promise<string | undefined> {
  const [, sort, name = ''] = /^(node|agent|outlet|file)\/(.+)$/u.exec(id) ?? [];
  switch (sort) {
    case 'node':
      return stateOfNode(nodeOf(lab, name));
    case 'agent':
      return stateOfAgent(nodeOf(lab, name));
    case 'outlet': {
      const at = outletOf(name);
      if (lab.power === undefined) return undefined;
      const address = lab.power.address(at.name);
      const on = await isOn(address, at.outlet).catch(() => undefined);
      return on === undefined ? 'silent' : on ? 'on' : 'off';
    }
    case 'file':
      return (await nodeOf(lab, undefined).vm.guest.read(`/${name}`)).trim();
    default:
      return undefined;
  }
}

async function inside(node: LabNode, sights: readonly Sight[]): Promise<Look> {
  const world = JSON.parse(await text(node, '/api/v1/world')) as World;
  const metrics = await text(node, '/metrics');
  const seen = sights.map((sight) => ({ sight, ...seenOf(sight, world, metrics) }));
  const missing = seen.filter(({ ok }) => !ok);
  if (missing.length > 0) {
    const told = missing.map(({ sight, instead }) => `${sight.line} (${instead})`).join(', ');
    return { missing: told, since: undefined };
  }
  const times = seen.flatMap(({ since }) => since ?? []);
  return { missing: undefined, since: times.length > 0 ? Math.max(...times) : undefined };
}

async function lookOnce(lab: Lab, see: readonly Sight[]): Promise<Look> {
  const rest = new Map<LabNode, Sight[]>();
  for (const sight of see) {
    const state = await outside(lab, sight.id);
    if (state === undefined) {
      const node = nodeOf(lab, sight.node);
      rest.set(node, [...(rest.get(node) ?? []), sight]);
    } else if (state !== sight.state) {
      return { missing: `${sight.line} (it is ${state})`, since: undefined };
    }
  }
  let since: number | undefined;
  for (const [node, sights] of rest) {
    const look = await inside(node, sights);
    if (look.missing !== undefined) return look;
    since = Math.max(since ?? 0, look.since ?? 0) || undefined;
  }
  return { missing: undefined, since };
}

export async function lookAt(lab: Lab, see: readonly Sight[]): Promise<Look> {
  try {
    return await lookOnce(lab, see);
  } catch (error) {
    return { missing: (error as Error).message, since: undefined };
  }
}
