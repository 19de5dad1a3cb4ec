/**
 * The objects of a fake switch behind a real snmpd: its `pass_persist` protocol on standard input and
 * output (snmpd.conf(5)). Arguments: profile, port of a UDP socket that is told the relays on each change.
 */

import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { monotonicNow } from '../../agent/ports/clock.ts';
import { loadProfiles } from '../../agent/profiles.ts';
import { type Fault, flows } from '../../fencing/fake.ts';
import { fakeGet, fakeNext, fakeSet, makeSnmpFake } from '../../fencing/fake-snmp.ts';
import type { Bind } from '../../fencing/snmp-table.ts';

const [, , name = '', file = '', delay = '20', faults = ''] = process.argv;
const { profiles } = await loadProfiles();
const device = profiles.get(name)?.device;
if (device?.kind !== 'snmp') throw new Error(`no profile ${name}`);
let fake = makeSnmpFake(device, monotonicNow(), {
  delayMs: Number(delay),
  faults: faults.split(',').filter((one) => one !== '') as readonly Fault[],
});

/** Outlets without current, for the test to see. */
function tell(): void {
  const dark = fake.bank.outlets.filter((outlet) => !flows(fake.bank, outlet, monotonicNow()));
  writeFileSync(file, dark.join(' '));
}
setInterval(tell, 10);

function shown(bind: Bind | undefined): string {
  if (bind === undefined || bind.kind === 'missing') return 'NONE\n';
  const type = bind.kind === 'number' ? 'integer' : bind.kind === 'oid' ? 'objectid' : 'string';
  return `.${bind.oid}\n${type}\n${bind.value}\n`;
}

const lines = createInterface({ input: process.stdin });
const words: string[] = [];

/** Answers what has come, when it is whole. */
function answer(): string | undefined {
  const [verb, oid = '', value = ''] = words;
  const plain = oid.replace(/^\./u, '');
  const now = monotonicNow();
  if (verb === 'PING') return 'PONG\n';
  if (verb === 'get' && words.length === 2) return shown(fakeGet(fake, [plain], now)[0]);
  if (verb === 'getnext' && words.length === 2) return shown(fakeNext(fake, [plain], now)[0]);
  if (verb !== 'set' || words.length < 3) return verb === '' ? '' : undefined;
  const [type, ...rest] = value.split(' ');
  const text = rest.join(' ').replace(/^"(.*)"$/u, '$1');
  const done = fakeSet(fake, plain, type === 'integer' ? Number(text) : text, now);
  fake = done.fake;
  tell();
  return done.refused === undefined ? 'DONE\n' : 'not-writable\n';
}

lines.on('line', (line) => {
  words.push(line);
  const said = answer();
  if (said === undefined) return;
  words.length = 0;
  process.stdout.write(said);
});
lines.on('close', () => process.exit(0));
