/** The machine as a whole, and the agent that runs on it. */
import { join } from 'node:path';
import { stringify } from 'yaml';
import { DIST } from '../host/files.ts';
import { type Node, type Part, run } from './part.ts';

export const AGENT_PORT = 9974;
const FOLDER = '/run/lab/nospof';
export const STATE: string = `${FOLDER}/state`;
export const AGENT_LOG = '/run/lab/agent.log';
const MAIN = join(DIST, 'agent/main.js');
/** A command of nospof in the machine, for the agent there. */
export function command(...words: readonly string[]): [string, ...string[]] {
  return [process.execPath, MAIN, ...words, '--run', `${FOLDER}/run`];
}
/** Room for the journal of a scenario, and small enough to be filled at once. */
const STATE_SIZE = 'size=32m';
const pids = new Map<string, number>();

async function startAgent(node: Node): Promise<number> {
  const config = { node: node.name, listen: `127.0.0.1:${AGENT_PORT}`, ...node.spec.config };
  await node.vm.guest.write('/run/lab/nospof.yaml', stringify(config));
  const { at, pid } = await node.vm.guest.ask({
    op: 'start',
    argv: [
      process.execPath,
      MAIN,
      'run',
      ...['--config', '/run/lab/nospof.yaml'],
      ...['--state', STATE, '--run', `${FOLDER}/run`],
    ],
    log: AGENT_LOG,
  });
  if (pid !== undefined) pids.set(node.name, pid);
  return at;
}

async function signal(node: Node, name: string): Promise<number> {
  const pid = pids.get(node.name);
  if (pid === undefined) throw new Error(`no agent runs on ${node.name}`);
  return (await node.vm.guest.ask({ op: 'signal', pid, signal: name })).at;
}

export const part: Part = {
  name: 'system',
  has: () => true,
  settle: async (node) => {
    await run(node, 'mkdir', '-p', STATE, `${FOLDER}/run`);
    await run(node, 'mount', '-t', 'tmpfs', '-o', `mode=0700,${STATE_SIZE}`, 'state', STATE);
  },
  verbs: [
    { form: 'agent start', about: 'nospof is started', act: startAgent },
    { form: 'agent stop', about: 'nospof is told to end', act: (node) => signal(node, 'SIGTERM') },
    { form: 'agent kill', about: 'nospof is killed', act: (node) => signal(node, 'SIGKILL') },
    { form: 'agent hang', about: 'nospof is stopped', act: (node) => signal(node, 'SIGSTOP') },
    { form: 'agent go', about: 'nospof goes on', act: (node) => signal(node, 'SIGCONT') },
    {
      form: 'node hang',
      about: 'the whole machine stands still',
      act: async (node) => void (await node.vm.qmp.execute('stop')) as undefined,
    },
    {
      form: 'node go',
      about: 'it goes on',
      act: async (node) => void (await node.vm.qmp.execute('cont')) as undefined,
    },
    {
      form: 'node cut',
      about: 'the power of the machine is cut',
      act: async (node) => {
        node.vm.cutPower();
        await node.vm.ended;
        return undefined;
      },
    },
    {
      form: 'node boot',
      about: 'a machine that ended is booted again',
      act: async (node) => {
        if (node.power?.gives(node.name) === false) throw new Error(`${node.name} has no power`);
        await node.start();
        return undefined;
      },
    },
    {
      form: 'clock jump SECONDS',
      about: 'wall-clock time jumps',
      act: async (node, [seconds]) => {
        await run(node, 'date', '-s', `@${Math.round(Date.now() / 1000) + Number(seconds)}`);
        return undefined;
      },
    },
    {
      form: 'state fill',
      about: "the disk under nospof's state is full",
      act: async (node) => {
        const to = `of=${STATE}/ballast`;
        await node.vm.guest.runAll([{ argv: ['dd', 'if=/dev/zero', to, 'bs=64k'] }]);
        return undefined;
      },
    },
    {
      form: 'state free',
      about: 'it has room again',
      act: async (node) => {
        await run(node, 'rm', '-f', `${STATE}/ballast`);
        return undefined;
      },
    },
  ],
};
