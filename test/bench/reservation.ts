/**
 * What reservations cost: taking an answer apart, one proof in the machine, and one look through the port to
 * a device file. The disk's own time is not in it, nor the kernel's SCSI layer: those are the lab's figures.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openScsi } from '../../agent/ports/scsi.ts';
import { answerOf, type Completion } from '../../fencing/reservation/answer.ts';
import { defendOf, defendPolicy } from '../../fencing/reservation/defend.ts';
import { step } from '../../fencing/reservation/engine.ts';
import type { Key } from '../../fencing/reservation/key.ts';
import { begin } from '../../fencing/reservation/machine.ts';
import { encode, type Request } from '../../fencing/reservation/request.ts';
import { PTY_MAJOR } from '../fakes/disk/pty.ts';
import { nexusOf, Rig } from '../fakes/disk/rig.ts';
import { type Figure, spread } from './report.ts';

const OWN = '00c1000100000001' as Key;
const FIVE = 'write-exclusive-registrants';
const LOOK: readonly Request[] = [{ ask: 'reservation' }, { ask: 'keys' }];
const TICKS_PER_S = 100;
const DISKS = 20;

/** A disk that we own by two paths, and what it answers. */
async function ownedRig(): Promise<Rig> {
  const rig = new Rig({});
  for (const way of ['a1', 'a2'] as const) {
    await rig.send(way, { ask: 'register-ignore', next: OWN, aptpl: true });
  }
  await rig.send('a1', { ask: 'reserve', own: OWN, type: FIVE });
  return rig;
}

async function benchCodec(rounds: number): Promise<readonly Figure[]> {
  const rig = await ownedRig();
  const answers: (readonly [Request, Completion])[] = [];
  for (const request of [...LOOK, { ask: 'full-status' } as const]) {
    answers.push([request, await rig.send('a1', request)]);
  }
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    for (const [request, completion] of answers) {
      encode(request);
      answerOf(request, completion);
    }
    times.push((performance.now() - start) * 1000);
  }
  const what = 'three requests encoded, their answers taken apart';
  return spread({ bench: 'reservation', what, unit: 'us' }, times.slice(rounds >> 2));
}

async function benchProof(rounds: number): Promise<readonly Figure[]> {
  const rig = await ownedRig();
  const times = { readMs: 1_000, writeMs: 1_000, everyMs: 1_000 };
  const paths = (['a1', 'a2'] as const).map((name) => ({ name, ...nexusOf(name) }));
  const memory = defendOf({ restoreMs: 1_000, verifyMs: 10_000 }, 0);
  let machine = begin({ key: OWN, aptpl: true }, times, paths, memory, 0);
  const spent: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const now = round * 1_000;
    const start = performance.now();
    const first = step(machine, now, { is: 'tick' }, defendPolicy);
    let used = performance.now() - start;
    machine = first.machine;
    for (const { id, request } of first.asks) {
      const completion = await rig.send('a1', request);
      const again = performance.now();
      const answer = answerOf(request, completion);
      machine = step(machine, now + 1, { is: 'answer', id, answer }, defendPolicy).machine;
      used += performance.now() - again;
    }
    spent.push(used * 1000);
  }
  if (machine.memory.provenMs !== rounds * 1_000) throw new Error('nothing was proven');
  const what = 'one proof in the machine';
  return spread({ bench: 'reservation', what, unit: 'us' }, spent.slice(rounds >> 2));
}

/** Processor time of this process and its SCSI child. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  let child = 0;
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/u.test(one))) {
    try {
      if (!readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('scsi/child')) continue;
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[1]) !== process.pid) continue;
      child += ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_S;
    } catch {
      // It has ended.
    }
  }
  return (user + system) / 1_000 + child;
}

/** `rounds` times all paths at once. */
async function portMs(paths: number, rounds: number): Promise<number> {
  const file = fileURLToPath(new URL('./reservation-disk.js', import.meta.url));
  const argv = [file, String(paths)];
  const disks = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const runDir = mkdtempSync(join(tmpdir(), 'nospof-bench-'));
  const port = await openScsi({ runDir, majors: [PTY_MAJOR] });
  try {
    const devices = await new Promise<readonly string[]>((resolve) => {
      disks.stdout.once('data', (chunk: Buffer) =>
        resolve(chunk.toString('utf8').trim().split(' ')),
      );
    });
    const look = async (): Promise<void> => {
      const sent = devices.map((device) => {
        const path = { device, wwid: 'naa.6001405aaaaaaaaaaaaaaaaaaaaaaaaa' };
        return port.send(path, LOOK, { deadlineMs: 20_000 });
      });
      const completions = (await Promise.all(sent)).flat();
      if (completions.some(({ kind }) => kind !== 'done')) throw new Error('no answer');
    };
    for (let round = 0; round < Math.ceil(rounds / 4); round += 1) await look();
    const before = processorMs();
    for (let round = 0; round < rounds; round += 1) await look();
    return (processorMs() - before) / rounds;
  } finally {
    await port.close();
    disks.stdin.end();
    rmSync(runDir, { recursive: true, force: true });
  }
}

async function benchPort(quick: boolean): Promise<readonly Figure[]> {
  const bench = 'reservation';
  const note = 'both processes; a pseudoterminal in place of sg';
  const alone = await portMs(1, quick ? 200 : 1_000);
  const all = await portMs(DISKS * 2, quick ? 20 : 60);
  return [
    {
      bench,
      what: 'identity, READ RESERVATION, READ KEYS through the port, processor',
      value: alone,
      unit: 'ms',
      atMost: 0.3,
      note,
    },
    {
      bench,
      what: `the same for ${DISKS} disks of two paths at once, each second, processor`,
      value: all / 10,
      unit: '%',
      atMost: 2,
      note,
    },
  ];
}

export async function benchReservation(quick: boolean): Promise<readonly Figure[]> {
  const rounds = quick ? 400 : 4_000;
  return [
    ...(await benchCodec(rounds)),
    ...(await benchProof(rounds)),
    ...(await benchPort(quick)),
  ];
}
