/**
 * How long from the kill of a service to its new process: under the agent, and under Debian's monit at its
 * fastest setting, on the same machine in the same run. The clock stops when the new process itself speaks
 * through a pipe, so its exec and the first line of its script count too: the fork was earlier.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { constants, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openKeeper } from '../../agent/services/process/client.ts';
import { startNospof, until200, workFolder } from './process.ts';
import { type Figure, percentile, spread } from './report.ts';
import { makeTree, SMALL } from './tree.ts';

const MONIT = '/usr/bin/monit';
const KILLS = 240;
const MONIT_KILLS = 30;
const RESTART_MS_MAX = 25;
const RATIO_MIN = 20;
const HANG_MS = 20_000;
const NAME = 'victim';

/** Each new process writes its pid into the pipe. */
interface Births {
  /** The next one, and when its word came. */
  readonly next: () => Promise<{ readonly pid: number; readonly at: number }>;
  readonly close: () => void;
}

function openBirths(path: string): Births {
  spawnSync('/usr/bin/mkfifo', ['-m', '600', path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  const born: { pid: number; at: number }[] = [];
  let wake = (): void => undefined;
  socket.on('data', (chunk: Buffer) => {
    const at = performance.now();
    for (const word of chunk.toString().trim().split('\n')) born.push({ pid: Number(word), at });
    wake();
  });
  return {
    next: async () => {
      const late = performance.now() + HANG_MS;
      for (;;) {
        const one = born.shift();
        if (one !== undefined) return one;
        if (performance.now() > late) throw new Error('the service was not started again');
        await Promise.race([
          new Promise<void>((resolve) => {
            wake = resolve;
          }),
          pause(HANG_MS / 10),
        ]);
      }
    },
    close: () => socket.destroy(),
  };
}

/** Kills it again and again, at moments that no timer knows. */
async function killed(births: Births, kills: number): Promise<readonly number[]> {
  const times: number[] = [];
  let { pid } = await births.next();
  for (let count = 0; count < kills; count += 1) {
    await pause(150 + Math.random() * 100);
    const from = performance.now();
    process.kill(pid, 'SIGKILL');
    const born = await births.next();
    times.push(born.at - from);
    pid = born.pid;
  }
  return times;
}

function script(path: string, text: string): string {
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

async function underNospof(folder: string, kills: number): Promise<readonly number[]> {
  const machine = join(folder, 'machine');
  mkdirSync(machine);
  const tree = makeTree(machine, SMALL);
  const fifo = join(folder, 'births');
  const births = openBirths(fifo);
  const program = script(
    join(folder, NAME),
    `#!/bin/sh\necho $$ > ${fifo}\nexec /bin/sleep 1000\n`,
  );
  const config = join(folder, 'services.yaml');
  const restart = 'restart: {count: 10000, within: 1h, delays: [0s], settle: 0s}';
  const toxic = 'toxic: {count: 64, within: 100ms}';
  writeFileSync(
    config,
    `services: [{name: ${NAME}, command: [${program}], ${restart}, ${toxic}}]\n`,
  );
  const nospof = await startNospof(tree, folder, { config });
  try {
    await until200(nospof, '/readyz');
    return await killed(births, kills);
  } finally {
    await nospof.stop();
    await endKeeper(join(folder, 'agent'));
    births.close();
    tree.close();
  }
}

async function endKeeper(runDir: string): Promise<void> {
  const keeper = openKeeper(runDir, () => undefined);
  const late = performance.now() + HANG_MS;
  while (keeper.pid() === undefined && performance.now() < late) await pause(20);
  const stop = {
    do: 'stop',
    name: NAME,
    signal: 'SIGKILL',
    deadlineMs: 0,
    patienceMs: 1_000,
  } as const;
  await keeper.ask(stop);
  await keeper.ask({ do: 'end' });
  keeper.close();
}

async function underMonit(folder: string, kills: number): Promise<readonly number[]> {
  const fifo = join(folder, 'monit-births');
  const births = openBirths(fifo);
  const pidfile = join(folder, 'monit-victim.pid');
  const program = script(
    join(folder, 'monit-victim'),
    `#!/bin/sh\necho $$ > ${pidfile}\necho $$ > ${fifo}\nexec /bin/sleep 1000\n`,
  );
  const start = script(
    join(folder, 'monit-start'),
    `#!/bin/sh\n/usr/bin/setsid ${program} </dev/null >/dev/null 2>&1 &\n`,
  );
  const config = join(folder, 'monitrc');
  writeFileSync(
    config,
    [
      'set daemon 1',
      `set pidfile ${join(folder, 'monit.pid')}`,
      `set idfile ${join(folder, 'monit.id')}`,
      `set statefile ${join(folder, 'monit.state')}`,
      `check process ${NAME} with pidfile ${pidfile}`,
      `  start program = "${start}"`,
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  const monit = spawn(MONIT, ['-I', '-c', config], { stdio: 'ignore' });
  try {
    return await killed(births, kills);
  } finally {
    await endMonit(monit);
    spawnSync('/usr/bin/pkill', ['-KILL', '-F', pidfile]);
    births.close();
  }
}

async function endMonit(monit: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => monit.once('exit', resolve));
  monit.kill('SIGKILL');
  await gone;
}

export async function benchRestart(quick: boolean): Promise<readonly Figure[]> {
  const bench = 'restart';
  const work = workFolder();
  try {
    const own = await underNospof(work.path, quick ? 20 : KILLS);
    const what = 'service killed to its new process speaking';
    const figures = [...spread({ bench, what, unit: 'ms' }, own, { p99: RESTART_MS_MAX })];
    if (!existsSync(MONIT)) {
      const note = 'monit is not installed';
      return [...figures, { bench, what: 'under monit', value: undefined, unit: 'ms', note }];
    }
    const theirs = await underMonit(work.path, quick ? 5 : MONIT_KILLS);
    const ratio = percentile(theirs, 0.5) / percentile(own, 0.5);
    return [
      ...figures,
      ...spread({ bench, what: 'the same under monit, set daemon 1', unit: 'ms' }, theirs),
      {
        bench,
        what: `medians, monit to nospof (at least ${RATIO_MIN})`,
        value: ratio,
        unit: 'ratio',
        note: ratio >= RATIO_MIN ? 'pass' : 'miss',
      },
    ];
  } finally {
    work.remove();
  }
}
