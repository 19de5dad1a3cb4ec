/**
 * The device's side of a conversation, made from the `fake` part of a profile: modes with a prompt, and
 * what is understood in each. Written apart from our side of the same profile, so that one mistake does
 * not hide the other.
 */
import type { Ms } from '../rules/model.ts';
import { type Bank, type BankOptions, makeBank, nameOf, occupied, ordered, shows } from './fake.ts';
import { find, readPattern } from './pattern.ts';
import type { LineProfile } from './profile.ts';
import type { FakeMode, LineFake as Script } from './profile-fake.ts';
import { sameOutlet } from './rows.ts';
import { fillWords } from './template.ts';

export interface LineFake {
  readonly script: Script;
  readonly bank: Bank;
  readonly mode: string;
  /** The beginning of a line whose end has not come. */
  readonly heard: string;
  /** The outlet that was named last. */
  readonly outlet: string;
  /** Held back by a pager until a key is pressed. */
  readonly held: string;
}

export interface Said {
  readonly fake: LineFake;
  readonly say: string;
  readonly hangUp: boolean;
}

const NOISE = '\x07\xff\xfe~@# noise \x1b[0m 1 | x | \r\n** fan 2 slow **\r\n';
const HEARD_CHARS_MAX = 1024;

function outletsOf(device: LineProfile, script: Script): readonly string[] {
  const { first = 1, letters } = device.outlets;
  const label = letters === undefined ? '' : 'A'.repeat(letters);
  const start = letters === undefined ? first : 1;
  return Array.from({ length: script.outlets }, (_, at) => `${label}${start + at}`);
}

/** Undefined for a profile without a device's side. */
export function makeLineFake(
  device: LineProfile,
  now: Ms,
  options: BankOptions = {},
): LineFake | undefined {
  const script = device.fake;
  if (script === undefined) return undefined;
  const bank = makeBank(outletsOf(device, script), now, options);
  return { script, bank, mode: script.start, heard: '', outlet: '', held: '' };
}

function modeOf({ script, mode }: LineFake): FakeMode {
  return script.modes[mode] ?? { prompt: '', hears: [] };
}

function promptOf(fake: LineFake): string {
  const { prompt } = modeOf(fake);
  // What a new firmware might say: the same, in other words.
  return fake.bank.faults.has('prompt') ? prompt.replaceAll(/[A-Za-z]/gu, 'z') : prompt;
}

function rowOf(fake: LineFake, outlet: string, now: Ms): string {
  const { bank, script } = fake;
  if (bank.faults.has('missing') || !bank.outlets.includes(outlet)) return '';
  const state = shows(bank, outlet, now);
  const word = state === 'unknown' ? 'Maybe' : script.shows[state];
  return fillWords(script.row, { outlet, name: nameOf(bank, outlet), state: word });
}

function filled(fake: LineFake, template: string, now: Ms): string {
  const rows = fake.bank.outlets.map((outlet) => `${rowOf(fake, outlet, now)}\r\n`).join('');
  return fillWords(template, {
    rows,
    row: rowOf(fake, fake.outlet, now),
    outlet: fake.outlet,
  });
}

/**
 * A serial port is opened: the device does not see it, but for DTR. The session goes on where it was.
 */
export function linePlugged(given: LineFake, now: Ms): Said {
  const { greeting } = given.script.modes[given.script.start] ?? {};
  if (greeting === undefined || occupied(given.bank, now))
    return { fake: given, say: '', hangUp: false };
  return lineOpened(given, now);
}

/** Somebody connects, or DTR rises. */
export function lineOpened(given: LineFake, now: Ms): Said {
  const { bank, script } = given;
  const fake = { ...given, mode: script.start, heard: '', outlet: '', held: '' };
  if (bank.faults.has('silent')) return { fake, say: '', hangUp: false };
  if (occupied(bank, now)) return { fake, say: script.busy ?? 'busy\r\n', hangUp: true };
  const greeting = modeOf(fake).greeting ?? '';
  const noise = bank.faults.has('garbage') ? NOISE : '';
  const words = bank.faults.has('prompt') ? greeting.replaceAll(/[A-Za-z]/gu, 'z') : greeting;
  return { fake, say: `${noise}${words}${promptOf(fake)}`, hangUp: false };
}

type Hears = FakeMode['hears'][number];

/** What it hears in this line, and the outlet that it names. */
function hearing(fake: LineFake, line: string): { hears: Hears; outlet: string } | undefined {
  for (const hears of modeOf(fake).hears) {
    const pattern = readPattern(hears.see);
    const captures = typeof pattern === 'string' ? undefined : find(pattern, line);
    if (captures === undefined) continue;
    const { outlet: named } = captures;
    if (named === undefined) return { hears, outlet: fake.outlet };
    const outlet = fake.bank.outlets.find((one) => sameOutlet(one, named)) ?? named;
    return { hears, outlet };
  }
  return undefined;
}

function understood(given: LineFake, line: string, now: Ms): Said {
  const heard = hearing(given, line);
  if (heard === undefined) {
    const say = `${modeOf(given).otherwise ?? ''}${promptOf(given)}`;
    return { fake: given, say, hangUp: false };
  }
  const { hears, outlet } = heard;
  let fake: LineFake = { ...given, outlet };
  if (hears.do !== undefined) {
    const first = fake.bank.orders === 0;
    fake = { ...fake, bank: ordered(fake.bank, outlet, hears.do === 'on', now) };
    const { faults } = fake.bank;
    if (faults.has('closes') && first) return { fake, say: '', hangUp: true };
    if (faults.has('lost') && first)
      return { fake: { ...fake, mode: 'lost' }, say: '', hangUp: false };
  }
  if (hears.to === 'bye') return { fake, say: '', hangUp: true };
  fake = { ...fake, mode: hears.to ?? fake.mode };
  const noise = fake.bank.faults.has('garbage') ? NOISE : '';
  const say = `${filled(fake, hears.say ?? '', now)}${noise}${promptOf(fake)}`;
  return { fake, say, hangUp: false };
}

/** With a pager the second half of a long answer waits for a key. */
function paged(said: Said): Said {
  const lines = said.say.split('\r\n');
  if (!said.fake.bank.faults.has('pager') || lines.length < 4) return said;
  const half = Math.floor(lines.length / 2);
  const held = lines.slice(half).join('\r\n');
  const say = `${lines.slice(0, half).join('\r\n')}\r\n--Weiter--`;
  return { ...said, say, fake: { ...said.fake, held } };
}

function heardChar(given: LineFake, char: string, now: Ms): Said {
  const { script } = given;
  const { end } = script;
  const stop = end === '' || char === end || modeOf(given).once === true;
  const heard = `${given.heard}${char === end || char === '\r' || char === '\n' ? '' : char}`;
  if (!stop)
    return { fake: { ...given, heard: heard.slice(0, HEARD_CHARS_MAX) }, say: '', hangUp: false };
  return paged(understood({ ...given, heard: '' }, heard, now));
}

/** One character, with the echo. */
function nextChar(fake: LineFake, char: string, now: Ms): Said {
  if (fake.mode === 'lost') return { fake, say: '', hangUp: false };
  if (fake.held !== '') {
    if (char !== ' ') return { fake, say: '', hangUp: false };
    return { fake: { ...fake, held: '' }, say: fake.held, hangUp: false };
  }
  const { echo, end } = fake.script;
  if (char === '\n' && end === '\r') return { fake, say: '', hangUp: false };
  const said = heardChar(fake, char, now);
  if (echo !== true) return said;
  return { ...said, say: `${char === end ? '\r\n' : char}${said.say}` };
}

/** What came from us, and what it says to it. */
export function lineHeard(given: LineFake, text: string, now: Ms): Said {
  let fake = given;
  let say = '';
  if (fake.bank.faults.has('silent')) return { fake, say, hangUp: false };
  for (const char of text) {
    const said = nextChar(fake, char, now);
    fake = said.fake;
    say += said.say;
    if (said.hangUp) return { fake, say, hangUp: true };
  }
  return { fake, say, hangUp: false };
}
