/**
 * Reservations on real targets by real initiators: `node dist/test/lab/reservations/main.js [NAME]...`. Not
 * a scenario of the lab, because two nodes act at once and no agent watches; it boots the same machines.
 */
import { certify, type Stand } from '../../../agent/disks/certify.ts';
import { judge, type Verdict } from '../../../fencing/reservation/certify.ts';
import { cacheAt, DEFAULT_CACHE } from '../host/files.ts';
import { makeImage } from '../host/image.ts';
import { makeInitramfs } from '../host/initramfs.ts';
import { prepare } from '../host/prepare.ts';
import { clearKilled, openRunFolder } from '../host/run-folder.ts';
import type { Host } from '../vm/vm.ts';
import { openStage, type Stage, say, sharedDisk, standOf } from './stage.ts';
import { loginTgt, startTgt } from './target.ts';
import { commands, contest, cost, fence, hang, look, path, state, twin, wipe } from './trials.ts';

type Trial = (stage: Stage) => Promise<void>;

function verdictLine({ check, is, seen }: Verdict): string {
  return `${String(check.number).padStart(2)} ${is.padEnd(8)} ${check.name}: ${seen}`;
}

/** tgt lacks PREEMPT AND ABORT, APTPL and full status: the list names what is missing. */
async function tgt(stage: Stage): Promise<void> {
  await startTgt(stage.store);
  for (const { node } of [stage.alpha, stage.beta]) await loginTgt(node);
  const lio = await sharedDisk(stage.alpha);
  const disk = await sharedDisk(stage.alpha, lio);
  say(`tgt: ${disk.wwid}`);
  await certifyStage(stage, await standOf(stage, lio));
}

async function certifyStage(stage: Stage, on?: Stand, numbers?: readonly number[]): Promise<void> {
  const stand = on ?? (await standOf(stage));
  const verdicts = await certify(stand, (verdict) => say(verdictLine(verdict)), numbers);
  const { arm, why } = judge(verdicts);
  say(`armed: ${arm}`);
  for (const line of why) say(`  ${line}`);
}

const TRIALS: Readonly<Record<string, Trial>> = {
  state,
  contest,
  look,
  twin,
  commands,
  certify: (stage) => certifyStage(stage),
  power: (stage) => certifyStage(stage, undefined, [23, 30]),
  fence,
  path,
  cost,
  hang,
  tgt,
};

async function main(): Promise<number> {
  const cache = cacheAt(DEFAULT_CACHE);
  const prepared = prepare(cache);
  if (prepared.kind === 'skip') {
    say(`skipped: ${prepared.why}`);
    return 0;
  }
  const { kernel, accel } = prepared;
  clearKilled(cache);
  const folder = openRunFolder(cache);
  const host: Host = {
    kernel,
    accel,
    initramfs: makeInitramfs(cache, kernel, folder),
    image: makeImage(cache, folder),
    run: folder,
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void folder.close().finally(() => process.exit(130)));
  }
  const names = process.argv.slice(2);
  let failed = 0;
  try {
    say(`booting, ${accel}`);
    const stage = await openStage(host);
    try {
      for (const name of names.length > 0 ? names : Object.keys(TRIALS)) {
        const trial = TRIALS[name];
        if (trial === undefined)
          throw new Error(`no trial ${name}: ${Object.keys(TRIALS).join(', ')}`);
        say(`--- ${name}`);
        try {
          await wipe(stage);
          await trial(stage);
        } catch (error) {
          failed += 1;
          say(`FAILED ${name}: ${(error as Error).message}`);
        }
      }
    } finally {
      await stage.close();
    }
    return failed === 0 ? 0 : 1;
  } finally {
    await folder.close();
  }
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exit(1);
}
