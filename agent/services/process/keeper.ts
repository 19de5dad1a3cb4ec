/**
 * The keeper: a small process that is the parent of all services of the process driver, outlives the
 * agent, keeps how each ended, and does what an agent tells it over a socket that only its user can
 * open. It decides nothing. One agent is heard at a time: the newest.
 *
 *     keeper.js RUN-FOLDER
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type KeeperLibc, openKeeperLibc } from './libc.ts';
import { processInfo, zombies } from './processes.ts';
import {
  type Ask,
  type FromKeeper,
  KEEPER_PROTOCOL,
  KEEPER_SOCKET,
  lineReader,
  type Reply,
  type ToKeeper,
} from './protocol.ts';
import { openRuns, type RunRecord, type Runs } from './runs.ts';
import { openScope } from './scope.ts';

const REAP_AFTER_MS = 200;
/** An agent that reads nothing is let go of. */
const UNREAD_BYTES_MAX = 1024 * 1024;

const [, , runDir = ''] = process.argv;
const folder = join(runDir, 'keeper');
const recordFile = join(folder, 'runs.json');
const socketPath = join(runDir, KEEPER_SOCKET);
const domain = createHash('sha256').update(runDir).digest('hex').slice(0, 8);

let agent: Socket | undefined;

function say(to: Socket | undefined, words: FromKeeper): void {
  if (to === undefined || to.destroyed) return;
  to.write(`${JSON.stringify(words)}\n`);
  if (to.writableLength > UNREAD_BYTES_MAX) to.destroy();
}

/** In memory (a tmpfs): no disk can hold this up, and a reboot takes it with it. */
function writeDown(runs: Runs): void {
  try {
    writeFileSync(`${recordFile}.new`, JSON.stringify(runs.records()), { mode: 0o600 });
    renameSync(`${recordFile}.new`, recordFile);
  } catch {
    // A full run folder: the services run on; only the next keeper would not find them.
  }
}

function isRecord(value: unknown): value is RunRecord {
  const { name, run, pid, ticks, startedMs } = (value ?? {}) as { [key: string]: unknown };
  return (
    typeof name === 'string' &&
    typeof run === 'string' &&
    [pid, ticks, startedMs].every((one) => typeof one === 'number' && Number.isFinite(one))
  );
}

/** What an earlier keeper wrote down and is still true. */
function readRecords(): readonly RunRecord[] {
  try {
    const value: unknown = JSON.parse(readFileSync(recordFile, 'utf8'));
    if (!Array.isArray(value)) return [];
    return value.filter(isRecord).map((record) => {
      if (record.exit !== undefined || processInfo(record.pid)?.ticks === record.ticks)
        return record;
      const lastLine = 'ended while no keeper looked';
      const exit = {
        run: record.run,
        how: 'unknown' as const,
        value: 0,
        afterStartMs: 0,
        lastLine,
      };
      return { ...record, exit };
    });
  } catch {
    return [];
  }
}

async function carryOut(runs: Runs, ask: Ask): Promise<Reply> {
  switch (ask.do) {
    case 'hello':
      return { ok: true, kept: { is: 'none' }, protocol: KEEPER_PROTOCOL, pid: process.pid };
    case 'look':
      return { ok: true, kept: runs.look(ask.name) };
    case 'start': {
      const { name } = ask.start;
      const started = await runs.start(ask.start);
      writeDown(runs);
      const kept = runs.look(name);
      if (started.ok) return { ok: true, kept };
      const { why, lasting } = started;
      return { ok: false, why, kept, ...(lasting ? { lasting: true } : {}) };
    }
    case 'stop': {
      const why = await runs.stop(ask.name, ask.signal, ask.deadlineMs, ask.patienceMs);
      const kept = runs.look(ask.name);
      return why === undefined ? { ok: true, kept } : { ok: false, why, kept };
    }
    case 'end':
      if (runs.running() > 0) {
        return { ok: false, why: `${runs.running()} services run`, kept: { is: 'none' } };
      }
      setImmediate(() => process.exit(0));
      return { ok: true, kept: { is: 'none' } };
    default:
      return { ok: false, why: 'this keeper does not know that word', kept: { is: 'none' } };
  }
}

function serve(socket: Socket, runs: Runs): void {
  agent?.destroy();
  agent = socket;
  const hear = (line: string): void => {
    let words: ToKeeper;
    try {
      words = JSON.parse(line) as ToKeeper;
    } catch {
      socket.destroy();
      return;
    }
    void carryOut(runs, words).then(
      (reply) => say(socket, { answer: words.ask, ...reply }),
      (error: Error) =>
        say(socket, { answer: words.ask, ok: false, why: error.message, kept: { is: 'none' } }),
    );
  };
  const read = lineReader(hear, () => socket.destroy());
  socket.setEncoding('utf8').on('data', (text: string) => read(text));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    if (agent === socket) agent = undefined;
  });
}

/** Ends this process when another keeper answers; else the socket is a dead one's and is removed. */
function makeWay(): Promise<void> {
  return new Promise((resolve) => {
    const probe = connect(socketPath);
    probe.once('connect', () => process.exit(0));
    probe.once('error', () => {
      try {
        unlinkSync(socketPath);
      } catch {
        // There is none.
      }
      resolve();
    });
  });
}

/** Orphans that come to this process are reaped here; Node waits for its own children alone. */
function reapOrphans(runs: Runs, libc: KeeperLibc): void {
  let soon = false;
  process.on('SIGCHLD', () => {
    if (soon) return;
    soon = true;
    setTimeout(() => {
      soon = false;
      for (const pid of zombies(runs.owns)) libc.reap(pid);
    }, REAP_AFTER_MS);
  });
}

async function main(): Promise<void> {
  process.title = 'nospof-keeper';
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const) {
    // Only `end`, or the kernel, ends it: a terminal's or an init's signal is meant for the agent.
    process.on(signal, () => undefined);
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await makeWay();
  // Whoever ends all in the agent's control group does not mean the services.
  openScope(domain, 'keeper')?.take(process.pid);
  const libc = await openKeeperLibc();
  const subreaper = libc?.becomeSubreaper() ?? false;
  const runs = openRuns({
    folder,
    domain,
    libc,
    subreaper,
    onChange: (name) => {
      const kept = runs.look(name);
      say(agent, { news: name, kept });
      if (kept.is === 'ended') writeDown(runs);
    },
  });
  if (libc !== undefined) reapOrphans(runs, libc);
  runs.adopt(readRecords());
  writeDown(runs);
  const server = createServer((socket) => serve(socket, runs));
  server.on('error', () => process.exit(1));
  process.umask(0o177);
  server.listen(socketPath, () => process.umask(0o022));
}

await main();
