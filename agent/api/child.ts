/**
 * The API process: renders and answers off the agent's loop, and may die at any time without the agent
 * noticing more than a restart. It keeps nothing, writes nothing but its socket, and ends when the agent
 * does (the channel closes). Signals that a terminal sends to all are left to the agent to judge.
 */
import type { FastifyInstance } from 'fastify';
import { ListenError, openSocket, openTcp } from './listen.ts';
import type { ApiCommand, ChildSettings, FromChild, ToChild } from './messages.ts';
import { openMetrics } from './metrics.ts';
import { buildServer } from './server.ts';
import { type ApiState, openState } from './state.ts';
import { openStream, type Stream } from './stream.ts';

/** A connection that will not end must not keep an orphan alive. */
const CLOSE_DEADLINE_MS = 1_000;

interface Asked {
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
}

interface Running {
  readonly state: ApiState;
  readonly stream: Stream;
  readonly servers: FastifyInstance[];
}

const asked = new Map<number, Asked>();
let askedCount = 0;
let running: Running | undefined;

function nowMs(): number {
  return performance.now();
}

function tell(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

/** Asks the agent. What it has not answered by the deadline may have happened or not, and is said so. */
function ask(command: ApiCommand, deadlineMs: number): Promise<string> {
  askedCount += 1;
  const id = askedCount;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      asked.delete(id);
      reject(new Error('the agent did not answer in time; whether it did it is not known'));
    }, deadlineMs);
    const end = (): void => {
      clearTimeout(timer);
      asked.delete(id);
    };
    asked.set(id, {
      resolve: (text) => {
        end();
        resolve(text);
      },
      reject: (error) => {
        end();
        reject(error);
      },
    });
    tell({ kind: 'command', id, command });
  });
}

async function open(settings: ChildSettings): Promise<void> {
  const { limits, listen } = settings;
  const metrics = openMetrics(settings);
  const state = openState(metrics, limits.oldAfterMs, nowMs);
  const stream = openStream(state, nowMs);
  const servers: FastifyInstance[] = [];
  running = { state, stream, servers };
  const command = (order: ApiCommand): Promise<string> => ask(order, limits.commandDeadlineMs);
  try {
    const patienceMs = limits.listenPatienceMs;
    // The socket first: it tells a second agent apart from another program on the port.
    const buildUnix = (): FastifyInstance =>
      buildServer({ state, metrics, stream, side: { kind: 'unix', command } });
    servers.push(await openSocket(buildUnix, settings.runDir, patienceMs));
    if (listen !== undefined) {
      const { host } = listen;
      const buildTcp = (): FastifyInstance =>
        buildServer({ state, metrics, stream, side: { kind: 'tcp', host } });
      servers.push(await openTcp(buildTcp, listen, patienceMs));
    }
    tell({ kind: 'listening' });
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    tell({ kind: 'refused', why: error.message });
    await close();
  }
}

/** Lets go of port and socket, then ends. */
async function close(): Promise<void> {
  setTimeout(() => process.exit(1), CLOSE_DEADLINE_MS).unref();
  running?.stream.close();
  await Promise.all((running?.servers ?? []).map((server) => server.close()));
  process.exit(0);
}

function onMessage(message: ToChild): void {
  switch (message.kind) {
    case 'open':
      void open(message.settings);
      return;
    case 'feed':
      running?.state.take(message);
      running?.stream.told(message.urgent);
      tell({ kind: 'ack' });
      return;
    case 'answer': {
      const waiting = asked.get(message.id);
      if (message.done) waiting?.resolve(message.text);
      else waiting?.reject(new Error(message.text));
      return;
    }
    case 'close':
      void close();
      return;
  }
}

process.title = 'nospof-api';
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => void close());
process.on('message', (message) => onMessage(message as ToChild));
