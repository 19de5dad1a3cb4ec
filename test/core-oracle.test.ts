/**
 * The core is incremental: it touches only what changed. This test plays random histories and holds
 * every step against a world made afresh from the same last observations and inventory. Whatever was
 * forgotten to be touched shows as a difference.
 */
import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { decodeInventory, encodeInventory } from '../rules/inventory.ts';
import type { Group, Observation } from '../rules/model.ts';
import type { Input, World } from '../rules/world.ts';
import { judgement, move, specs } from './fakes/histories.ts';
import { after, id, worldOf } from './fakes/readings.ts';

function told(world: World): unknown {
  const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
  return {
    components: world.components
      .map(({ since, why, ...rest }) => ({ ...rest, why: why.replace(/\d+ s$/u, 'a while') }))
      .sort(byId),
    groups: world.groups
      .map(({ since, members, ...rest }: Group) => ({ ...rest, members: [...members].sort() }))
      .sort(byId),
    sights: world.sights.map(({ id: source, state, seenAt }) => ({ source, state, seenAt })),
  };
}

function afresh(world: World): World {
  const inventory = decodeInventory(encodeInventory(world));
  let fresh = worldOf(specs, judgement, inventory.ok ? inventory.remembered : []);
  const inputs: Input[] = [];
  for (const [source, state] of world.sources) {
    const { seenAt } = state.sight;
    if (state.observation === undefined || seenAt === undefined) continue;
    inputs.push({
      kind: 'read',
      source,
      at: seenAt,
      observation: state.observation,
      durationMs: 1,
    });
  }
  fresh = after(fresh, world.at, ...inputs);
  for (const [source, state] of world.sources) {
    if (state.sight.failures === 0) continue;
    const blind: Observation = { kind: 'blind', why: 'cannot look' };
    fresh = after(fresh, world.at, {
      kind: 'read',
      source,
      at: world.at,
      observation: blind,
      durationMs: 1,
    });
  }
  return fresh;
}

t.test('an incremental history ends where a fresh look ends', (t) => {
  const history = fc.property(fc.array(move, { maxLength: 12 }), (moves) => {
    let world = worldOf(specs, judgement);
    for (const { source, observation: saw, pauseMs, forget } of moves) {
      const now = world.at + pauseMs;
      const inputs: Input[] = [
        { kind: 'read', source, at: now as never, observation: saw, durationMs: 1 },
      ];
      if (forget !== null) inputs.push({ kind: 'forget', component: id(forget) });
      world = after(world, now, ...inputs);
      deepStrictEqual(told(world), told(afresh(world)));
    }
  });
  t.doesNotThrow(() => fc.assert(history, { numRuns: 300 }));
  t.end();
});
