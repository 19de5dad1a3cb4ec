/** Two nodes and an array, up and lending their disks to the lab. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Stand } from '../../../agent/disks/certify.ts';
import type { Event, Who } from '../../../fencing/reservation/certify-step.ts';
import { type Lab, startLab } from '../lab.ts';
import type { LabNode } from '../machine.ts';
import { modprobe, run } from '../parts/part.ts';
import { parseTopology } from '../topology.ts';
import type { Host } from '../vm/vm.ts';
import { type Lender, type LentDisk, type LentPath, openLender } from './lender.ts';
import { losePower } from './target.ts';

/** What LIO makes of the serial number `lab-store-0`. */
const LIO_WWID = 'naa.6001405abe0000000000000000000000';

const TOPOLOGY = `
about: two nodes and a storage array, joined by two networks
nodes:
  store:
    agent: false
    memoryMb: 512
    disks: [a]
    target: true
    nics: { eth0: san1, eth1: san2 }
    addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24 }
  alpha:
    agent: false
    nics: { eth0: san1, eth1: san2 }
    addresses: { eth0: 10.0.1.2/24, eth1: 10.0.2.2/24 }
    portals: [10.0.1.1, 10.0.2.1]
  beta:
    agent: false
    nics: { eth0: san1, eth1: san2 }
    addresses: { eth0: 10.0.1.3/24, eth1: 10.0.2.3/24 }
    portals: [10.0.1.1, 10.0.2.1]
`;

export interface Stage {
  readonly lab: Lab;
  readonly store: LabNode;
  readonly alpha: Lender;
  readonly beta: Lender;
  readonly close: () => Promise<void>;
}

export function say(line: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

function nodeOf(lab: Lab, name: string): LabNode {
  const node = lab.nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

export async function openStage(host: Host): Promise<Stage> {
  const lab = await startLab(host, parseTopology('reservations', TOPOLOGY));
  try {
    const [alpha, beta] = await Promise.all(
      ['alpha', 'beta'].map(async (name) => {
        const node = nodeOf(lab, name);
        await modprobe(node, 'sg');
        return openLender(node);
      }),
    );
    if (alpha === undefined || beta === undefined) throw new Error('no nodes');
    const close = async (): Promise<void> => {
      alpha.close();
      beta.close();
      await lab.close();
    };
    return { lab, store: nodeOf(lab, 'store'), alpha, beta, close };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** A disk that a node reaches over both networks: LIO's, or the one that is not. */
export async function sharedDisk(lender: Lender, other?: LentDisk): Promise<LentDisk> {
  for (let tries = 0; tries < 40; tries += 1) {
    const disk = (await lender.disks()).find(({ wwid, paths }) =>
      other === undefined
        ? wwid === LIO_WWID && paths.length === 2
        : wwid !== other.wwid && paths.length === 2,
    );
    if (disk !== undefined) return disk;
    await pause(500);
  }
  throw new Error(`${lender.node.name} has no such disk with two paths`);
}

export function pathAt({ paths }: LentDisk, index: number): LentPath {
  const path = paths[index];
  if (path === undefined) throw new Error(`no path ${index}`);
  return path;
}

async function resetSession(lender: Lender, portal: string): Promise<void> {
  const argv = ['iscsiadm', '-m', 'node', '-p', portal] as const;
  await run(lender.node, ...argv, '--logout');
  await run(lender.node, ...argv, '--login');
}

/** `a` is alpha by its first path, `b` beta by its second. */
export async function standOf(stage: Stage, other?: LentDisk): Promise<Stand> {
  const lenders: Readonly<Record<Who, Lender>> = { a: stage.alpha, b: stage.beta };
  const disks = {
    a: await sharedDisk(stage.alpha, other),
    b: await sharedDisk(stage.beta, other),
  };
  const devices = { a: pathAt(disks.a, 0).device, b: pathAt(disks.b, 1).device };
  let lose = false;
  const send: Stand['send'] = async (by, request) => {
    const losing = lose && by === 'a';
    lose = false;
    if (losing) await stage.lab.act('store: net lose eth0 100');
    // Without its identity being asked first, whose answer would be lost instead.
    const wwid = losing ? undefined : disks[by].wwid;
    const sent = lenders[by].send(devices[by], wwid, [request], losing ? 2_000 : 20_000);
    const [completion] = await sent;
    if (losing) {
      await stage.lab.act('store: net mend eth0');
      await pause(8_000);
    }
    return completion ?? { kind: 'unsent', why: 'no answer' };
  };
  const event = async (what: Event, by: Who): Promise<boolean> => {
    // The other target's power and sessions are left alone.
    if (other !== undefined && what !== 'lun-reset') return false;
    switch (what) {
      case 'lun-reset':
        await run(lenders[by].node, 'sg_reset', '--device', devices[by]);
        return true;
      case 'nexus-loss':
        await resetSession(lenders[by], by === 'a' ? '10.0.1.1' : '10.0.2.1');
        await pause(2_000);
        disks[by] = await sharedDisk(lenders[by]);
        devices[by] = pathAt(disks[by], by === 'a' ? 0 : 1).device;
        return true;
      case 'power-loss':
        await losePower(stage.store);
        await pause(500);
        return true;
      case 'lose-next-reply':
        lose = true;
        return true;
      case 'failover':
        return false;
    }
  };
  return { send, begin: send, event, pause: (ms) => pause(ms), expendable: false };
}
