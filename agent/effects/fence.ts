/**
 * Carries out the fence of one node: takes what the fence machine asks for to the devices and back, until it
 * has come to its end. It decides nothing: what off means is `fencing/fence.ts`'s.
 */
import { nextFence, startFence } from '../../fencing/fence.ts';
import type { Fence, FenceEvent, FenceTurn, FenceWant } from '../../fencing/fence-state.ts';
import type { PowerPlan } from '../../fencing/plan.ts';
import { allUnknown } from '../../fencing/reply.ts';
import { monotonicNow } from '../ports/clock.ts';
import type { SwitchDevice } from './switches.ts';

export interface FenceWork {
  readonly plan: PowerPlan;
  readonly want: FenceWant;
  /** By name; a device that could not be opened is missing, and then nothing of it is known. */
  readonly devices: ReadonlyMap<string, SwitchDevice>;
  readonly deadlineMs: number;
  /** Told after each turn, and when an order goes out. */
  readonly told?: (line: string) => void;
}

/** A timer of the platform counts 32 bits. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function seenText(line: string, states: readonly string[]): string {
  return `${line}: ${states.join(', ')}`;
}

/** Runs to the end; never throws for what a device does. */
export function runFence(work: FenceWork): Promise<Fence> {
  const { plan, want, devices, deadlineMs } = work;
  const told = work.told ?? ((): void => undefined);
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let phase = '';
    const take = ({ fence, commands, wakeAt }: FenceTurn): void => {
      clearTimeout(timer);
      if (fence.phase !== phase) {
        phase = fence.phase;
        told(phaseText(fence));
      }
      for (const { id, device, want: order, outlets } of commands) {
        const request = { want: order, outlets };
        const leftMs = Math.max(1, fence.deadlineAt - monotonicNow());
        const missing = `no switch ${device}`;
        const answer =
          devices.get(device)?.perform(request, leftMs) ??
          Promise.resolve(allUnknown(request, missing, monotonicNow()));
        void answer.then((reply) => {
          const states = reply.outlets.map((one) => `${one.outlet} ${one.state} (${one.why})`);
          told(seenText(`  ${device} ${order}`, states));
          turn({ kind: 'reply', id, reply });
        });
      }
      if (fence.phase === 'done') {
        resolve(fence);
        return;
      }
      current = fence;
      if (wakeAt === undefined) return;
      const forMs = Math.min(Math.max(0, wakeAt - monotonicNow()), TIMER_MS_MAX);
      timer = setTimeout(() => turn({ kind: 'tick' }), forMs);
    };
    const turn = (event: FenceEvent): void => {
      if (phase !== 'done') take(nextFence(current, event, monotonicNow()));
    };
    const first = startFence(plan, want, monotonicNow(), deadlineMs);
    let current = first.fence;
    take(first);
  });
}

/** What a phase does, in words. */
function phaseText({ phase, plan, at, outcome }: Fence): string {
  const level = plan.levels[at]?.level ?? 0;
  switch (phase) {
    case 'cutting':
      return `level ${level}: every feed is ordered off`;
    case 'confirming':
      return `level ${level}: every feed is read again, to see all of them off at one instant`;
    case 'discharging':
      return `level ${level}: all feeds are off; waiting ${plan.dischargeMs / 1000} s for the supplies to run down`;
    case 'sealing':
      return `level ${level}: every feed is read once more`;
    case 'restoring':
      return 'proven off; power is switched on again';
    case 'done':
      return outcome.kind === 'off'
        ? `${plan.node} is off`
        : `${plan.node} is NOT proven to be off`;
  }
}
