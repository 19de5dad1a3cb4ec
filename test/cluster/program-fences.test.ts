/** What is remembered of fences: by whom and when, over restarts of an agent, passed on by those who heard. */
import t from 'tap';
import { fencesHeard, fencesSaid } from '../../agent/cluster/program-fences.ts';
import type { Program, Sent } from '../../agent/cluster/program-state.ts';
import { NO_FENCES } from '../../fencing/fences.ts';
import { WINDOW_MS } from '../../fencing/guards.ts';
import type { Heartbeat, NodeName } from '../../rules/cluster/model.ts';
import { ms } from '../../rules/model.ts';

const A = 'a' as NodeName;
const B = 'b' as NodeName;
const C = 'c' as NodeName;

function workOf(): { program: Program; inbox: []; out: Sent } {
  // Only what is looked at here.
  const program = { fences: NO_FENCES, config: { cluster: { self: A } } } as unknown as Program;
  return { program, inbox: [], out: { asks: [], switches: [], decisions: [] } };
}

function said(fences: Heartbeat['fences']): Heartbeat {
  return {
    from: B,
    boot: 1,
    sequence: 1,
    sentMs: 0,
    echoes: {},
    standby: false,
    frozen: false,
    hierarchies: [],
    hears: [],
    fences,
  };
}

t.test('fences of others, and forgotten ones of our own, are learnt once', async (t) => {
  const work = workOf();
  fencesHeard(work, said([{ target: C, agoMs: 1_000 }]), ms(100_000));
  fencesHeard(work, said([{ target: C, agoMs: 1_260 }]), ms(100_250));
  t.same(work.program.fences.history, [{ by: B, target: C, at: 99_000 }]);
  fencesHeard(work, said([{ target: C, agoMs: 60_000, by: A }]), ms(100_500));
  t.match(work.program.fences.history, [{ by: B }, { by: A, target: C, at: 40_500 }]);
});

t.test('what counts in the window is passed on, and no more of it than is bounded', async (t) => {
  const work = workOf();
  fencesHeard(work, said([{ target: C, agoMs: 5_000 }]), ms(100_000));
  t.same(fencesSaid(work.program, ms(101_000)), [{ target: C, agoMs: 6_000, by: B }]);
  t.same(fencesSaid(work.program, ms(100_000 + WINDOW_MS)), []);
  const many = Array.from({ length: 100 }, (_, at) => ({ target: C, agoMs: at * 11_000 }));
  const flooded = workOf();
  fencesHeard(flooded, said(many), ms(2_000_000));
  t.equal(flooded.program.fences.history.length, 16);
  fencesHeard(flooded, said([{ target: C, agoMs: -5 }]), ms(2_000_000));
  fencesHeard(flooded, said([{ target: C, agoMs: WINDOW_MS + 1 }]), ms(2_000_000));
  t.equal(flooded.program.fences.history.length, 16, 'what is too old or not yet is dropped');
});
