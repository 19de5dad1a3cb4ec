/** The detection table: made rightly from what was measured, and the README's is of the faults of now. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Detection, Measured } from './lab/detection/measure.ts';
import { loggedAt, parseTrace } from './lab/detection/peers.ts';
import { loadDetection } from './lab/detection/spec.ts';
import { median, problemsOf, tableOf, withTable } from './lab/detection/table.ts';
import { ROOT } from './lab/host/files.ts';
import { findVerb } from './lab/parts/all.ts';
import { loadTopology } from './lab/topology.ts';

const spec = loadDetection();

t.test('the table of the README is one of these faults and monitors', async (t) => {
  t.same(problemsOf(readFileSync(join(ROOT, 'README.md'), 'utf8'), spec), []);
});

t.test('every fault uses verbs the machine has', async (t) => {
  const [node] = Object.values(loadTopology(spec.topology).nodes);
  if (node === undefined) throw new Error('no node');
  for (const { verbs, mending, see, well } of spec.faults) {
    for (const verb of [...verbs, ...mending]) t.doesNotThrow(() => findVerb(node, verb), verb);
    t.ok(see.length > 0 && well.length > 0);
  }
});

function measured(fault: string, round: number, nospof: number): Measured {
  return {
    fault,
    round,
    from: 'kernel',
    kernelMs: 1,
    agentMs: 1 + nospof,
    after: {
      nospof,
      mdadm: round === 0 ? undefined : -3,
      mdadmSecond: undefined,
      multipathd: undefined,
      prometheus: 1000 * nospof,
    },
  };
}

t.test('a table holds the median and the worst, and what was missed', async (t) => {
  const detection: Detection = {
    measured: spec.faults.flatMap(({ name }) =>
      [5, 1, 2, 3, 4].map((ms, round) => measured(name, round, ms)),
    ),
    kernel: '6.1',
    accel: 'tcg',
    load: [0.5, 1],
    waited: 0.25,
    stepMs: 2,
  };
  const text = tableOf(detection, spec);
  t.match(text, '| 3 ms, 5 ms | -3 ms, -3 ms, 1 of 5 missed | n/a | n/a | 3.0 s, 5.0 s |');
  t.match(text, 'waiting for 25 % of the time');
  const readme = withTable(readFileSync(join(ROOT, 'README.md'), 'utf8'), text);
  t.same(problemsOf(readme, spec), []);
  t.equal(withTable(readme, text), readme, 'writing it again changes nothing');
  t.same(problemsOf(readme.replace('| 3 ms, 5 ms |', '| fast |'), spec).length, 1);
  const other = { ...spec, faults: spec.faults.slice(1) };
  t.match(problemsOf(readme, other), [/its faults are/u], 'a fault was taken out since');
  t.same(problemsOf('', spec), ['it has no markers']);
  t.throws(() => withTable('', text), /no place/u);
});

t.test('the median of an even number is between the middle two', async (t) => {
  t.equal(median([4, 1, 3, 2]), 2.5);
  t.equal(median([7]), 7);
});

t.test('calls and logged lines are told apart in the trace', async (t) => {
  const trace = parseTrace(
    [
      '# tracer: nop',
      '           mdadm-456     [000] d....  61.100000: raid1_error: (raid1_error+0x0/0xd0 [raid1])',
      '   socat-9  [001] .....  61.200000: tracing_mark_write: <29>Nov 23 04:00:00 mdadm[12]: Fail event detected on md device /dev/md0',
      '   socat-9  [001] .....  61.300000: tracing_mark_write: <29>Nov 23 04:00:00 mdadm[13]: Fail event detected on md device /dev/md0',
      '   node-9  [001] .....  61.400000: tracing_mark_write: something else',
      '',
    ].join('\n'),
  );
  t.match(trace, [{ atMs: 61_100, who: 'raid1_error' }, { pid: 12 }, { pid: 13 }]);
  t.equal(trace.length, 3);
  t.equal(loggedAt(trace, 'mdadm', 'Fail', 0), 61_200);
  t.equal(loggedAt(trace, 'mdadm', 'Fail', 0, 13), 61_300);
  t.equal(loggedAt(trace, 'mdadm', 'Fail', 61_250), 61_300);
  t.equal(loggedAt(trace, 'multipathd', 'Fail', 0), undefined);
});
