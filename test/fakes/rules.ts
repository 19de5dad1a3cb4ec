/** Short ways to write rules in tests: a plain rule that holds at once and only tells. */
import type { Alarm, Decision } from '../../rules/decision.ts';
import type { Remedy, Rule } from '../../rules/rule.ts';
import type { World } from '../../rules/world.ts';

export const NOTIFY: Remedy = {
  deed: { kind: 'notify' },
  deadlineMs: 10_000,
  settleMs: 0,
  budget: { count: 100, withinMs: 60_000 },
};

export function remedy(deed: Remedy['deed'], more: Partial<Remedy> = {}): Remedy {
  return {
    deed,
    deadlineMs: 5000,
    settleMs: 1000,
    budget: { count: 3, withinMs: 600_000 },
    ...more,
  };
}

export function rule(name: string, condition: string, more: Partial<Rule> = {}): Rule {
  return {
    name,
    on: { kind: 'component', glob: '*' },
    condition,
    forMs: 0,
    keepForMs: 0,
    severity: 'warning',
    labels: {},
    summary: name,
    about: '',
    certainty: 'certain',
    explainedBy: [],
    mode: 'armed',
    ladder: [],
    origin: 'test',
    ...more,
  };
}

/** `raised fan-failed@fan/1` for each alarm, in order of the world. */
export function alarmsOf(world: World): readonly string[] {
  return world.alarms.map((alarm: Alarm) => {
    const holds = alarm.holds === 'unknown' ? ' (not known)' : '';
    const muted = alarm.mutedBy === undefined ? '' : ` muted by ${alarm.mutedBy}`;
    return `${alarm.state} ${alarm.id}${holds}${muted}`;
  });
}

/** Decisions of the step in short lines. */
export function decisionsOf(world: World): readonly string[] {
  return world.decisions.map((one: Decision) => {
    switch (one.kind) {
      case 'alarm':
        return `alarm ${one.alarm.id} ${one.from} -> ${one.alarm.state}`;
      case 'action':
        return `action ${one.action.order.kind}`;
      case 'refusal':
        return `refusal ${one.order.kind} by ${one.guard}`;
      case 'outcome':
        return `outcome ${one.outcome.result}`;
      default:
        return one.kind;
    }
  });
}
