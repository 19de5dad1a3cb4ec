/**
 * The conversation with line devices, rule by rule: what a table proves, what ends a session, what is
 * sent again, and that secrets stay secret.
 */
import fc from 'fast-check';
import t from 'tap';
import { nextTurn } from '../../fencing/conversation.ts';
import type { LineProfile, StatusQuery } from '../../fencing/profile.ts';
import { type Profile, profileOf, type RawProfile } from '../../fencing/profile.ts';
import { readRows, rowFor } from '../../fencing/rows.ts';
import { type LineCommand, type LineEvent, startTalk } from '../../fencing/talk.ts';
import { ms } from '../../rules/model.ts';

const STATUS: StatusQuery = {
  steps: [
    { send: 'status' },
    { until: ['{start}>'], answer: [{ see: 'More', bytes: ' ', most: 5 }] },
  ],
  rows: ['{outlet} {name} {lock} {state}', '{outlet} {lock} {state}'],
  values: { off: ['Off', 'Not Activated'], on: ['On'], moving: ['Pending'] },
  lock: { free: ['Free'], locked: ['Locked'] },
};

function made(more: Partial<Omit<LineProfile, 'kind'>> = {}): Profile & { device: LineProfile } {
  const line: Omit<LineProfile, 'kind'> = {
    over: ['telnet'],
    end: '\r\n',
    outlets: { first: 1, last: 16 },
    login: [
      {
        until: ['{start}>'],
        answer: [
          { see: 'user:', send: '{user}' },
          { see: 'password:', send: '{password}' },
        ],
      },
    ],
    logout: [{ send: 'bye' }],
    status: STATUS,
    off: [
      { send: 'off {outlet}' },
      { until: ['{start}>'], answer: [{ see: '(Y/N)', bytes: 'Y' }] },
    ],
    on: [{ send: 'on {outlet}' }, { until: ['{start}>'] }],
    errors: [
      { see: 'bad password', why: 'the password is wrong', means: 'refused' },
      { see: 'in use', why: 'another session is open', means: 'busy' },
    ],
    ...more,
  };
  const raw: RawProfile = { title: 'made', confidence: 'low', evidence: ['made'], line };
  const profile = profileOf('made', raw);
  if (profile?.device.kind !== 'line') throw new Error('not made');
  return { ...profile, device: profile.device };
}

/** Text that comes after each line of ours, in order; `null` hangs up. */
type Script = readonly (readonly [sent: string, say: string | null])[];

interface Spoken {
  readonly commands: readonly LineCommand[];
  readonly sent: readonly string[];
  readonly outlets: readonly { readonly state: string; readonly why: string }[];
  readonly ordered: boolean;
  readonly opened: number;
}

interface Wire {
  waiting: string;
  gone: boolean;
  at: number;
  now: number;
}

/** What the device says to this, if it is the next thing it waits for. */
function hear(wire: Wire, script: Script, cue: string): void {
  const [sent, say] = script[wire.at] ?? [];
  if (sent !== cue) return;
  wire.at += 1;
  if (say === null) wire.gone = true;
  else wire.waiting += say ?? '';
}

function carried(wire: Wire, script: Script, command: LineCommand): LineEvent {
  if (command.kind === 'open') {
    wire.gone = false;
    wire.waiting = '';
    hear(wire, script, '<open>');
  }
  if (command.kind === 'send') hear(wire, script, command.text.trim());
  if (command.kind === 'wait') wire.now += command.ms;
  if (command.kind !== 'listen') return { kind: 'ready' };
  const text = wire.waiting;
  wire.waiting = '';
  if (text !== '') return { kind: 'heard', text };
  if (wire.gone) return { kind: 'closed', why: 'hung up' };
  wire.now += command.ms;
  return { kind: 'silence' };
}

/** Speaks with a device that says what the script has. */
function speak(
  profile: ReturnType<typeof made>,
  want: 'read' | 'off',
  script: Script,
  ids: readonly string[] = ['3'],
): Spoken {
  const request = { want, outlets: ids.map((id) => ({ id })) };
  const login = { user: 'eve', password: 'sesame' };
  let talk = startTalk(profile, profile.device, request, login, ms(60_000));
  let event: LineEvent = { kind: 'start' };
  const wire: Wire = { waiting: '', gone: true, at: 0, now: 0 };
  const commands: LineCommand[] = [];
  for (let count = 0; count < 2000 && commands.at(-1)?.kind !== 'done'; count += 1) {
    const turn = nextTurn(talk, event, ms(wire.now));
    ({ talk } = turn);
    commands.push(turn.command);
    wire.now += 1;
    event = carried(wire, script, turn.command);
  }
  const last = commands.at(-1);
  const reply = last?.kind === 'done' ? last.reply : { outlets: [], ordered: false };
  return {
    commands,
    sent: commands.flatMap((one) => (one.kind === 'send' ? [one.text.trim()] : [])),
    outlets: reply.outlets,
    ordered: reply.ordered,
    opened: commands.filter(({ kind }) => kind === 'open').length,
  };
}

const LOGIN: Script = [
  ['<open>', 'user:'],
  ['eve', 'password:'],
  ['sesame', '\r\n>'],
];

function table(...rows: readonly string[]): string {
  return `status\r\n${rows.join('\r\n')}\r\n>`;
}

t.test('log in, look, order, look, log out', async (t) => {
  const spoken = speak(made(), 'off', [
    ...LOGIN,
    ['status', table('2 web Free On', '3 db Free On')],
    ['off 3', 'off 3\r\nSure (Y/N)'],
    ['Y', '\r\n>'],
    ['status', table('2 web Free On', '3 db Free Off')],
  ]);
  t.match(spoken.outlets, [{ state: 'off', why: "'3 db Free Off'" }]);
  t.same(spoken.sent, ['eve', 'sesame', 'status', 'off 3', 'Y', 'status', 'bye']);
  const shown = JSON.stringify(
    spoken.commands.map((one) => (one.kind === 'send' ? one.shown : '')),
  );
  t.notMatch(shown, 'sesame', 'the password is never shown');
});

t.test('a wrong password is tried once', async (t) => {
  const spoken = speak(made(), 'off', [...LOGIN.slice(0, 2), ['sesame', 'bad password\r\nuser:']]);
  t.match(spoken, {
    outlets: [{ state: 'unknown', why: 'the password is wrong' }],
    opened: 1,
    ordered: false,
  });
});

t.test('a busy device is tried again', async (t) => {
  const spoken = speak(made(), 'read', [
    ['<open>', 'port in use\r\n'],
    ...LOGIN,
    ['status', table('3 db Free Off')],
  ]);
  t.match(spoken, { outlets: [{ state: 'off' }], opened: 2 });
});

t.test('hung up in the middle of an order: begun again, and looked at', async (t) => {
  const spoken = speak(made(), 'off', [
    ...LOGIN,
    ['status', table('3 db Free On')],
    ['off 3', null],
    ...LOGIN,
    ['status', table('3 db Free Off')],
  ]);
  t.match(spoken, { outlets: [{ state: 'off' }], opened: 2, ordered: true });
  t.equal(spoken.sent.filter((line) => line === 'off 3').length, 1);
  const still = speak(made(), 'off', [
    ...LOGIN,
    ['status', table('3 db Free On')],
    ['off 3', null],
    ...LOGIN,
    ['status', table('3 db Free On')],
    ['off 3', '>'],
    ['status', table('3 db Free Off')],
  ]);
  t.match(still.outlets, [{ state: 'off' }], 'and ordered again where it is still on');
});

t.test('a locked outlet is not ordered', async (t) => {
  const spoken = speak(made(), 'off', [...LOGIN, ['status', table('3 db Locked On')]]);
  t.match(spoken, { outlets: [{ state: 'on', why: 'locked' }], ordered: false });
});

t.test('a pager is answered, and its page is part of the table', async (t) => {
  const spoken = speak(made(), 'read', [
    ...LOGIN,
    ['status', 'status\r\n1 a Free On\r\n--More--'],
    ['', '\r\n3 db Free Off\r\n>'],
  ]);
  t.match(spoken.outlets, [{ state: 'off' }]);
});

t.test('what was there before the question is no answer', async (t) => {
  const echoing = made({ echo: true });
  const late = table('3 db Free Off').replace('status', '');
  const spoken = speak(echoing, 'read', [
    ['<open>', 'user:'],
    ['eve', 'eve\r\npassword:'],
    ['sesame', '\r\n>'],
    ['status', `${late}status\r\n3 db Free On\r\n>`],
  ]);
  t.match(spoken.outlets, [{ state: 'on' }], 'an answer that came before the echo is older');
});

t.test('a device that talks without end', async (t) => {
  const spoken = speak(made(), 'read', [['<open>', 'x'.repeat(70_000)]]);
  t.match(spoken.outlets, [{ state: 'unknown' }]);
});

t.test('tables', async (t) => {
  const read = (page: string, outlet = '3', query: StatusQuery = STATUS): unknown => {
    const rows = readRows(query, page);
    return rows.trouble ?? rowFor(rows, outlet)?.state ?? 'no row';
  };
  t.equal(read('3 db Free Off'), 'off');
  t.equal(read('03 db Free Off'), 'off', 'a leading zero');
  t.equal(read('13 db Free Off'), 'no row');
  t.equal(read('30 db Free Off'), 'no row');
  t.equal(read('3 db Free Pending'), 'unknown');
  t.equal(read('3 db Free Not Activated'), 'off');
  t.equal(read('3 db Free Offline'), 'no row');
  t.equal(read('3 db Maybe Off'), 'no row', 'an unknown lock');
  t.equal(read('3 Off Free On'), 'on', 'a name that looks like a state');
  t.equal(read('3 Free Off Free On'), 'on', 'a name that looks like a row');
  const loose: StatusQuery = {
    ...STATUS,
    rows: ['{outlet} {name} {state} {any}', '{outlet} {state} {any}'],
  };
  t.match(read('3 On x Off y', '3', loose), /two ways/u);
  t.equal(read('3 db Free Off\n3 db Free On'), 'unknown', 'twice, and different');
  t.equal(read('3 db Free Off\n3 db Free Off'), 'off', 'twice, and the same');
  const two: StatusQuery = { ...STATUS, rows: ['{outlet} {state} {also}'] };
  t.equal(read('3 Off Off', '3', two), 'off');
  t.equal(read('3 Off On', '3', two), 'unknown', 'the sensed and the ordered state differ');
  const bits: StatusQuery = {
    steps: [],
    rows: ['{state}'],
    values: { off: ['64'], on: ['0'] },
    bits: 64,
  };
  t.equal(read('48', 'x', bits), 'off', '0x48 has 0x40');
  t.equal(read('08', 'x', bits), 'on');
  t.equal(read('NA', 'x', bits), 'unknown');
});

t.test('tables with headings', async (t) => {
  const query: StatusQuery = {
    steps: [],
    columns: { separator: '|', outlet: 'Plug', name: 'Name', state: 'Status' },
    values: { off: ['OFF'], on: ['ON'] },
  };
  const read = (...lines: readonly string[]): unknown =>
    rowFor(readRows(query, lines.join('\r\n')), '3')?.state ?? 'no row';
  const head = ' Plug | Name | Default | Status |';
  t.equal(read(head, ' 3 | OFF | OFF | ON |'), 'on', 'other cells say nothing');
  t.equal(read(' PLUG | STATUS | NAME |', '3 | OFF | ON |'), 'off', 'in the order of the headings');
  t.equal(read(' 3 | OFF | OFF | ON |'), 'no row', 'without headings nothing is read');
  t.equal(read(head, '3 | a|b | OFF | ON |'), 'no row', 'another number of cells');
  t.equal(read(head, '3 | a | OFF | Maybe |'), 'unknown');
});

t.test('no text hangs it or makes it throw, and none says off without a row', async (t) => {
  const pieces = fc.constantFrom(
    'user:',
    'password:',
    '\r\n',
    '>',
    '3 db Free On',
    'More',
    '\x00',
    'é',
    ' ',
    '(Y/N)',
    '3',
    'Fre',
    'O',
  );
  const says = fc.array(pieces, { maxLength: 30 }).map((list) => list.join(''));
  fc.assert(
    fc.property(fc.array(says, { minLength: 1, maxLength: 8 }), (texts) => {
      const script: Script = texts.map((text, at) => [at === 0 ? '<open>' : 'status', text]);
      const spoken = speak(made(), 'off', script);
      if (spoken.outlets.some(({ state }) => state === 'off')) throw new Error('off');
    }),
    { numRuns: 200 },
  );
  t.pass();
});
