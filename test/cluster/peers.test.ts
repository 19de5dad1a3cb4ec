/** What the core makes of heartbeats: life signs by network, news by sequence, boots, and names used twice. */
import t from 'tap';
import { openDraft } from '../../rules/cluster/draft.ts';
import type { ClusterInput, Heartbeat } from '../../rules/cluster/model.ts';
import { isRidOf } from '../../rules/cluster/peers.ts';
import { beginCluster, type Cluster } from '../../rules/cluster/state.ts';
import { stepCluster } from '../../rules/cluster/step.ts';
import { ms } from '../../rules/model.ts';
import { hierarchy, idOf, node, safeTimes } from './made.ts';

const times = safeTimes();

function begun(): Cluster {
  return beginCluster(
    {
      self: node('a'),
      boot: 1,
      nodes: [node('a'), node('b')],
      networks: ['net1', 'net2'],
      hierarchies: [hierarchy('db')],
      times,
      fenceable: [],
      startsAtOnce: 1,
      hashes: { [idOf('db')]: 'one' },
    },
    ms(0),
  );
}

function beat(sequence: number, change: Partial<Heartbeat> = {}): Heartbeat {
  return {
    from: node('b'),
    boot: 5,
    sequence,
    sentMs: sequence,
    echoes: {},
    standby: false,
    frozen: false,
    hierarchies: [],
    hears: [],
    fences: [],
    ...change,
  };
}

function heard(at: number, said: Heartbeat, network = 'net1'): ClusterInput {
  return { kind: 'heartbeat', at: ms(at), network, said };
}

function step(cluster: Cluster, at: number, ...inbox: readonly ClusterInput[]): Cluster {
  return stepCluster(cluster, ms(at), inbox).cluster;
}

const contact = (cluster: Cluster) => cluster.peers[0]?.contact;

t.test('an old or doubled heartbeat keeps nobody alive (F29, F30)', (t) => {
  let cluster = step(begun(), 0, heard(0, beat(3)));
  t.equal(contact(cluster), 'heard');
  for (let at = 100; at < times.deadMs; at += 100) {
    cluster = step(cluster, at, heard(at, beat(3)), heard(at, beat(2)));
  }
  cluster = step(cluster, times.deadMs, heard(times.deadMs, beat(3)));
  t.equal(contact(cluster), 'silent');
  t.end();
});

t.test('the same heartbeat on another network is a life sign there', (t) => {
  let cluster = step(begun(), 0, heard(0, beat(3)));
  cluster = step(cluster, 1500, heard(1500, beat(3), 'net2'));
  t.equal(contact(step(cluster, times.deadMs)), 'heard');
  t.end();
});

t.test('old news never overwrites newer (F30)', (t) => {
  let cluster = step(begun(), 0, heard(0, beat(3, { standby: true })));
  cluster = step(cluster, 10, heard(10, beat(2, { standby: false }), 'net2'));
  t.equal(cluster.peers[0]?.standby, true);
  cluster = step(cluster, 20, heard(20, beat(4), 'net2'));
  t.equal(cluster.peers[0]?.standby, false);
  t.end();
});

t.test('another boot voids what the former said, and its late packets (F6)', (t) => {
  let cluster = step(begun(), 0, heard(0, beat(900, { standby: true })));
  cluster = step(cluster, 100, heard(100, beat(1, { boot: 6 })));
  t.equal(cluster.peers[0]?.standby, false);
  cluster = step(cluster, 200, heard(200, beat(901, { standby: true })));
  t.equal(cluster.peers[0]?.standby, false, 'kept back by the network');
  t.equal(cluster.peers[0]?.boot, 6);
  t.end();
});

t.test('a former boot that speaks on is a second node (F22)', (t) => {
  let cluster = step(begun(), 0, heard(0, beat(900)));
  cluster = step(cluster, 100, heard(100, beat(1, { boot: 6 })));
  const late = 100 + times.deadMs + 1;
  cluster = step(cluster, late, heard(late, beat(2, { boot: 6 })), heard(late, beat(950)));
  t.ok((cluster.peers[0]?.doubledMs ?? 0) > late);
  t.equal(cluster.peers[0]?.boot, 6);
  t.end();
});

t.test('names and networks that are not configured change nothing', (t) => {
  const cluster = step(begun(), 0);
  const after = step(
    cluster,
    1,
    heard(1, beat(1, { from: node('z') })),
    heard(1, beat(1), 'net9'),
    heard(1, beat(1, { from: node('a'), boot: 1 })),
  );
  t.same(after.peers, cluster.peers);
  t.same(after.wish, cluster.wish);
  t.end();
});

t.test('heartbeats without news change no wish, and cost no full step', (t) => {
  let cluster = step(begun(), 0, heard(0, beat(1)));
  const { wish, peers } = cluster;
  const words: Heartbeat['hierarchies'] = [];
  cluster = step(cluster, 5, heard(5, beat(2, { hierarchies: words })));
  for (let sequence = 3; sequence < 8; sequence += 1) {
    const turn = stepCluster(cluster, ms(sequence), [
      heard(sequence, beat(sequence, { hierarchies: words })),
    ]);
    t.equal(turn.wish.hierarchies, wish.hierarchies);
    t.equal(turn.wish.say, cluster.wish.say);
    cluster = turn.cluster;
  }
  t.same(cluster.peers[0]?.said, peers[0]?.said);
  t.end();
});

t.test('a word that was long under way does not say that a peer is without it now', (t) => {
  const nothing = {
    id: idOf('db'),
    state: 'idle',
    utility: 1,
    hash: 'one',
    epoch: 0,
    handover: undefined,
    starts: 0,
    latched: false,
    remains: false,
  } as const;
  const after = (...beats: readonly Heartbeat[]): ((by: 'heard' | 'sent') => boolean) => {
    let cluster = begun();
    for (const said of beats) ({ cluster } = stepCluster(cluster, ms(1_100), [heard(1_100, said)]));
    const [hierarchy] = cluster.hierarchies;
    if (hierarchy === undefined) throw new Error('no hierarchy');
    return (by) => isRidOf(openDraft(cluster, ms(1_100)), 0, hierarchy, 1_000, by);
  };
  const boot = begun().config.boot;
  const self = begun().config.self;
  const old = after(beat(1, { hierarchies: [nothing], echoes: { [self]: { boot, sentMs: 900 } } }));
  t.same([old('heard'), old('sent')], [true, false], 'it knows nothing of us since');
  const mute = after(beat(1, { hierarchies: [nothing] }));
  t.notOk(mute('sent'), 'it has not heard us at all');
  const other = { [self]: { boot: boot + 1, sentMs: 5_000 } };
  const former = after(beat(1, { hierarchies: [nothing], echoes: other }));
  t.notOk(former('sent'), 'what it heard was sent by an earlier boot, by another clock');
  const fresh = after(
    beat(1, { hierarchies: [nothing], echoes: { [self]: { boot, sentMs: 1_000 } } }),
  );
  t.ok(fresh('sent'));
  t.end();
});
