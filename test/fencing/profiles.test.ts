/**
 * Every profile against its fake with every fault. The judge is the fake's relay: whatever the fault,
 * `off` may be said only of an outlet through which no current flows. The one exception is a device
 * whose every word is a lie; plans have to see that (`plan.test.ts`).
 */
import t from 'tap';
import { loadProfiles } from '../../agent/profiles.ts';
import { FAULT_NAMES, type Fault } from '../../fencing/fake.ts';
import { fakeOutlets } from '../../fencing/fake-snmp.ts';
import type { Profile } from '../../fencing/profile.ts';
import { faked, play, refOf } from './drive.ts';

const DEADLINE_MS = 15_000;

const { profiles, problems } = await loadProfiles();

t.same(problems, [], 'every shipped profile is good');

function outletsOf({ device }: Profile): readonly string[] {
  if (device.kind === 'snmp') return fakeOutlets(device, 8);
  if (device.kind === 'program') return [];
  const { first = 1, letters } = device.outlets;
  return [0, 1, 2].map((at) =>
    letters === undefined ? `${first + at}` : `${'A'.repeat(letters)}${at + 1}`,
  );
}

/** Nothing in the profile can tell this from the truth. */
function believable({ device }: Profile, fault: Fault): boolean {
  if (fault === 'lies') return true;
  if (fault !== 'welded') return false;
  if (device.kind !== 'snmp') return true;
  const { feedback, checks = [] } = device.table;
  return feedback === undefined && !checks.some(({ as }) => as === 'relay' || as === 'health');
}

for (const [name, profile] of faked(profiles)) {
  t.test(name, async (t) => {
    const [first = '', second = ''] = outletsOf(profile);
    const off = {
      want: 'off',
      outlets: [{ id: refOf(profile, first) }, { id: refOf(profile, second) }],
    } as const;
    const well = play(profile, off);
    t.match(
      well.reply.outlets.map(({ state, why }) => [state, why]),
      [
        ['off', String],
        ['off', String],
      ],
      'two outlets of a healthy device go off',
    );
    t.notOk(well.flows(first) || well.flows(second));
    t.ok(well.reply.ordered);
    const again = play(profile, { want: 'read', outlets: [{ id: refOf(profile, second) }] });
    t.equal(again.reply.outlets[0]?.state, 'on', 'a look says on');
    t.equal(again.orders, 0, 'and orders nothing');
    const on = play(profile, { want: 'on', outlets: [{ id: refOf(profile, first) }] });
    t.equal(on.reply.outlets[0]?.state, 'on');
    t.equal(on.orders, 0, 'what is on already is not ordered');

    for (const fault of FAULT_NAMES) {
      for (const want of ['off', 'read'] as const) {
        const played = play(
          profile,
          { ...off, want },
          { faults: [fault], deadlineMs: DEADLINE_MS },
        );
        for (const { outlet, state, why } of played.reply.outlets) {
          if (state === 'off' && !believable(profile, fault)) {
            t.notOk(
              played.flows(outlet),
              `${fault}, ${want}: ${outlet} is said to be off (${why})`,
            );
          }
          t.ok(why.length > 0, `${fault}: says why`);
        }
        const { deadlineMs } = profile.timing;
        t.ok(
          played.tookMs <= deadlineMs + 50,
          `${fault}, ${want}: ends in time (${played.tookMs})`,
        );
      }
    }
  });
}
