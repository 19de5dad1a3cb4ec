/** A rule's handover and fence: refused by the cluster's guards, carried to its core, verified by what is seen. */
import t from 'tap';
import type { NodeName } from '../../rules/cluster/model.ts';
import { type ClusterView, viewOf } from '../../rules/cluster/view.ts';
import { clusterInputOf } from '../../rules/cluster-deeds.ts';
import type { Action } from '../../rules/decision.ts';
import { ms } from '../../rules/model.ts';
import type { Remedy } from '../../rules/rule.ts';
import type { Input, World } from '../../rules/world.ts';
import { after, judgementOf, read, reading, seen, spec, worldOf } from '../fakes/readings.ts';
import { decisionsOf, NOTIFY, remedy, rule } from '../fakes/rules.ts';
import { hierarchy, node, safeTimes } from './made.ts';
import { openStage, type Stage, tell } from './stage.ts';
import { play } from './words.ts';

const HANDOVER: Remedy = remedy({ kind: 'handover', hierarchy: 'db' }, { deadlineMs: 60_000 });
const FENCE: Remedy = remedy({ kind: 'fence', node: 'b' }, { deadlineMs: 60_000 });

function ruled(ladder: readonly Remedy[]): World {
  const failed = rule('failed', 'component.health == "failed"', { ladder });
  return worldOf([spec(undefined, { staleMs: 10_000_000 })], judgementOf({ rules: [failed] }));
}

const fails = (at: number): Input => read(seen([reading('fan/1', 'failed')]), at);

function staged(...sentences: readonly string[]): Stage {
  const stage = openStage({
    names: [node('a'), node('b')],
    specs: [hierarchy('db')],
    times: safeTimes(),
    networks: 1,
    fenceable: [node('a'), node('b')],
    startsAtOnce: 4,
  });
  for (const sentence of ['first db runs on a', '60 s pass', ...sentences]) {
    const failed = play(stage, sentence);
    if (failed !== undefined) throw new Error(failed);
  }
  return stage;
}

function seenBy(stage: Stage, name: string, was?: ClusterView): ClusterView {
  const core = stage.nodes.get(node(name))?.core;
  if (core === undefined) throw new Error(`${name} has no core`);
  return viewOf(core, ms(stage.now), was);
}

function told(view: ClusterView, at: number): Input {
  return { kind: 'cluster', at: ms(at), view };
}

function ordered(world: World): Action | undefined {
  return world.decisions.flatMap((one) => (one.kind === 'action' ? [one.action] : []))[0];
}

t.test('each guard of the cluster says no by its own name', (t) => {
  const refusal = (ladder: Remedy, stage: Stage, name: string): string | undefined => {
    const at = stage.now;
    const world = after(ruled([ladder]), at, told(seenBy(stage, name), at), fails(at));
    return decisionsOf(world).at(-1);
  };
  t.equal(refusal(HANDOVER, staged(), 'b'), 'refusal handover by not-owner');
  const alone = staged('b loses its power', '5 s pass');
  t.equal(refusal(HANDOVER, alone, 'a'), 'refusal handover by last-survivor');
  const useless = staged('the utility of db on b becomes 0', '1 s passes');
  t.equal(refusal(HANDOVER, useless, 'a'), 'refusal handover by no-better-node');
  t.equal(refusal(HANDOVER, staged(), 'a'), 'action handover');
  t.equal(refusal(FENCE, staged(), 'a'), 'action fence');
  const powerless = staged('on a an operator moves db to b', 'within 3 s db runs on b');
  t.equal(refusal(FENCE, powerless, 'a'), 'refusal fence by not-owner');
  const busy = { ...seenBy(staged(), 'a'), cutting: 'c' as NodeName };
  const world = after(ruled([FENCE]), 5, told(busy, 5), fails(5));
  t.equal(decisionsOf(world).at(-1), 'refusal fence by one-fence-at-a-time');
  t.end();
});

t.test('a refused handover goes on to the next rung', (t) => {
  const stage = staged('b loses its power', '5 s pass');
  const at = stage.now;
  const world = after(ruled([HANDOVER, NOTIFY]), at, told(seenBy(stage, 'a'), at), fails(at));
  t.same(decisionsOf(world).slice(-2), ['refusal handover by last-survivor', 'action notify']);
  t.end();
});

function handIn(stage: Stage, action: Action | undefined, view: ClusterView): void {
  const a = stage.nodes.get(node('a'));
  const input = action === undefined ? undefined : clusterInputOf(action, view);
  if (a === undefined || input === undefined) throw new Error('nothing to hand in');
  tell(a, stage, input);
}

t.test('a handover is verified when the hierarchy was seen to have left', (t) => {
  const stage = staged();
  let view = seenBy(stage, 'a');
  let world = after(ruled([HANDOVER]), stage.now, told(view, stage.now), fails(stage.now));
  const action = ordered(world);
  handIn(stage, action, view);
  t.equal(play(stage, 'within 1 s db is stopping on a'), undefined);
  view = seenBy(stage, 'a', view);
  world = after(world, stage.now, told(view, stage.now));
  t.same(
    world.actions.map(({ id }) => id),
    [action?.id],
    'not done by being under way',
  );
  t.equal(play(stage, 'within 3 s db runs on b'), undefined);
  view = seenBy(stage, 'a', view);
  world = after(world, stage.now, told(view, stage.now));
  t.same(decisionsOf(world), ['outcome verified']);
  t.end();
});

t.test('a handover that came to nothing is refuted', (t) => {
  const stage = staged('db-ip cannot be stopped on a');
  let view = seenBy(stage, 'a');
  let world = after(ruled([HANDOVER]), stage.now, told(view, stage.now), fails(stage.now));
  handIn(stage, ordered(world), view);
  t.equal(play(stage, 'within 1 s db is stopping on a'), undefined);
  view = seenBy(stage, 'a', view);
  world = after(world, stage.now, told(view, stage.now));
  play(stage, 'b loses its power');
  t.equal(play(stage, 'within 3 s db stays on a'), undefined);
  view = seenBy(stage, 'a', view);
  world = after(world, stage.now, told(view, stage.now));
  t.same(decisionsOf(world), ['outcome refuted']);
  t.end();
});

t.test('a fence is verified by proof, and refuted when it ended without', (t) => {
  for (const [how, outcome] of [
    ['works', 'outcome verified'],
    ['fails', 'outcome refuted'],
  ]) {
    const stage = staged(`the switch of b ${how}`);
    let view = seenBy(stage, 'a');
    let world = after(ruled([FENCE]), stage.now, told(view, stage.now), fails(stage.now));
    handIn(stage, ordered(world), view);
    play(stage, '1 s passes');
    view = seenBy(stage, 'a', view);
    world = after(world, stage.now, told(view, stage.now));
    t.equal(world.actions.length, 1, 'an order is no success');
    play(stage, '20 s pass');
    view = seenBy(stage, 'a', view);
    world = after(world, stage.now, told(view, stage.now));
    t.equal(decisionsOf(world)[0], outcome);
  }
  t.end();
});

t.test('a view in which nothing changed is the same object', (t) => {
  const stage = staged();
  const view = seenBy(stage, 'a');
  play(stage, '10 s pass');
  t.equal(seenBy(stage, 'a', view), view);
  play(stage, 'b loses its power');
  play(stage, '5 s pass');
  t.not(seenBy(stage, 'a', view), view);
  t.end();
});
