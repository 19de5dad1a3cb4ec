/**
 * The agent in the foreground, until a signal. It shows the world on the screen and
 * by the API; SIGHUP reads the configuration again, and a bad one changes nothing.
 */
import type { ChildProcess } from 'node:child_process';
import { tableLines } from '../../exporters/status/table.ts';
import { viewOf } from '../../exporters/status/view.ts';
import type { ComponentId } from '../../rules/model.ts';
import { type Agent, lookOnce, startAgent } from '../agent.ts';
import { type Api, type ApiCommand, openApi } from '../api/feed.ts';
import { prepareFolders } from '../config/folders.ts';
import { formatProblems } from '../config/problems.ts';
import { maintenanceWord } from '../maintenance.ts';
import { monotonicNow } from '../ports/clock.ts';
import { serviceWord } from '../services/word.ts';
import type { ParsedArgs } from './args.ts';
import { type Live, openLive } from './live.ts';
import { complain, complainLines, print } from './print.ts';
import { type Setup, setUp } from './setup.ts';

/** What has not ended by then is left to the kernel: a stuck disk must not keep the agent. */
const CLOSE_MS = 900;
/** Sentences of trouble kept for the terminal, printed when the screen is given back. */
const TROUBLES_MAX = 100;

interface Running {
  readonly agent: Agent;
  readonly api: Api;
  readonly live: Live;
}

async function onCommand(agent: Agent, command: ApiCommand): Promise<string> {
  const { loop } = agent;
  if (command.verb !== 'forget') {
    const world = loop.world();
    const { word, answer } =
      command.verb === 'service' ? serviceWord(world, command) : maintenanceWord(world, command);
    loop.tell({ kind: 'word', at: monotonicNow(), word });
    return answer;
  }
  const { verb, component } = command;
  const id = component as ComponentId;
  if (!loop.knows(id)) throw new Error(`no component ${component}`);
  const { health } = loop.world().components.find((one) => one.id === id) ?? {};
  if (health !== 'absent')
    throw new Error(`${component} is ${health}, only an absent one can be forgotten`);
  loop.tell({ kind: verb, component: id });
  return `${component} is forgotten`;
}

/** Takes what can be taken from the new configuration while running; the rest is said. */
async function reload(args: ParsedArgs, before: Setup, agent: Agent): Promise<Setup> {
  const after = await setUp(args, { rules: true });
  if (after === undefined) {
    complain('the configuration was not reloaded: the one before stays in force');
    return before;
  }
  const fixed = [
    'node',
    'listen',
    'roots',
    'stateDir',
    'runDir',
    'collectors',
    'reach',
    'seriesMax',
  ] as const;
  const differs = fixed.filter(
    (key) => JSON.stringify(before.config[key]) !== JSON.stringify(after.config[key]),
  );
  agent.loop.tell({ kind: 'judgement', judgement: after.config.judgement });
  const rest = differs.length === 0 ? '' : `; restart to change ${differs.join(', ')}`;
  complain(`the configuration was reloaded${rest}`);
  return { ...before, config: { ...before.config, judgement: after.config.judgement } };
}

/** Resolves with the signal that ends the agent; caught from the first moment on. */
function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(signal));
  });
}

async function close({ agent, api, live }: Running): Promise<void> {
  live.close();
  const late = setTimeout(() => process.kill(process.pid, 'SIGKILL'), CLOSE_MS);
  await Promise.all([agent.close(), api.close()]);
  clearTimeout(late);
}

async function start(
  setup: Setup,
  args: ParsedArgs,
  first: ChildProcess | undefined,
  troubles: string[],
): Promise<Running> {
  const { config, collectors } = setup;
  let live: Live | undefined;
  let agent: Agent | undefined;
  let api: Api | undefined;
  const screen = process.stdout.isTTY === true;
  const onTrouble = (why: string): void => {
    // On a screen it would be drawn over at once: it is kept for the end.
    if (!screen) complain(why);
    else if (troubles.length < TROUBLES_MAX) troubles.push(why);
  };
  // Both start at once; what the agent sees before the API listens is published when it does.
  const opening = openApi({
    config,
    first,
    onTrouble,
    onCommand: async (command) => {
      if (agent === undefined) throw new Error('the agent is still starting');
      return onCommand(agent, command);
    },
  });
  const starting = startAgent({
    config,
    collectors,
    polling: args.switches.has('polling'),
    onTrouble,
    onWorld: (world, vitals, samples) => {
      api?.publish(world, vitals, samples);
      live?.show(world, vitals);
    },
  });
  const [opened, started] = await Promise.allSettled([opening, starting]);
  if (opened.status === 'rejected' || started.status === 'rejected') {
    if (opened.status === 'fulfilled') await opened.value.close();
    if (started.status === 'fulfilled') await started.value.close();
    throw opened.status === 'rejected' ? opened.reason : (started as PromiseRejectedResult).reason;
  }
  api = opened.value;
  agent = started.value;
  live = openLive(process.stdout, screen);
  // The socket is ours: no other agent acts here.
  await agent.takeUp();
  // The next world may be a second away.
  api.publish(agent.loop.world(), agent.vitals(), []);
  if (!screen && config.listen !== undefined) {
    const { host, port } = config.listen;
    complain(`page and metrics on http://${host.includes(':') ? `[${host}]` : host}:${port}/`);
  }
  return { agent, api, live };
}

async function once(setup: Setup): Promise<number> {
  const { picture, vitals } = await lookOnce({ ...setup, onTrouble: complain });
  const columns = process.stdout.columns ?? 120;
  const options = { columns, rows: undefined, colour: false };
  print(tableLines(viewOf(picture, vitals), options).join('\n'));
  return 0;
}

/** The exit status. `first` is an API process that was started ahead; it is the caller's to end. */
export async function runInForeground(
  args: ParsedArgs,
  first: ChildProcess | undefined,
): Promise<number> {
  const setup = await setUp(args, { rules: true });
  if (setup === undefined) return 2;
  if (args.switches.has('once')) return once(setup);
  const problems = await prepareFolders(setup.config);
  if (problems.length > 0) {
    complainLines(formatProblems(problems));
    return 2;
  }
  const troubles: string[] = [];
  const ended = untilSignal();
  let hangup = (): void => {};
  process.on('SIGHUP', () => hangup());
  let running: Running;
  try {
    running = await start(setup, args, first, troubles);
  } catch (error) {
    complain((error as Error).message);
    return 2;
  }
  const { agent } = running;
  let current = setup;
  let reloading = Promise.resolve();
  hangup = () => {
    reloading = reloading.then(async () => {
      current = await reload(args, current, agent);
    });
  };
  await ended;
  await close(running);
  for (const why of troubles) complain(why);
  return 0;
}
