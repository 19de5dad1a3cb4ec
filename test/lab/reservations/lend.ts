/**
 * Lends the disks of a lab machine to the lab: orders come over a TCP connection on the machine's own
 * loopback and go through the agent's own port and machines. One JSON object a line.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { drive } from '../../../agent/disks/drive.ts';
import { type Disk, findDisks } from '../../../agent/disks/look.ts';
import { findSgNodes } from '../../../agent/disks/paths.ts';
import { openScsi, type ScsiPort } from '../../../agent/ports/scsi.ts';
import { challengeOf, challengePolicy } from '../../../fencing/reservation/challenge.ts';
import { claimOf, claimPolicy } from '../../../fencing/reservation/claim.ts';
import { defendOf, defendPolicy } from '../../../fencing/reservation/defend.ts';
import { releaseOf, releasePolicy } from '../../../fencing/reservation/release.ts';
import { lineReader } from '../vm/protocol.ts';
import { type Load, stamps, startLoad } from './load.ts';
import { fromWire, type Lend, type Lent, ROOTS, toWire } from './wire.ts';

const runDir = mkdtempSync('/run/lend-');
const port = await openScsi({ runDir });
const twin = await openScsi({ runDir, koffi: false });
const loads = new Map<string, Load>();
const TICKS_PER_S = 100;

async function diskOf(wwid: string): Promise<Disk> {
  const { disks } = await findDisks(port, findSgNodes(ROOTS));
  const disk = disks.find((one) => one.wwid === wwid);
  if (disk === undefined) throw new Error(`no disk ${wwid}`);
  return disk;
}

async function machine(message: Extract<Lend, { op: 'machine' }>): Promise<unknown> {
  const { name, key, aptpl, withinMs, victim, by } = message;
  const disk = await diskOf(message.wwid);
  const through: ScsiPort = by === 'sg_persist' ? twin : port;
  const self = { key, aptpl };
  const times = { restoreMs: 500, verifyMs: withinMs };
  const started = performance.now();
  const end = await (() => {
    switch (name) {
      case 'claim':
        return drive(through, disk, self, claimPolicy, claimOf(victim), withinMs);
      case 'challenge':
        return drive(through, disk, self, challengePolicy, challengeOf(1_500), withinMs);
      case 'release':
        return drive(through, disk, self, releasePolicy, releaseOf(), withinMs);
      case 'defend': {
        const memory = defendOf(times, Number(process.hrtime.bigint()) / 1e6);
        return drive(through, disk, self, defendPolicy, memory, withinMs);
      }
    }
  })();
  const { memory, act, table } = end.machine;
  return { result: end.result, memory, act, table, tookMs: performance.now() - started };
}

/** Processor time of this process and its children, in milliseconds. */
function processorMs(): number {
  const own = process.cpuUsage();
  let children = 0;
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/u.test(one))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[1]) !== process.pid) continue;
      children += ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_S;
    } catch {
      // It has ended.
    }
  }
  return (own.user + own.system) / 1000 + children;
}

async function measure({ wwid, count }: Extract<Lend, { op: 'measure' }>): Promise<unknown> {
  const [path] = (await diskOf(wwid)).paths;
  const times: number[] = [];
  const device = path?.node.device ?? '';
  await port.send({ device, wwid }, [{ ask: 'reservation' }, { ask: 'keys' }], {
    deadlineMs: 5_000,
  });
  const before = processorMs();
  for (let index = 0; index < count; index += 1) {
    const started = performance.now();
    const requests = [{ ask: 'reservation' }, { ask: 'keys' }] as const;
    await port.send({ device, wwid }, requests, { deadlineMs: 5_000 });
    times.push(performance.now() - started);
  }
  const usedMs = (processorMs() - before) / count;
  times.sort((a, b) => a - b);
  return { usedMs, p50: times[count >> 1], p99: times[Math.floor(count * 0.99)] };
}

/** Keeps asking both paths ten times a second, whatever becomes of it, and measures this loop. */
async function lag({ wwid, forMs }: Extract<Lend, { op: 'lag' }>): Promise<unknown> {
  const { paths } = await diskOf(wwid);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  const kinds: Record<string, number> = {};
  delay.enable();
  const end = performance.now() + forMs;
  const asks: Promise<void>[] = [];
  while (performance.now() < end) {
    for (const { node } of paths) {
      const sent = port.send({ device: node.device, wwid }, [{ ask: 'keys' }], { deadlineMs: 500 });
      asks.push(
        sent.then(([completion]) => {
          const kind = `${node.name} ${completion?.kind ?? 'nothing'}`;
          kinds[kind] = (kinds[kind] ?? 0) + 1;
        }),
      );
    }
    await pause(100);
  }
  await Promise.all(asks);
  delay.disable();
  return { p99Ms: delay.percentile(99) / 1e6, maxMs: delay.max / 1e6, kinds };
}

async function answer(message: Lend): Promise<unknown> {
  switch (message.op) {
    case 'paths': {
      const { disks } = await findDisks(port, findSgNodes(ROOTS));
      return disks.map(({ wwid, paths }) => ({
        wwid,
        paths: paths.map(({ node, port: target }) => ({ ...node, port: target })),
      }));
    }
    case 'send':
      return port.send({ device: message.device, wwid: message.wwid }, message.requests, {
        deadlineMs: message.deadlineMs,
      });
    case 'machine':
      return machine(message);
    case 'measure':
      return measure(message);
    case 'lag':
      return lag(message);
    case 'load':
      loads.set(message.device, await startLoad(message.device, message.epoch));
      return {};
    case 'unload': {
      const load = loads.get(message.device);
      loads.delete(message.device);
      return load?.stop();
    }
    case 'stamps':
      return stamps(message.device);
  }
}

const server = createServer((socket) => {
  const take = lineReader((line) => {
    const message = fromWire(line) as Lend;
    void answer(message)
      .catch((error: Error) => ({ error: error.message }))
      .then((result) => {
        const lent: Lent = { id: message.id, result };
        socket.write(`${toWire(lent)}\n`);
      });
  });
  socket.setEncoding('utf8').on('data', take);
  socket.on('error', () => undefined);
});
server.listen(Number(process.argv[2]), '127.0.0.1');
