/**
 * 32 nodes cut at once through 8 switches, one of them slow: as long as the slowest switch takes for its own
 * nodes alone, because no switch waits for another. Both are measured in one run, and memory beside them.
 */
import { runFence } from '../../agent/effects/fence.ts';
import { type SwitchDevice, snmpSwitch } from '../../agent/effects/switches.ts';
import { type SnmpFakeServer, serveSnmp } from '../../agent/fake/snmp-server.ts';
import { snmpPort } from '../../agent/ports/snmp.ts';
import { loadProfiles } from '../../agent/profiles.ts';
import { type PowerPlan, planOf } from '../../fencing/plan.ts';
import type { Figure } from './report.ts';

const BENCH = 'fence';
const NODES = 32;
const SWITCHES = 8;
const RELAY_MS = 100;
const SLOW_RELAY_MS = 1000;
const DEADLINE_MS = 120_000;

function switchName(at: number): string {
  return `pdu${at % SWITCHES}`;
}

/** Two supplies at neighbouring switches, so that each switch has eight outlets in use. */
function plans(): readonly PowerPlan[] {
  const facts = new Map(
    Array.from({ length: SWITCHES }, (_, at) => [switchName(at), { proves: true, fallsWith: [] }]),
  );
  return Array.from({ length: NODES }, (_, at) => {
    const row = Math.floor(at / SWITCHES);
    const feeds = [
      { supply: 'psu1', switch: switchName(at), outlet: String(row + 1), level: 1 },
      { supply: 'psu2', switch: switchName(at + 1), outlet: String(row + 5), level: 1 },
    ];
    return planOf({ node: `n${at}`, feeds, dischargeMs: 0, unverifiedAllowed: true }, facts, true);
  });
}

/** Cuts all of them at once; milliseconds until the last is proven off. Then all are on again. */
async function cutAll(
  all: readonly PowerPlan[],
  devices: ReadonlyMap<string, SwitchDevice>,
): Promise<number> {
  const started = performance.now();
  const fences = await Promise.all(
    all.map((plan) => runFence({ plan, want: 'off', devices, deadlineMs: DEADLINE_MS })),
  );
  const tookMs = performance.now() - started;
  const bad = fences.find(({ outcome }) => outcome.kind !== 'off');
  if (bad !== undefined) throw new Error(`${bad.plan.node}: ${JSON.stringify(bad.outcome)}`);
  const outlets = Array.from({ length: SWITCHES }, (_, at) => ({ id: String(at + 1) }));
  const replies = await Promise.all(
    [...devices.values()].map((device) => device.perform({ want: 'on', outlets }, DEADLINE_MS)),
  );
  const dark = replies.flatMap((reply) => reply.outlets).find(({ state }) => state !== 'on');
  if (dark !== undefined) throw new Error(dark.why);
  return tookMs;
}

export async function benchFenceMany(quick: boolean): Promise<readonly Figure[]> {
  const profile = (await loadProfiles()).profiles.get('apc-rpdu');
  if (profile?.device.kind !== 'snmp') throw new Error('no profile apc-rpdu');
  const { device } = profile;
  const servers: SnmpFakeServer[] = [];
  const devices = new Map<string, SwitchDevice>();
  try {
    for (let at = 0; at < SWITCHES; at += 1) {
      const delayMs = at === 0 ? SLOW_RELAY_MS : RELAY_MS;
      const server = await serveSnmp(device, { faults: [], delayMs });
      servers.push(server);
      const login = { version: '2c', read: 'public', write: 'private' } as const;
      const port = snmpPort('127.0.0.1', server.port, login);
      const name = switchName(at);
      devices.set(name, snmpSwitch(name, { ...profile, device }, port, {}));
    }
    const all = plans();
    const slow = all.filter(({ levels }) =>
      levels.some(({ feeds }) => feeds.some((feed) => feed.device === switchName(0))),
    );
    const slowMs = await cutAll(slow, devices);
    const allMs = await cutAll(all, devices);
    const before = process.memoryUsage().rss;
    for (let round = 0; round < (quick ? 1 : 3); round += 1) await cutAll(all, devices);
    const grownMb = (process.memoryUsage().rss - before) / 2 ** 20;
    const what = `${NODES} nodes through ${SWITCHES} switches at once`;
    const note = `${slow.length} nodes at the slow switch`;
    return [
      { bench: BENCH, what: `${what}, all proven off`, value: allMs, unit: 'ms', note },
      { bench: BENCH, what: 'the nodes of the slowest switch alone', value: slowMs, unit: 'ms' },
      {
        bench: BENCH,
        what: `${what} to the slowest alone`,
        value: allMs / slowMs,
        unit: 'ratio',
        atMost: 1.25,
      },
      {
        bench: BENCH,
        what: `${what}, memory grown by more rounds`,
        value: grownMb,
        unit: 'MB',
        atMost: 16,
      },
    ];
  } finally {
    for (const one of devices.values()) await one.close();
    for (const server of servers) await server.close();
  }
}
