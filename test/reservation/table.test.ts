/** What one look at a table proves, and what it does not. */
import t from 'tap';
import type { Registration } from '../../fencing/reservation/replies.ts';
import {
  isRegistered,
  peersIn,
  standingOf,
  strangersIn,
  type Table,
  tableOf,
} from '../../fencing/reservation/table.ts';
import { key, STRANGER } from './play.ts';

const OWN = key(1);
const PEER = key(2);
const FIVE = 'write-exclusive-registrants';

function table(given: Partial<Table>): Table {
  return {
    atMs: 0,
    path: 'a1',
    generation: 1,
    holder: OWN,
    type: FIVE,
    keys: [OWN, OWN],
    registrations: undefined,
    ...given,
  };
}

t.test('what a table says of ownership', async (t) => {
  const cases: readonly (readonly [Partial<Table>, string])[] = [
    [{}, 'ours'],
    [{ keys: [OWN] }, 'ours'],
    [{ keys: [] }, 'not-ours'],
    [{ keys: [PEER] }, 'not-ours'],
    [{ type: 'write-exclusive' }, 'not-ours'],
    [{ type: 'write-exclusive-all' }, 'not-ours'],
    [{ type: undefined }, 'not-ours'],
    [{ holder: PEER, keys: [OWN, PEER] }, 'not-ours'],
    [{ holder: STRANGER, keys: [OWN] }, 'not-ours'],
    [{ holder: key(1, 9), keys: [OWN] }, 'not-ours'],
    [{ keys: [OWN, PEER] }, 'challenged'],
    [{ keys: [OWN, key(1, 9)] }, 'challenged'],
    [{ keys: [OWN, PEER, STRANGER] }, 'crowded'],
    [{ holder: undefined, type: undefined, keys: [] }, 'empty'],
    [{ holder: undefined, type: undefined }, 'unreserved'],
    [{ holder: undefined, type: undefined, keys: [PEER] }, 'not-ours'],
  ];
  for (const [given, is] of cases) {
    t.equal(standingOf(table(given), OWN).is, is, JSON.stringify(given));
  }
});

t.test('keys are ours, of the cluster, or of strangers', async (t) => {
  const mixed = table({ holder: STRANGER, keys: [OWN, PEER, key(1, 9), PEER] });
  t.strictSame(peersIn(mixed, OWN), [key(1, 9), PEER].sort());
  t.strictSame(strangersIn(mixed, OWN), [STRANGER], 'a holder that is not among the keys counts');
});

t.test('a table is of one time', async (t) => {
  const keys = { generation: 1, keys: [OWN], count: 1, cut: false };
  const reservation = { generation: 1, holder: OWN, type: FIVE } as const;
  const full = { generation: 1, registrations: [], cut: false };
  t.match(tableOf(5, 'a1', keys, reservation, full), { atMs: 5, holder: OWN });
  t.match(tableOf(5, 'a1', keys, { ...reservation, generation: 2 }, full), { why: /moved/u });
  t.match(tableOf(5, 'a1', keys, reservation, { ...full, generation: 2 }), { why: /moved/u });
  t.match(tableOf(5, 'a1', { ...keys, cut: true }, reservation, full), { why: /cut/u });
  t.match(tableOf(5, 'a1', keys, reservation, { ...full, cut: true }), { why: /cut/u });
});

t.test('a path is registered by its own nexus only', async (t) => {
  const at = (port: number, initiator: string, allPorts = false): Registration => ({
    key: OWN,
    holder: false,
    allPorts,
    type: undefined,
    port,
    initiator,
  });
  const told = (registrations: readonly Registration[] | undefined, path: object): string =>
    isRegistered(table({ registrations }), OWN, { name: 'a1', ...path });
  const path = { initiator: 'iqn.x:a', port: 2 };
  t.equal(told([at(2, 'iqn.x:a,i,0x00023d000001')], path), 'yes');
  t.equal(told([at(1, 'iqn.x:a,i,0x00023d000001')], path), 'no', 'another port');
  t.equal(told([at(2, 'iqn.x:ab,i,0x00023d000001')], path), 'no', 'another node');
  t.equal(told([at(1, 'iqn.x:a,i,0x00023d000001', true)], path), 'yes', 'all ports');
  t.equal(told([{ ...at(2, 'iqn.x:a'), key: PEER }], path), 'no', "another's key");
  t.equal(
    told([at(2, 'fc.21000000AABBCCDD')], { initiator: 'fc.21000000aabbccdd', port: 2 }),
    'yes',
  );
  t.equal(told(undefined, path), 'unknown');
  t.equal(told([], { name: 'a1' }), 'unknown');
  t.equal(isRegistered(table({ keys: [PEER] }), OWN, { name: 'a1' }), 'no', 'our key is nowhere');
});
