/**
 * `nospof disk`: shared disks and who has them. `list` and `show` only read; `certify` and `release` change
 * registrations and ask before they do.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { judge, type Verdict } from '../../fencing/reservation/certify.ts';
import { type Key, keyFromText, NO_KEY } from '../../fencing/reservation/key.ts';
import { releaseOf, releasePolicy } from '../../fencing/reservation/release.ts';
import type { Roots } from '../../rules/config.ts';
import { nearest } from '../../rules/near.ts';
import { certify, type Stand, tellsApart } from '../disks/certify.ts';
import { drive } from '../disks/drive.ts';
import { type Disk, findDisks, lookAt } from '../disks/look.ts';
import { findSgNodes, hasSg, holdersOf, nodesOf, wholeDiskOf } from '../disks/paths.ts';
import { lineOf, listText, showText } from '../disks/report.ts';
import { openScsi, type ScsiPort } from '../ports/scsi.ts';
import type { ParsedArgs } from './args.ts';
import { complain, print } from './print.ts';
import { setUp } from './setup.ts';

const VERBS = ['list', 'show', 'certify', 'release'] as const;
type Verb = (typeof VERBS)[number];
const RELEASE_MS = 60_000;
const CERTIFY_MS = 30_000;

interface Setting {
  readonly args: ParsedArgs;
  readonly roots: Roots;
  readonly port: ScsiPort;
}

/** Expected trouble: one line, and the exit status. */
class Trouble extends Error {
  readonly status: number;

  constructor(message: string, status = 2) {
    super(message);
    this.status = status;
  }
}

function verbOf(word: string): Verb {
  const verb = VERBS.find((one) => one === word);
  if (verb !== undefined) return verb;
  const near = nearest(word, VERBS);
  const hint = near === undefined ? `one of ${VERBS.join(', ')}` : `did you mean '${near}'?`;
  throw new Trouble(`disk does not know '${word.slice(0, 40)}' (${hint})`);
}

function allNodes({ roots }: Setting): ReturnType<typeof findSgNodes> {
  if (!hasSg(roots))
    throw new Trouble('this kernel has no SCSI disks, or not the module sg (modprobe sg)');
  return findSgNodes(roots);
}

/** All paths to the disk an operand names, whichever of them it names. */
async function diskOf(setting: Setting): Promise<Disk> {
  const operand = setting.args.operands[1] ?? '';
  if (operand === '') throw new Trouble(`${setting.args.operands[0]} needs DEV, such as /dev/sda`);
  const nodes = allNodes(setting);
  const named = nodesOf(setting.roots, nodes, operand);
  const { disks, mute } = await findDisks(setting.port, nodes);
  const found = disks.filter(
    ({ wwid, paths }) =>
      wwid === operand || paths.some(({ node }) => named.some(({ name }) => name === node.name)),
  );
  const [disk, other] = found;
  if (other !== undefined)
    throw new Trouble(`${operand} stands for several disks: name one of them`);
  if (disk !== undefined) return disk;
  const silent = mute.find(({ node }) => named.some(({ name }) => name === node.name));
  if (silent !== undefined) throw new Trouble(`${operand}: ${silent.why}`, 1);
  const whole = wholeDiskOf(setting.roots, operand);
  const hint = whole === undefined ? 'see nospof disk list' : `its disk is ${whole}`;
  throw new Trouble(`${operand} is no SCSI disk here (${hint})`);
}

async function list(setting: Setting): Promise<number> {
  const { disks, mute } = await findDisks(setting.port, allNodes(setting));
  const lines = await Promise.all(
    disks.map(async (disk) => lineOf(disk, await lookAt(setting.port, disk))),
  );
  if (setting.args.switches.has('json')) {
    const silent = mute.map(({ node, why }) => ({ path: node.name, why }));
    print(JSON.stringify({ disks: lines, mute: silent }, undefined, 2));
    return 0;
  }
  print(lines.length === 0 ? 'no SCSI disks' : listText(lines));
  for (const { node, why } of mute) complain(`${node.name}: ${why}`);
  return 0;
}

async function show(setting: Setting): Promise<number> {
  const disk = await diskOf(setting);
  const seen = await lookAt(setting.port, disk);
  if (setting.args.switches.has('json')) {
    const { table, capabilities } = seen;
    print(JSON.stringify({ ...lineOf(disk, seen), table, capabilities }, undefined, 2));
  } else print(showText(disk, seen));
  return seen.table === undefined ? 1 : 0;
}

/** Asks on a terminal; anywhere else `--yes` must be given. */
async function mustAgree({ args }: Setting, question: string): Promise<void> {
  if (args.switches.has('yes')) return;
  if (!process.stdin.isTTY) throw new Trouble(`${question}\nnospof: say --yes to do so`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${question}\nType yes to go on: `);
    if (answer.trim() !== 'yes') throw new Trouble('nothing was done', 1);
  } finally {
    lines.close();
  }
}

/** Somebody has it mounted, or something other than its own multipath map is built on it. */
function isInUse(roots: Roots, { paths }: Disk): string | undefined {
  for (const { node } of paths) {
    if (node.block === undefined) continue;
    const [map] = holdersOf(roots, node.block);
    const name = map ?? node.block;
    try {
      closeSync(
        openSync(
          join(roots.dev, name),
          constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK,
        ),
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EBUSY') return name;
    }
  }
  return undefined;
}

function verdictText({ check, is, seen }: Verdict): string {
  return `${String(check.number).padStart(2)}  ${is.padEnd(8)}  ${check.name}: ${seen}`;
}

function standOf(port: ScsiPort, disk: Disk): Stand {
  const devices = disk.paths.map(({ node }) => node.device);
  const send: Stand['send'] = async (by, request) => {
    const path = { device: devices[by === 'a' ? 0 : 1] ?? '', wwid: disk.wwid };
    const [completion] = await port.send(path, [request], { deadlineMs: CERTIFY_MS });
    return completion ?? { kind: 'unsent', why: 'no answer' };
  };
  return {
    send,
    begin: send,
    event: async () => false,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    expendable: false,
  };
}

async function certifyDisk(setting: Setting): Promise<number> {
  const { port, roots, args } = setting;
  const disk = await diskOf(setting);
  if (port.mode !== 'sg') throw new Trouble('certify needs koffi, which does not load here');
  if (disk.paths.length < 2) {
    throw new Trouble('certify needs two paths to the disk: log in by a second portal or adapter');
  }
  const used = isInUse(roots, disk);
  if (used !== undefined) throw new Trouble(`${used} is in use: certify writes to the disk`, 1);
  const seen = await lookAt(port, disk);
  const keys = Object.keys(lineOf(disk, seen).keys);
  if (keys.length > 0)
    throw new Trouble(
      `${disk.wwid} has registrations (${keys.join(', ')}): certify would remove them`,
      1,
    );
  await mustAgree(
    setting,
    `certify changes the registrations of ${disk.wwid} and writes to its last block, which it puts back.`,
  );
  const json = args.switches.has('json');
  const stand = standOf(port, disk);
  if (!(await tellsApart(stand))) {
    throw new Trouble(
      'this disk does not tell the paths of one node apart, so one node cannot play two: nothing is certified',
      1,
    );
  }
  const verdicts = await certify(stand, (verdict) => {
    if (!json) print(verdictText(verdict));
  });
  const judgement = judge(verdicts);
  if (json) {
    const plain = verdicts.map(({ check, is, seen: what }) => ({
      number: check.number,
      name: check.name,
      weight: check.weight,
      is,
      seen: what,
    }));
    print(JSON.stringify({ wwid: disk.wwid, arm: judgement.arm, verdicts: plain }, undefined, 2));
  } else {
    const words = {
      yes: 'nospof may be armed on this disk',
      'with-power': 'nospof may be armed on this disk only with a power plan for its nodes',
      no: 'nospof must not be armed on this disk',
    };
    print(`\n${words[judgement.arm]}${judgement.why.length > 0 ? ', because of' : ''}`);
    for (const why of judgement.why) print(`    ${why}`);
  }
  return judgement.arm === 'no' ? 1 : 0;
}

async function release(setting: Setting): Promise<number> {
  const { port, roots, args } = setting;
  const disk = await diskOf(setting);
  const key = args.values.key === undefined ? undefined : keyFromText(args.values.key);
  if (key === undefined || key === NO_KEY) {
    throw new Trouble(
      'release needs the key to give back: --key KEY, as nospof disk show tells it',
    );
  }
  const seen = await lookAt(port, disk);
  if (seen.table === undefined)
    throw new Trouble(`its registrations cannot be read: ${seen.why}`, 1);
  if (!seen.table.keys.includes(key)) {
    print(`${key} is not registered on ${disk.wwid}`);
    return 0;
  }
  const used = isInUse(roots, disk);
  if (used !== undefined) throw new Trouble(`${used} is in use here: stop what uses it first`, 1);
  await mustAgree(
    setting,
    `release takes ${key} from ${disk.wwid}; its owner can then no longer write to it.`,
  );
  const self = { key: key as Key, aptpl: seen.capabilities?.aptplActive === true };
  const { result, machine } = await drive(port, disk, self, releasePolicy, releaseOf(), RELEASE_MS);
  if (result?.is === 'released') {
    print(`${key} is released from ${disk.wwid}`);
    return 0;
  }
  const doubt =
    machine.act === undefined ? '' : ` (${machine.act.ask.request.ask} has not come back)`;
  throw new Trouble(`${key} is not released: ${result?.why ?? 'no end in time'}${doubt}`, 1);
}

const DOES: Readonly<Record<Verb, (setting: Setting) => Promise<number>>> = {
  list,
  show,
  certify: certifyDisk,
  release,
};

export async function run(args: ParsedArgs): Promise<number> {
  let runDir: string | undefined;
  let port: ScsiPort | undefined;
  try {
    const verb = verbOf(args.operands[0] ?? '');
    const setup = await setUp(args);
    if (setup === undefined) return 2;
    const { roots } = setup.config;
    runDir = await mkdtemp(join(tmpdir(), 'nospof-disk-'));
    port = await openScsi({ runDir });
    return await DOES[verb]({ args, roots, port });
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    complain(error.message);
    return error.status;
  } finally {
    await port?.close();
    if (runDir !== undefined) await rm(runDir, { recursive: true, force: true });
  }
}
