/**
 * The list of `certify` against the simulated disk: whole on a good one, and red in the right place on
 * disks that lack or break something.
 */
import t from 'tap';
import { certify } from '../../agent/disks/certify.ts';
import { CHECKS, judge, type Verdict } from '../../fencing/reservation/certify.ts';
import { Rig } from '../fakes/disk/rig.ts';
import { standOf } from '../fakes/disk/stand.ts';
import type { Features } from '../fakes/disk/table.ts';

async function verdicts(features: Partial<Features>): Promise<readonly Verdict[]> {
  return certify(standOf(new Rig(features)));
}

function bad(all: readonly Verdict[]): Record<number, string> {
  return Object.fromEntries(
    all
      .filter(({ is }) => is !== 'passed')
      .map(({ check, is, seen }) => [check.number, `${is}: ${seen}`]),
  );
}

t.test('the list is 1 to 32, and each has steps', async (t) => {
  t.strictSame(
    CHECKS.map(({ number }) => number),
    Array.from({ length: 32 }, (_, index) => index + 1),
  );
  t.ok(CHECKS.every(({ steps }) => steps.length > 0));
});

t.test('a disk that follows the standard passes all, and is left as it was', async (t) => {
  const rig = new Rig({});
  rig.target.blocks.fill(0xe5);
  const before = Buffer.from(rig.target.blocks).toString('hex');
  const all = await certify(standOf(rig));
  t.strictSame(bad(all), {});
  t.equal(all.length, 32);
  t.strictSame(judge(all), { arm: 'yes', why: [] });
  t.equal(rig.target.table.registrants.size, 0);
  t.equal(Buffer.from(rig.target.blocks).toString('hex'), before);
});

t.test('a disk without reservations', async (t) => {
  const rig = new Rig({ reservations: false });
  const all = await certify(standOf(rig));
  t.ok(all.every(({ is }) => is === 'failed'));
  t.match(all[0]?.seen, /cannot clear: unsupported \(illegal request 20\/00, unknown command\)/u);
  t.equal(judge(all).arm, 'no');
});

t.test('a disk without PREEMPT AND ABORT, APTPL and full status, as tgt', async (t) => {
  const all = await verdicts({
    preemptAbort: false,
    aptpl: false,
    fullStatus: false,
    allPorts: false,
  });
  t.same(Object.keys(bad(all)), ['18', '23', '24', '25', '27', '28']);
  t.match(bad(all)[18], /step 6 \(a: preempt-abort\): unsupported/u);
  t.equal(judge(all).arm, 'no');
  t.equal(judge(all).why.length, 1, 'only what forbids it');
});

t.test('a disk that forgets to abort', async (t) => {
  const all = await verdicts({ abortForgets: true });
  t.match(bad(all), { 18: /a write of the loser landed after it had returned/u });
  t.equal(judge(all).arm, 'no');
});

t.test(
  'a disk that tells the losers nothing, or something else: noted, not forbidden',
  async (t) => {
    const rig = new Rig({});
    rig.target.attend = () => undefined;
    rig.target.attendAll = () => undefined;
    const all = await certify(standOf(rig));
    t.same(Object.keys(bad(all)), ['21']);
    t.match(all[9]?.seen, /b was told nothing/u);
    t.equal(judge(all).arm, 'yes');
  },
);

t.test('a disk that cannot keep its table over a power loss', async (t) => {
  const all = await verdicts({ aptpl: false });
  t.same(Object.keys(bad(all)), ['23', '24', '28']);
  t.equal(judge(all).arm, 'with-power');
});

t.test('a disk whose state folder is missing, as LIO without its pr folder', async (t) => {
  const all = await verdicts({ stateFolder: false });
  t.match(bad(all), { 23: /unresolved \(not ready 08\/00, communication failure\)/u });
  t.equal(judge(all).arm, 'with-power');
});

t.test('a read-only disk', async (t) => {
  const all = await verdicts({ readOnly: true });
  t.match(bad(all), { 7: /refused \(data protect 27\/00, write protected\)/u });
  t.equal(judge(all).arm, 'no');
});

t.test('what cannot be caused is untested, and forbids where it must hold', async (t) => {
  const stand = standOf(new Rig({}));
  const all = await certify({ ...stand, event: async () => false });
  t.same(Object.keys(bad(all)), ['22', '23', '29', '30']);
  t.match(bad(all)[22], /untested: lun-reset cannot be caused from here/u);
  t.equal(judge(all).arm, 'no');
});
