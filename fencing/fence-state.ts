/** The state of one fence, what it asks for and what it can be told; the turns are `fence.ts`'s. */
import type { Ms } from '../rules/model.ts';
import type { Feed, PowerPlan } from './plan.ts';
import type { OutletRef, SwitchReply, Want } from './reply.ts';

export type FenceWant = 'off' | 'reboot';

export interface FenceCommand {
  readonly kind: 'switch';
  /** Comes back with the reply. */
  readonly id: number;
  readonly device: string;
  readonly want: Want;
  readonly outlets: readonly OutletRef[];
}

export type FenceEvent =
  | { readonly kind: 'reply'; readonly id: number; readonly reply: SwitchReply }
  /** The time that `wakeAt` names has come, or any other time. */
  | { readonly kind: 'tick' }
  /** A fresh sign that a node lives (heartbeat, write to a disk), made at this time. */
  | { readonly kind: 'life'; readonly node: string; readonly at: Ms };

export type FenceOutcome =
  | { readonly kind: 'running' }
  /** Proven: off at this instant, and until the discharge time was over. */
  | { readonly kind: 'off'; readonly at: Ms; readonly level: number }
  | { readonly kind: 'failed'; readonly why: string }
  /** It was proven, and then the node gave a sign of life. */
  | { readonly kind: 'refuted'; readonly why: string };

export type Phase = 'cutting' | 'confirming' | 'discharging' | 'sealing' | 'restoring' | 'done';

export interface Open {
  readonly id: number;
  readonly device: string;
  readonly outlets: readonly OutletRef[];
  readonly sentAt: Ms;
}

export interface Fence {
  readonly plan: PowerPlan;
  readonly want: FenceWant;
  readonly startedAt: Ms;
  readonly deadlineAt: Ms;
  readonly phase: Phase;
  /** Index of the level that is tried. */
  readonly at: number;
  readonly open: readonly Open[];
  readonly nextId: number;
  /** Feeds seen off in this phase, by device and outlet. */
  readonly seen: ReadonlyMap<string, { readonly from: Ms; readonly to: Ms }>;
  /** The instant at which every feed was off. */
  readonly offAt: Ms | undefined;
  /** When anything was first ordered on again. */
  readonly onAt: Ms | undefined;
  /** Feeds that were ordered off at any level: all of them go on again. */
  readonly cut: readonly Feed[];
  readonly whys: readonly string[];
  readonly outcome: FenceOutcome;
  /** Switching on again, once the node was off: best effort, and told apart. */
  readonly restored: 'no' | 'yes' | { readonly failed: string };
}

export interface FenceTurn {
  readonly fence: Fence;
  readonly commands: readonly FenceCommand[];
  /** Send a tick then, if nothing else has come. */
  readonly wakeAt: Ms | undefined;
}

/** Signs of life made so shortly after the instant may have been under way. */
export const LIFE_GRACE_MS = 1000;
