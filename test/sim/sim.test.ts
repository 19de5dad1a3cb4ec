/** A short run of the simulator: rounds that must stay green, equal hashes of equal seeds, and a red one. */
import t from 'tap';
import { randomOf } from './random.ts';
import { powerOn, runRound, worldOf } from './round.ts';
import { setupOf } from './setup.ts';

const QUARTER_US = 15 * 60 * 1_000_000;

t.test('rounds in which everything goes wrong, and a core that serves afterwards', (t) => {
  for (const seed of ['smoke.1', 'smoke.2']) {
    const { violation, world } = runRound({ seed, safetyUs: QUARTER_US });
    t.equal(violation, undefined, seed);
    t.ok((world.trace.counts.get('writes') ?? 0) > 100, 'its services wrote');
  }
  t.end();
});

t.test('the same seed is the same run, another is another', (t) => {
  const run = (seed: string): number =>
    runRound({ seed, safetyUs: QUARTER_US / 3, safetyOnly: true }).world.trace.hash;
  t.equal(run('same'), run('same'));
  t.not(run('same'), run('other'));
  t.end();
});

t.test('many nodes with many hierarchies run', (t) => {
  const size = { nodes: 8, hierarchies: 24, pace: 'calm' } as const;
  const setup = setupOf('large', size);
  const { violation, world } = runRound({
    seed: 'large',
    setup,
    plan: [],
    safetyUs: 50 * 1_000_000,
    safetyOnly: true,
  });
  t.equal(violation, undefined);
  const running = world.setup.hierarchies.filter((_spec, place) =>
    world.nodes.some(({ hierarchies }) =>
      hierarchies[place]?.services.some(({ state }) => state === 'running'),
    ),
  );
  t.equal(running.length, 24);
  t.end();
});

t.test('a second writer is seen (S1), and an old write after a new one (S2)', (t) => {
  const world = worldOf(setupOf('red', { nodes: 2, hierarchies: 1 }), 'red');
  powerOn(world);
  world.run(90_000_000);
  const disk = world.disks[0];
  const other = world.nodes.find(({ hierarchies }) =>
    hierarchies[0]?.services.every(({ state }) => state === 'stopped'),
  );
  const hierarchy = other?.hierarchies[0];
  const path = other?.paths[0]?.[0];
  if (disk === undefined || other === undefined || hierarchy === undefined || path === undefined)
    throw new Error('nothing runs');
  t.equal(world.violation, undefined);
  const was = { ...hierarchy };
  // By other means than the agents': registered, and open.
  const key = '00c1000200000001';
  disk.table.registrants.set(path.nexusName, { ...path.nexus, key, allPorts: false });
  disk.touch();
  hierarchy.dirty = 1;
  world.watch.changed(other, hierarchy);
  world.watch.check();
  t.match(world.violation, { invariant: 'S1' });
  world.violation = undefined;
  world.watch.written(disk, 0, 0, other);
  t.match(world.violation, { invariant: 'S2' });
  hierarchy.dirty = was.dirty;
  t.end();
});

t.test('streams do not depend on each other', (t) => {
  const one = randomOf('seed', 'one');
  const again = randomOf('seed', 'one');
  randomOf('seed', 'two').next();
  t.strictSame([one.next(), one.next()], [again.next(), again.next()]);
  t.end();
});
