import { readFileSync } from 'node:fs';
import t from 'tap';
import { FAULTS, faultsPage } from './faults-table.ts';
import { readScenarios } from './scenario.ts';

t.test('docs/cluster-faults.md is what the scenarios say', (t) => {
  t.equal(readFileSync('docs/cluster-faults.md', 'utf8'), faultsPage());
  t.notMatch(faultsPage(), /: nowhere/, 'every fault has a place');
  t.end();
});

t.test('scenarios name faults that exist, and there are enough of them', (t) => {
  const known = new Set(FAULTS.map(([number]) => `F${number}`));
  const names = new Set<string>();
  for (const { name, faults, steps } of readScenarios()) {
    t.ok(faults.length > 0 && faults.every((fault) => known.has(fault)), name);
    t.ok(steps.length > 1, `${name} says something`);
    t.notOk(names.has(name), `${name} is told once`);
    names.add(name);
  }
  t.ok(names.size >= 120);
  t.end();
});
