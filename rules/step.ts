/**
 * The core: `step(world, now, inbox)` takes everything that was told since the last step and gives the
 * next world. It executes nothing, waits for nothing and knows no time but `now`. The same world, time
 * and inbox give the same world again, on any machine.
 */
import { absorb, decay } from './absorb.ts';
import { endActions } from './act.ts';
import { adopt } from './adopt.ts';
import { judgeAlarms } from './alarms.ts';
import { type Assessed, assess } from './assess.ts';
import { moveCluster } from './cluster-deeds.ts';
import type { Judgement } from './config.ts';
import { type Draft, openDraft } from './draft.ts';
import { maintain } from './maintenance.ts';
import type { Ms, SourceId } from './model.ts';
import { moveServices } from './services.ts';
import { utilitiesOf } from './utility.ts';
import { surroundingsOf } from './views.ts';
import {
  type Input,
  NO_MEMORY,
  NO_TOPOLOGY,
  type Remembered,
  type SourceSpec,
  type SourceState,
  type World,
} from './world.ts';

function waiting(spec: SourceSpec, now: Ms): SourceState {
  return {
    spec,
    sight: {
      id: spec.id,
      state: 'waiting',
      why: 'not read yet',
      since: now,
      seenAt: undefined,
      durationMs: 0,
      failures: 0,
      readings: 0,
      everyMs: spec.everyMs,
      staleMs: spec.staleMs,
    },
    readings: [],
    groups: [],
    advice: [],
    observation: undefined,
  };
}

/**
 * The world before the first reading: only what the inventory remembers, and that unknown. `era` is
 * NODE-BOOT-START, what the names of actions begin with, so that none is ever used twice.
 */
export function emptyWorld(
  now: Ms,
  specs: readonly SourceSpec[],
  judgement: Judgement,
  inventory: readonly Remembered[],
  era = 'node',
): World {
  const slots = inventory.map((remembered) => ({
    id: remembered.id,
    own: undefined,
    seen: [],
    memory: NO_MEMORY,
    remembered,
    expected: false,
  }));
  const bare: World = {
    at: now,
    components: [],
    groups: [],
    sights: [],
    advice: [],
    // Without rules, so that the first step asks all of them of everything.
    judgement: { ...judgement, rules: [] },
    sources: new Map(specs.map((spec): [SourceId, SourceState] => [spec.id, waiting(spec, now)])),
    slots,
    places: new Map(slots.map((slot, place) => [slot.id, place])),
    topology: NO_TOPOLOGY,
    judged: [],
    ageing: slots.map((_, place) => place),
    inventoryVersion: 0,
    alarms: [],
    services: [],
    maintenance: [],
    actions: [],
    decisions: [],
    era,
    spent: [],
    late: undefined,
    cluster: undefined,
    utilities: [],
    actionCount: 0,
    dueAt: undefined,
  };
  return step(bare, now, [{ kind: 'judgement', judgement }]);
}

/** Utilities look at components, groups and services: while these stand, so do they. */
function judgeUtilities(
  draft: Draft,
  assessed: Assessed,
  advice: World['advice'],
): World['utilities'] {
  const { before, judgement, services } = draft;
  const { utilities } = judgement;
  if (utilities.length === 0 && before.utilities.length === 0) return before.utilities;
  const same =
    assessed.components === before.components &&
    assessed.groups === before.groups &&
    services === before.services &&
    utilities === before.judgement.utilities &&
    advice === before.advice;
  if (same) return before.utilities;
  const { components, groups } = assessed;
  const around = surroundingsOf(0, advice);
  return utilitiesOf(utilities, { components, groups, services }, around, before.utilities);
}

/** The next world. `now` never runs backwards; a caller whose clock does is broken. */
export function step(world: World, now: Ms, inbox: readonly Input[]): World {
  if (now < world.at) throw new Error(`time ran backwards: ${world.at} to ${now}`);
  const draft = openDraft(world, now);
  for (const input of inbox) absorb(draft, input);
  adopt(draft);
  maintain(draft);
  moveCluster(draft);
  endActions(draft);
  moveServices(draft);
  decay(draft);
  const { assessed, changed } = assess(draft);
  const states = [...draft.sources.values()];
  const advice = draft.adviceChanged ? states.flatMap((state) => state.advice) : world.advice;
  judgeAlarms({ draft, assessed, changed, advice });
  return {
    ...assessed,
    at: now,
    sights: states.map((state) => state.sight),
    advice,
    judgement: draft.judgement,
    sources: draft.sources,
    slots: draft.slots,
    places: draft.places,
    inventoryVersion: world.inventoryVersion + (draft.inventoryChanged ? 1 : 0),
    alarms: draft.alarms,
    services: draft.services,
    maintenance: draft.maintenance,
    actions: draft.actions,
    decisions: draft.decisions,
    era: world.era,
    spent: draft.spent,
    late: draft.late,
    cluster: draft.cluster,
    utilities: judgeUtilities(draft, assessed, advice),
    actionCount: draft.actionCount,
    dueAt: draft.dueAt,
  };
}
