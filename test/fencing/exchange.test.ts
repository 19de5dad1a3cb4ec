/**
 * The SNMP exchange, rule by rule: what proves off and what does not, what is refused before anything is
 * ordered, and in which order things are written.
 */
import fc from 'fast-check';
import t from 'tap';
import { type SnmpEvent, startExchange } from '../../fencing/exchange.ts';
import type { Index, SnmpTable } from '../../fencing/profile.ts';
import { next } from '../../fencing/snmp-exchange.ts';
import type { Bind } from '../../fencing/snmp-table.ts';
import { ms } from '../../rules/model.ts';
import { playSnmp } from './drive.ts';
import { madeSnmp, ROOT } from './made.ts';

const BASE: SnmpTable = madeSnmp().device.table;
const OFF_3 = { want: 'off', outlets: [{ id: '3' }] } as const;
const READ_3 = { want: 'read', outlets: [{ id: '3' }] } as const;

/** One look, answered with this. */
function lookedAt(table: SnmpTable, binds: readonly Bind[]): { state?: string; why?: string } {
  const profile = madeSnmp({ table });
  const exchange = startExchange(profile, profile.device, READ_3, {}, ms(1000));
  const asked = next(exchange, { kind: 'start' }, ms(0));
  const answered = next(asked.exchange, { kind: 'binds', binds }, ms(1));
  return answered.command.kind === 'done' ? (answered.command.reply.outlets[0] ?? {}) : {};
}

const state = (value: number): Bind => ({ oid: `${ROOT}.2.3`, kind: 'number', value });

t.test('the world is closed', async (t) => {
  t.equal(lookedAt(BASE, [state(2)]).state, 'off');
  t.equal(lookedAt(BASE, [state(1)]).state, 'on');
  for (const value of [0, 3, 4, 5, -1, 22, 255, 4294967298]) {
    t.equal(lookedAt(BASE, [state(value)]).state, 'unknown', `value ${value}`);
  }
  const text: Bind = { oid: `${ROOT}.2.3`, kind: 'text', value: '2' };
  t.equal(lookedAt(BASE, [text]).state, 'unknown', 'a text that looks like it');
  for (const what of ['noSuchInstance', 'noSuchObject', 'endOfMibView']) {
    const missing: Bind = { oid: `${ROOT}.2.3`, kind: 'missing', what };
    t.match(lookedAt(BASE, [missing]), { state: 'unknown', why: what }, what);
  }
  t.equal(lookedAt(BASE, []).state, 'unknown', 'nothing');
  const other: Bind = { oid: `${ROOT}.2.30`, kind: 'number', value: 2 };
  t.equal(lookedAt(BASE, [other]).state, 'unknown', 'another outlet');
});

t.test('any number that is not listed is unknown', async (t) => {
  fc.assert(
    fc.property(fc.integer(), (value) => {
      const said = lookedAt(BASE, [state(value)]).state;
      const listed = value === 2 ? 'off' : value === 1 ? 'on' : 'unknown';
      if (said !== listed) throw new Error(`${value} is ${said}`);
    }),
  );
  t.pass();
});

const CHECKED: SnmpTable = {
  ...BASE,
  feedback: { oid: `${ROOT}.4`, values: { off: [0], on: [1] } },
  checks: [
    { as: 'pending', oid: `${ROOT}.5`, good: [0] },
    { as: 'health', oid: `${ROOT}.6`, good: [0], optional: true },
    { as: 'lock', oid: `${ROOT}.7`, good: [1], optional: true },
  ],
};

function checked(feedback: number, pending: number, health: number, lock = 1): readonly Bind[] {
  const values = { '2': 2, '4': feedback, '5': pending, '6': health, '7': lock };
  return Object.entries(values).map(([column, value]) => ({
    oid: `${ROOT}.${column}.3`,
    kind: 'number',
    value,
  }));
}

t.test('every further column must agree', async (t) => {
  t.equal(lookedAt(CHECKED, checked(0, 0, 0)).state, 'off');
  t.match(lookedAt(CHECKED, checked(1, 0, 0)), { state: 'unknown', why: 'feedback 1 (on)' });
  t.match(lookedAt(CHECKED, checked(7, 0, 0)), { state: 'unknown', why: 'feedback 7' });
  t.match(lookedAt(CHECKED, checked(0, 1, 0)), { state: 'unknown', why: 'pending 1' });
  t.match(lookedAt(CHECKED, checked(0, 0, 9)), { state: 'unknown', why: 'health 9' });
  t.equal(lookedAt(CHECKED, checked(0, 0, 0, 2)).state, 'off', 'a locked outlet can be off');
  const without = checked(0, 0, 0).filter(({ oid }) => oid !== `${ROOT}.6.3`);
  const lacking: Bind = { oid: `${ROOT}.6.3`, kind: 'missing', what: 'noSuchObject' };
  t.equal(lookedAt(CHECKED, [...without, lacking]).state, 'off', 'an optional column may lack');
  t.equal(lookedAt(CHECKED, without).state, 'unknown', 'but not be left out of the answer');
  const pending = checked(0, 0, 0).filter(({ oid }) => oid !== `${ROOT}.5.3`);
  t.equal(lookedAt(CHECKED, pending).state, 'unknown', 'one that must be there may not');
});

t.test('SNMP v1: one missing optional column does not hide the others', async (t) => {
  const table: SnmpTable = {
    ...BASE,
    checks: [{ as: 'health', oid: `${ROOT}.99`, good: [0], optional: true }],
  };
  const profile = madeSnmp({ table });
  const outlets = [{ id: '3' }];
  const exchange = startExchange(profile, profile.device, { want: 'read', outlets }, {}, ms(1000));
  let turn = next(exchange, { kind: 'start' }, ms(0));
  const refused: SnmpEvent = { kind: 'refused', status: 'NoSuchName', oid: `${ROOT}.99.3` };
  turn = next(turn.exchange, refused, ms(1));
  t.match(turn.command, { kind: 'get', oids: [`${ROOT}.2.3`] });
  turn = next(turn.exchange, { kind: 'binds', binds: [state(2)] }, ms(2));
  t.match(turn.command, { kind: 'done', reply: { outlets: [{ state: 'off' }] } });
  const state1: SnmpEvent = { kind: 'refused', status: 'NoSuchName', oid: `${ROOT}.2.3` };
  const gone = next(next(exchange, { kind: 'start' }, ms(0)).exchange, state1, ms(1));
  t.match(gone.command, { kind: 'done', reply: { outlets: [{ state: 'unknown' }] } });
});

t.test('nothing is ordered that must not be', async (t) => {
  const never = (id: string, more = {}, raw = {}): string => {
    const played = playSnmp(madeSnmp(more, raw), { want: 'off', outlets: [{ id }] });
    t.equal(played.orders, 0, `${id}: no order`);
    t.notOk(played.reply.ordered);
    t.equal(played.reply.outlets[0]?.state, 'unknown');
    return played.reply.outlets[0]?.why ?? '';
  };
  for (const id of ['0', '25', '-1', '1.2', '', '*', 'all', '1,2', '01', '3 ', '1e0', '0x3'])
    never(id);
  t.match(never('9', {}, { forbid: [9] }), 'forbidden');
  const twice = playSnmp(madeSnmp(), { want: 'off', outlets: [{ id: '3' }, { id: '3' }] });
  t.equal(twice.orders, 0, 'the same outlet twice');
  const locked = { ...BASE, checks: [{ as: 'lock', oid: `${ROOT}.7`, good: [1] }] } as const;
  const profile = madeSnmp({ table: locked });
  const exchange = startExchange(profile, profile.device, OFF_3, {}, ms(1000));
  const asked = next(exchange, { kind: 'start' }, ms(0));
  const lock: Bind = { oid: `${ROOT}.7.3`, kind: 'number', value: 2 };
  const turn = next(asked.exchange, { kind: 'binds', binds: [state(1), lock] }, ms(1));
  t.match(turn.command, {
    kind: 'done',
    reply: { outlets: [{ state: 'on', why: 'lock 2' }], ordered: false },
  });
});

t.test('names', async (t) => {
  const by = (id: string, more = {}, name?: string): ReturnType<typeof playSnmp> =>
    playSnmp(madeSnmp(more), {
      want: 'off',
      outlets: [{ id, ...(name === undefined ? {} : { name }) }],
    });
  const found = by('@outlet-3');
  t.match(found.reply.outlets, [{ outlet: '@outlet-3', state: 'off' }]);
  t.notOk(found.flows('3'));
  t.ok(found.flows('1') && found.flows('2') && found.flows('4'));
  t.match(by('@nobody').reply.outlets, [{ state: 'unknown', why: "no outlet is named 'nobody'" }]);
  t.match(by('3', {}, 'outlet-3').reply.outlets, [{ state: 'off' }]);
  const moved = playSnmp(
    madeSnmp(),
    { want: 'off', outlets: [{ id: '3', name: 'outlet-3' }] },
    { faults: ['renamed'] },
  );
  t.match(moved.reply.outlets, [{ state: 'unknown', why: "names it 'outlet-4', not 'outlet-3'" }]);
  t.equal(moved.orders, 0, 'another name: nothing is ordered');
  const { names: _, ...nameless } = BASE;
  t.match(by('@x', { table: nameless }).reply.outlets, [{ why: 'no column of names' }]);
});

t.test('two outlets of one name', async (t) => {
  const profile = madeSnmp();
  const request = { want: 'off', outlets: [{ id: '@web' }] } as const;
  let turn = next(
    startExchange(profile, profile.device, request, {}, ms(1000)),
    { kind: 'start' },
    ms(0),
  );
  for (const outlet of [3, 7]) {
    const bind: Bind = { oid: `${ROOT}.1.${outlet}`, kind: 'text', value: 'web' };
    turn = next(turn.exchange, { kind: 'binds', binds: [bind] }, ms(1));
  }
  const past: Bind = { oid: `${ROOT}.2.1`, kind: 'number', value: 1 };
  turn = next(turn.exchange, { kind: 'binds', binds: [past] }, ms(2));
  t.match(turn.command, {
    kind: 'done',
    reply: { outlets: [{ state: 'unknown', why: '2 outlets are named' }] },
  });
});

t.test('a device whose names go round in a circle', async (t) => {
  const profile = madeSnmp();
  const request = { want: 'off', outlets: [{ id: '@web' }] } as const;
  let turn = next(
    startExchange(profile, profile.device, request, {}, ms(1000)),
    { kind: 'start' },
    ms(0),
  );
  const bind: Bind = { oid: `${ROOT}.1.3`, kind: 'text', value: 'x' };
  turn = next(turn.exchange, { kind: 'binds', binds: [bind] }, ms(1));
  turn = next(turn.exchange, { kind: 'binds', binds: [bind] }, ms(1));
  t.match(turn.command, { kind: 'done', reply: { outlets: [{ why: 'circle' }] } });
});

t.test('orders before the order: an unlock, a commit', async (t) => {
  const table: SnmpTable = {
    ...BASE,
    off: [
      { oid: `${ROOT}.8`, value: 'secret:outlet' },
      { oid: `${ROOT}.3`, value: 5 },
      { oid: `${ROOT}.9.0`, value: 1, shared: true },
    ],
  };
  const played = playSnmp(madeSnmp({ table }), OFF_3, { log: true });
  t.match(played.reply.outlets, [{ state: 'off' }]);
  t.same(
    played.log.flatMap(
      (line) => line.match(/"set","writes":\[\{"oid":"[^"]*\.([0-9]+\.[0-9]+)"/u)?.[1] ?? [],
    ),
    ['8.3', '3.3', '9.0'],
  );
  const poor = playSnmp(madeSnmp({ table }), OFF_3, { secrets: {} });
  t.match(poor.reply.outlets, [{ state: 'unknown', why: "the secret 'outlet' is not configured" }]);
});

t.test('one text for all outlets', async (t) => {
  const list = { separator: ',', first: 0 } as const;
  const table: SnmpTable = {
    state: { oid: `${ROOT}.13.0`, values: { off: ['0'], on: ['1'], error: ['-2'] }, list },
    off: [{ oid: `${ROOT}.13.0`, value: '0', list }],
    on: [{ oid: `${ROOT}.13.0`, value: '1', list }],
  };
  const played = playSnmp(madeSnmp({ table, sameColumn: true }), OFF_3, { outlets: 8 });
  t.match(played.reply.outlets, [{ state: 'off', why: 'state 0' }]);
  t.same(
    [1, 2, 3, 4, 8].map((one) => played.flows(`${one}`)),
    [true, true, false, true, true],
  );
  const beyond = playSnmp(
    madeSnmp({ table, sameColumn: true }),
    { want: 'off', outlets: [{ id: '12' }] },
    { outlets: 8 },
  );
  t.match(beyond.reply.outlets, [{ state: 'unknown' }], 'an outlet that the list does not have');
  t.equal(beyond.orders, 0);
});

t.test('objects made from the number: behind it, beside it, with a gap', async (t) => {
  const index: Index = {
    parts: [{ name: 'outlet', first: 1, last: 24 }],
    shifts: [
      { from: 1, add: 1 },
      { from: 9, add: 2 },
    ],
  };
  const table: SnmpTable = {
    state: { oid: `${ROOT}.{product}.3.{shifted}.0`, values: { off: [2], on: [1] } },
    off: [{ oid: `${ROOT}.{product}.2.{outlet+1}.0`, value: 2 }],
    on: [{ oid: `${ROOT}.{product}.2.{outlet+1}.0`, value: 1 }],
  };
  const profile = madeSnmp({ index, table, product: ROOT });
  const played = playSnmp(
    profile,
    { want: 'off', outlets: [{ id: '10' }] },
    { log: true, outlets: 12 },
  );
  t.match(played.reply.outlets, [{ state: 'off' }]);
  t.notOk(played.flows('10'));
  t.ok(played.flows('9') && played.flows('11'));
  t.ok(
    played.log.some((line) => line.includes(`${ROOT}.38.3.12.0`)),
    'state at 10 + 2',
  );
  t.ok(
    played.log.some((line) => line.includes(`${ROOT}.38.2.11.0`)),
    'order at 10 + 1',
  );
});

t.test('firmware decides which columns are right', async (t) => {
  const firmware = {
    oid: `${ROOT}.70.0`,
    known: [
      { sees: 'sLEN', use: 'lenovo' },
      { sees: 'v3.{number}', use: 'base' },
      { sees: 'beta', refuse: 'beta columns' },
    ],
  };
  const state13 = { oid: `${ROOT}.13`, values: { off: [0], on: [1] } };
  const profile = madeSnmp({ firmware, variants: { lenovo: { state: state13 } } });
  const seen = (words: string): unknown => {
    const exchange = startExchange(profile, profile.device, READ_3, {}, ms(1000));
    const first = next(exchange, { kind: 'start' }, ms(0));
    const bind: Bind = { oid: `${ROOT}.70.0`, kind: 'text', value: words };
    return next(first.exchange, { kind: 'binds', binds: [bind] }, ms(1)).command;
  };
  t.match(seen('EC2 sLEN 1'), { kind: 'get', oids: [`${ROOT}.13.3`] });
  t.match(seen('fw v3.12'), { kind: 'get', oids: [`${ROOT}.2.3`] });
  t.match(seen('beta 4'), { kind: 'done', reply: { outlets: [{ why: 'beta columns' }] } });
  t.match(seen('v4.1'), {
    kind: 'done',
    reply: { outlets: [{ why: 'not known' }], ordered: false },
  });
});

t.test('state in the column of the order is looked at twice', async (t) => {
  const table: SnmpTable = { ...BASE, state: { ...BASE.state, oid: `${ROOT}.3` } };
  const once = playSnmp(madeSnmp(), OFF_3);
  const twice = playSnmp(madeSnmp({ table, sameColumn: true }), OFF_3);
  t.ok(once.tookMs < 100);
  t.ok(twice.tookMs >= 300, `${twice.tookMs}`);
});

t.test('orders that were lost, refused, or without effect', async (t) => {
  const lost = playSnmp(madeSnmp(), OFF_3, { faults: ['lost'] });
  t.match(lost.reply, { outlets: [{ state: 'off' }], ordered: true });
  const dropped = playSnmp(madeSnmp(), OFF_3, { faults: ['dropped'] });
  t.match(dropped.reply.outlets, [{ state: 'off' }], 'is repeated');
  t.equal(dropped.orders, 2);
  const deaf = playSnmp(madeSnmp(), OFF_3, { faults: ['deaf'] });
  t.match(deaf.reply.outlets, [{ state: 'on' }]);
  t.equal(deaf.orders, 2, 'once more, and no oftener');
  const profile = madeSnmp();
  const exchange = startExchange(profile, profile.device, OFF_3, {}, ms(5000));
  let turn = next(exchange, { kind: 'start' }, ms(0));
  turn = next(turn.exchange, { kind: 'binds', binds: [state(1)] }, ms(1));
  t.match(turn.command, { kind: 'set' });
  turn = next(turn.exchange, { kind: 'refused', status: 'NoAccess' }, ms(2));
  turn = next(turn.exchange, { kind: 'waited' }, ms(3));
  turn = next(turn.exchange, { kind: 'binds', binds: [state(1)] }, ms(4));
  t.match(turn.command, {
    kind: 'done',
    reply: { outlets: [{ state: 'on', why: 'refused: NoAccess' }] },
  });
});

t.test('what was seen before an order is no proof after it', async (t) => {
  const profile = madeSnmp();
  const outlets = [{ id: '3' }, { id: '4' }];
  const exchange = startExchange(profile, profile.device, { want: 'off', outlets }, {}, ms(100));
  let turn = next(exchange, { kind: 'start' }, ms(0));
  const other: Bind = { oid: `${ROOT}.2.4`, kind: 'number', value: 1 };
  turn = next(turn.exchange, { kind: 'binds', binds: [state(2), other] }, ms(1));
  t.match(turn.command, { kind: 'set', writes: [{ oid: `${ROOT}.3.3` }] }, 'both are ordered');
  turn = next(turn.exchange, { kind: 'lost', why: 'no answer' }, ms(100));
  t.match(turn.command, {
    kind: 'done',
    reply: { outlets: [{ state: 'unknown' }, { state: 'unknown' }], ordered: true },
  });
});

t.test('both outlets are asked for in one question', async (t) => {
  const profile = madeSnmp();
  const outlets = [{ id: '3' }, { id: '4' }];
  const exchange = startExchange(profile, profile.device, { want: 'read', outlets }, {}, ms(100));
  const turn = next(exchange, { kind: 'start' }, ms(0));
  t.match(turn.command, { kind: 'get', oids: [`${ROOT}.2.3`, `${ROOT}.2.4`] });
});

t.test('it looks often at first, and never less than every fiftieth of the time', async (t) => {
  for (const delayMs of [100, 1000, 9000]) {
    const played = playSnmp(madeSnmp(), OFF_3, { delayMs });
    t.match(played.reply.outlets, [{ state: 'off' }]);
    t.ok(played.tookMs - delayMs <= 50 + delayMs / 45, `${delayMs}: ${played.tookMs}`);
  }
});
