/**
 * What a cluster that the solver has accepted promises: the worst case of each hierarchy, whether the
 * downtime its users tolerate is kept (paper 5.3), and the paper's equations (1) and (3) for the cluster as
 * it is configured. Bounds hold for one fault: the owner's power is cut, the disks and one network are well.
 */
import type { HierarchySpec } from './model.ts';
import { addressWaitOf, LOOK_READS, type Timing } from './solver.ts';

export interface WorstCase {
  readonly hierarchy: string;
  /** Equation (1): T_restore = T_detect + T_recover, and its parts. */
  readonly detectMs: number;
  /** From the first command to proven ownership of all its disks; undefined: no disk decides. */
  readonly arbitrateMs: number | undefined;
  /** From the cut to the right to write, and to the right to use its addresses. */
  readonly disksMs: number | undefined;
  readonly addressMs: number;
  /** What its services take to start, as configured. */
  readonly startMs: number;
  readonly restoreMs: number;
  /** Time to spare of what is tolerated, negative when it is not kept; undefined: nothing was said. */
  readonly spareMs: number | undefined;
  readonly sentence: string;
}

/** A peer is silent for T_dead after its last heartbeat came; one that is witnessed, a heartbeat longer. */
function detectMs(t: Timing): number {
  return t.deadMs + t.networkMs + t.heartbeatMs + t.lagMs;
}

/** From the first command until our registration is known to stand. */
function registeredMs(t: Timing, disks: number): number {
  const look = LOOK_READS * t.commandMs;
  return disks * look + look + t.commandMs;
}

function arbitrateMs(t: Timing, disks: number, paths: number): number {
  const look = LOOK_READS * t.commandMs;
  const order = t.commandMs + look;
  const morePaths = (paths - 1) * order;
  const first = look + t.challengeMs + look + order + morePaths;
  const others = (disks - 1) * (2 * order + morePaths);
  return registeredMs(t, disks) + first + others;
}

function seconds(ms: number): string {
  return `${(Math.round(ms / 10) / 100).toFixed(2)} s`;
}

function toldOf(worst: Omit<WorstCase, 'sentence'>, toleratedMs: number | undefined): string {
  const { hierarchy, disksMs, addressMs, restoreMs, spareMs } = worst;
  const disks = disksMs === undefined ? 'no disk decides' : `disks after ${seconds(disksMs)}`;
  const text =
    `${hierarchy}: ${disks}, addresses after ${seconds(addressMs)}, ` +
    `all of it at the latest after ${seconds(restoreMs)}`;
  if (spareMs === undefined || toleratedMs === undefined) return text;
  const kept = spareMs >= 0 ? `kept with ${seconds(spareMs)} to spare` : 'not kept';
  const missed = spareMs >= 0 ? '' : `, ${seconds(-spareMs)} too long`;
  return `${text}; ${seconds(toleratedMs)} tolerated: ${kept}${missed}`;
}

export interface PathsAndPower {
  /** Paths to each disk. */
  readonly paths: number;
  /** From the wish to a node proven to be off, discharge included; undefined: there is no plan. */
  readonly fenceMs: number | undefined;
}

export function worstCaseOf(t: Timing, spec: HierarchySpec, given: PathsAndPower): WorstCase {
  const detect = detectMs(t);
  const onDisk = spec.fencedBy === 'disk';
  const arbitrate = onDisk
    ? arbitrateMs(t, spec.disks.length, Math.max(1, given.paths))
    : undefined;
  const disksMs = arbitrate === undefined ? undefined : detect + arbitrate;
  const waits = spec.services.some((service) => service.waits);
  const byTime = detect + registeredMs(t, spec.disks.length) + addressWaitOf(t);
  // Without a disk there is a fence, or a person; then it is said once more for T_dead.
  const byPower = detect + (given.fenceMs ?? Number.POSITIVE_INFINITY) + t.deadMs;
  const free = disksMs ?? byPower;
  const addressMs = onDisk && waits ? Math.max(byTime, free) : free;
  const startMs = spec.startMs;
  const restoreMs = addressMs + startMs;
  const spareMs = spec.toleratedMs === undefined ? undefined : spec.toleratedMs - restoreMs;
  const worst = {
    hierarchy: spec.name,
    detectMs: detect,
    arbitrateMs: arbitrate,
    disksMs,
    addressMs,
    startMs,
    restoreMs,
    spareMs,
  };
  return { ...worst, sentence: toldOf(worst, spec.toleratedMs) };
}

/** How long nodes stay up, and take to be repaired. */
export interface Reliability {
  readonly upMs: number;
  readonly downMs: number;
}

/** Equation (2): A = T_up / (T_up + T_down). */
export function availabilityOfOne({ upMs, downMs }: Reliability): number {
  return upMs / (upMs + downMs);
}

/**
 * Equation (3): A_N = T_up / (T_up + T_down (1 - A)^(N-1) + T_recover (1 - (1 - A)^(N-1))), for N nodes that
 * may run a hierarchy.
 */
export function availabilityOf(reliability: Reliability, nodes: number, recoverMs: number): number {
  const { upMs, downMs } = reliability;
  const allDown = (1 - availabilityOfOne(reliability)) ** (nodes - 1);
  return upMs / (upMs + downMs * allDown + recoverMs * (1 - allDown));
}

/** Leading nines of an availability: 0.99987 has three. */
export function ninesOf(availability: number): number {
  if (!(availability > 0)) return 0;
  if (availability >= 1) return Number.POSITIVE_INFINITY;
  let nines = 0;
  // A part in 10^15 is what a double cannot tell any more.
  while (nines < 15 && availability >= 1 - 10 ** -(nines + 1) - 1e-15) nines += 1;
  return nines;
}
