/** What is tried on the real target beside the list of `certify`: each says what was seen, in figures. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Key, keyOf } from '../../../fencing/reservation/key.ts';
import type { Table } from '../../../fencing/reservation/table.ts';
import { run } from '../parts/part.ts';
import type { Lender } from './lender.ts';
import type { LoadReport } from './load.ts';
import { type Stage, say, sharedDisk } from './stage.ts';
import { stateFolder } from './target.ts';

const MAP = '/dev/mapper/mpatha';
const ROUNDS = 50;

function key(node: number): Key {
  const made = keyOf({ cluster: 0xc1, node, boot: 0x1ab0_0000 + node });
  if (made === undefined) throw new Error('no key');
  return made;
}

const ALPHA = key(1);
const BETA = key(2);

interface Ran {
  readonly result: { readonly is: string; readonly why?: string } | undefined;
  readonly memory: Readonly<Record<string, unknown>>;
  readonly table: Table | undefined;
  readonly tookMs: number;
}

async function ran(
  lender: Lender,
  name: 'claim' | 'challenge' | 'defend' | 'release',
  own: Key,
  options: { readonly victim?: Key; readonly withinMs?: number; readonly by?: 'sg_persist' } = {},
): Promise<Ran> {
  const { withinMs = 30_000 } = options;
  const { wwid } = await sharedDisk(lender);
  const order = { op: 'machine', name, wwid, key: own, aptpl: true, ...options, withinMs } as const;
  return lender.order<Ran>(order, withinMs + 30_000);
}

function mustBe({ result }: Ran, is: string): void {
  if (result?.is !== is)
    throw new Error(`${result?.is ?? 'no end'} (${result?.why ?? ''}) instead of ${is}`);
}

export async function wipe({ alpha, beta }: Stage): Promise<void> {
  await ran(alpha, 'release', ALPHA);
  await ran(beta, 'release', BETA);
}

/** LIO without its folder answers not ready although the key is registered. */
export async function state(stage: Stage): Promise<void> {
  await stateFolder(stage.store, false);
  try {
    const one = await ran(stage.alpha, 'claim', ALPHA);
    mustBe(one, 'owned');
    say(
      `without the state folder: ${one.result?.is} after ${Math.round(one.tookMs)} ms, keys ${one.table?.keys.join(' ')}`,
    );
  } finally {
    await stateFolder(stage.store, true);
    await wipe(stage);
  }
}

/** A living owner and a challenger; then a dead one. */
export async function contest(stage: Stage): Promise<void> {
  const { alpha, beta } = stage;
  mustBe(await ran(alpha, 'claim', ALPHA), 'owned');
  const defended = ran(alpha, 'defend', ALPHA, { withinMs: 12_000 });
  await pause(1_000);
  const first = await ran(beta, 'challenge', BETA);
  mustBe(first, 'alive');
  say(`a living owner: ${first.result?.why} after ${Math.round(first.tookMs)} ms`);
  const owner = await defended;
  if (owner.result !== undefined) throw new Error(`the owner ended: ${owner.result.is}`);
  const second = await ran(beta, 'challenge', BETA);
  mustBe(second, 'owned');
  say(`a dead owner: taken after ${Math.round(second.tookMs)} ms (wait 1500 ms)`);
  const late = await ran(alpha, 'defend', ALPHA, { withinMs: 5_000 });
  mustBe(late, 'lost');
  say(`the old owner: ${late.result?.why}`);
  await wipe(stage);
}

/** Fifty rounds: writes of the victim in flight, and none lands after the proof of the new owner. */
export async function fence(stage: Stage): Promise<void> {
  const sides = [
    { lender: stage.alpha, own: ALPHA },
    { lender: stage.beta, own: BETA },
  ] as const;
  const { alpha } = stage;
  mustBe(await ran(alpha, 'claim', ALPHA), 'owned');
  const times: number[] = [];
  let accepted = 0;
  let refused = 0;
  const errors = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const loser = sides[round % 2 === 0 ? 0 : 1];
    const winner = sides[round % 2 === 0 ? 1 : 0];
    await loser.lender.order({ op: 'load', device: MAP, epoch: round });
    await pause(150);
    const taken = await ran(winner.lender, 'claim', winner.own, { victim: loser.own });
    mustBe(taken, 'owned');
    const before = await winner.lender.order<string>({ op: 'stamps', device: MAP });
    times.push(taken.tookMs);
    await pause(250);
    const report = await loser.lender.order<LoadReport>({ op: 'unload', device: MAP });
    const after = await winner.lender.order<string>({ op: 'stamps', device: MAP });
    if (before !== after)
      throw new Error(`round ${round}: a write landed: ${before} became ${after}`);
    accepted += report.done;
    refused += Object.values(report.failed).reduce((sum, one) => sum + one, 0);
    if (Object.keys(report.failed).length === 0) {
      throw new Error(`round ${round}: nothing was refused`);
    }
    for (const name of Object.keys(report.failed)) errors.add(name);
  }
  times.sort((a, b) => a - b);
  const p50 = Math.round(times[ROUNDS >> 1] ?? 0);
  say(
    `${ROUNDS} rounds: ${accepted} writes before, ${refused} refused (${[...errors].join(', ')}), none after the proof; taking it p50 ${p50} ms, max ${Math.round(times.at(-1) ?? 0)} ms`,
  );
  await wipe(stage);
}

async function session(lender: Lender, verb: '--login' | '--logout'): Promise<void> {
  await run(lender.node, 'iscsiadm', '-m', 'node', '-p', '10.0.2.1', verb);
}

/** A path goes and comes back under load: by its cable, and with its session made anew. */
export async function path(stage: Stage): Promise<void> {
  const { alpha } = stage;
  const map = 'mpatha';
  mustBe(await ran(alpha, 'claim', ALPHA), 'owned');
  await run(alpha.node, 'mkdir', '-p', '/etc/multipath');
  const { guest } = alpha.node.vm;
  const settings = await guest.read('/etc/multipath.conf');
  const keyed = settings.replace('defaults {', 'defaults {\n  reservation_key file');
  await guest.write('/etc/multipath.conf', keyed);
  await run(alpha.node, 'multipathd', 'reconfigure');
  await pause(2_000);
  for (const [verb, ...rest] of [
    ['setprkey', 'map', map, 'key', `0x${ALPHA}`],
    ['setprstatus', 'map', map],
  ] as const) {
    const [ended] = await guest.runAll([{ argv: ['multipathd', verb, ...rest] }]);
    say(`multipathd ${verb}: ${ended?.out.trim() ?? ''}`);
  }
  for (const how of ['cable', 'session'] as const) {
    const owner = ran(alpha, 'defend', ALPHA, { withinMs: 40_000 });
    await alpha.order({ op: 'load', device: MAP, epoch: 1 });
    await pause(2_000);
    if (how === 'cable') await stage.lab.act('alpha: cable pull eth1');
    else await session(alpha, '--logout');
    await pause(10_000);
    if (how === 'cable') await stage.lab.act('alpha: cable plug eth1');
    else await session(alpha, '--login');
    await pause(15_000);
    const report = await alpha.order<LoadReport>({ op: 'unload', device: MAP });
    const { result, table } = await owner;
    const ended = result === undefined ? 'owner throughout' : `${result.is}: ${result.why}`;
    say(
      `${how}: ${report.done} writes, failed ${JSON.stringify(report.failed)}, longest gap ${Math.round(report.gapMs)} ms, ${ended}`,
    );
    say(
      `  registrations by defence ${table?.registrations?.map((one) => `${one.initiator}@${one.port}`).join(' ')}`,
    );
    const again = await ran(alpha, 'claim', ALPHA);
    say(`  claimed again: ${again.result?.is}, ${again.table?.keys.length} keys`);
  }
  await wipe(stage);
}

/** What looking costs. Under emulation everything is slower by an order of magnitude. */
export async function cost(stage: Stage): Promise<void> {
  const { alpha } = stage;
  const { wwid } = await sharedDisk(alpha);
  const seen = await alpha.order<{ usedMs: number; p50: number; p99: number }>({
    op: 'measure',
    wwid,
    count: 300,
  });
  say(
    `identity, READ RESERVATION and READ KEYS: ${seen.usedMs.toFixed(2)} ms of processor, p50 ${seen.p50.toFixed(2)} ms, p99 ${seen.p99.toFixed(2)} ms`,
  );
}

interface Lag {
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly kinds: Readonly<Record<string, number>>;
}

/** The array stands still for half a minute: the loop must not notice. */
export async function hang(stage: Stage): Promise<void> {
  const { alpha, lab } = stage;
  const { wwid } = await sharedDisk(alpha);
  const tell = (name: string, { p99Ms, maxMs, kinds }: Lag): void =>
    say(
      `${name}: loop p99 ${p99Ms.toFixed(1)} ms, max ${maxMs.toFixed(1)} ms, ${JSON.stringify(kinds)}`,
    );
  tell('answering', await alpha.order<Lag>({ op: 'lag', wwid, forMs: 10_000 }));
  const standing = alpha.order<Lag>({ op: 'lag', wwid, forMs: 34_000 }, 120_000);
  await pause(1_000);
  await lab.act('store: node hang');
  await pause(30_000);
  await lab.act('store: node go');
  tell('standing still', await standing);
  await pause(10_000);
  tell('answering again', await alpha.order<Lag>({ op: 'lag', wwid, forMs: 5_000 }));
}

/** What the programs of sg3-utils print, and what the kernel tells of a session. */
export async function look(stage: Stage): Promise<void> {
  for (const argv of [
    ['sg_persist', '--no-inquiry', '--in', '--read-keys', '--hex', '--readonly', '/dev/sg0'],
    ['sg_persist', '--no-inquiry', '--in', '--read-reservation', '--hex', '/dev/sg0'],
    ['sg_inq', '--page=0x83', '--hex', '/dev/sg0'],
    ['ls', '/sys/class/iscsi_session/session1/'],
    ['ls', '/sys/class/iscsi_connection/connection1:0/'],
    ['cat', '/sys/kernel/config/target/dbroot'],
  ] as const) {
    const node = argv[0] === 'cat' ? stage.store : stage.alpha.node;
    const [ended] = await node.vm.guest.runAll([{ argv }]);
    say(`$ ${argv.join(' ')} => ${ended?.status}\n${ended?.out}${ended?.err}`);
  }
}

/** The same by sg_persist, as where koffi is missing. */
export async function twin(stage: Stage): Promise<void> {
  const { alpha } = stage;
  const one = await ran(alpha, 'claim', ALPHA, { by: 'sg_persist', withinMs: 60_000 });
  say(
    `sg_persist: ${one.result?.is} ${one.result?.why ?? ''} after ${Math.round(one.tookMs)} ms, keys ${one.table?.keys.join(' ')}`,
  );
  mustBe(one, 'owned');
  const two = await ran(alpha, 'release', ALPHA, { by: 'sg_persist', withinMs: 60_000 });
  say(`sg_persist: ${two.result?.is} after ${Math.round(two.tookMs)} ms`);
  mustBe(two, 'released');
}

/** What an operator sees. */
export async function commands(stage: Stage): Promise<void> {
  const { alpha } = stage;
  mustBe(await ran(alpha, 'claim', ALPHA), 'owned');
  const main = new URL('../../../agent/main.js', import.meta.url).pathname;
  for (const words of [
    ['disk', 'list'],
    ['disk', 'show', MAP],
    ['disk', 'certify', MAP, '--yes'],
    ['disk', 'release', '/dev/sda', '--key', ALPHA, '--yes'],
    ['disk', 'certify', MAP, '--yes'],
    ['disk', 'show', '/dev/vda'],
  ]) {
    const [ended] = await alpha.node.vm.guest.runAll([
      { argv: [process.execPath, main, ...words], deadlineMs: 110_000 },
    ]);
    say(`$ nospof ${words.join(' ')} => ${ended?.status}\n${ended?.out}${ended?.err}`);
  }
}
