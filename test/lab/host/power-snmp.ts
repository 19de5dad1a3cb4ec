/**
 * A switched rack PDU of APC's first family behind Debian's snmpd, which has the protocol, the views and
 * the errors; the outlets' part of its tree comes from here through `pass_persist`. The status column is
 * the contact, the control column only the last order.
 *
 * Objects: PowerNet-MIB, rPDUOutletDevCommand, rPDUOutletControlTable, rPDUOutletStatusTable.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { lineReader } from '../vm/protocol.ts';
import { endOf, freeUdpPort, listen, untilUdp } from './loopback.ts';
import type { Relays, Served } from './power.ts';
import type { RunFolder } from './run-folder.ts';

const FAMILY = '.1.3.6.1.4.1.318.1.3.4.5';
const ROOT = '.1.3.6.1.4.1.318.1.1.12';
export const CONTROL: string = `${ROOT}.3.3.1.1.4`;
export const STATE: string = `${ROOT}.3.5.1.1.4`;
const ALL = `${ROOT}.3.1.1.0`;
const READ = 'public';
const WRITE = 'private';
/** Delayed orders, and the time off of a reboot. */
const DELAY_MS = 5_000;

interface Value {
  readonly type: 'integer' | 'string';
  readonly value: number | string;
}

function order(relays: Relays, outlet: number, value: number): void {
  switch (value) {
    case 1:
    case 2:
      relays.order(outlet, value === 1);
      return;
    case 3:
      relays.order(outlet, false);
      setTimeout(() => relays.order(outlet, true), DELAY_MS).unref();
      return;
    case 4:
    case 5:
      relays.order(outlet, value === 4, DELAY_MS);
      return;
    default:
      relays.cancel(outlet);
  }
}

/** Columns in the order of their numbers, each with a row for every outlet; 0 is a scalar. */
function tree(name: string, relays: Relays): ReadonlyMap<string, Value> {
  const found = new Map<string, Value>();
  const integer = (oid: string, value: number): void => {
    found.set(oid, { type: 'integer', value });
  };
  const column = (oid: string, of: (outlet: number) => number): void => {
    for (let outlet = 1; outlet <= relays.outlets; outlet += 1)
      integer(`${oid}.${outlet}`, of(outlet));
  };
  found.set(`${ROOT}.1.5.0`, { type: 'string', value: 'AP7921' });
  integer(`${ROOT}.1.8.0`, relays.outlets);
  integer(ALL, 1);
  column(CONTROL, (outlet) => (relays.isOn(outlet) ? 1 : 2));
  for (let outlet = 1; outlet <= relays.outlets; outlet += 1)
    found.set(`${ROOT}.3.5.1.1.2.${outlet}`, { type: 'string', value: `${name} ${outlet}` });
  column(STATE, (outlet) => (relays.isOn(outlet) ? 1 : 2));
  column(`${ROOT}.3.5.1.1.5`, (outlet) => (relays.isPending(outlet) ? 1 : 2));
  return found;
}

function isAfter(oid: string, other: string): boolean {
  const one = oid.split('.').slice(1).map(Number);
  const two = other.split('.').slice(1).map(Number);
  for (const [index, number] of one.entries()) {
    const against = two[index];
    if (against === undefined || number > against) return true;
    if (number < against) return false;
  }
  return false;
}

function told(oid: string | undefined, from: ReadonlyMap<string, Value>): string {
  const found = oid === undefined ? undefined : from.get(oid);
  return found === undefined ? 'NONE\n' : `${oid}\n${found.type}\n${found.value}\n`;
}

function set(relays: Relays, oid: string, given: string): string {
  const [type, text] = given.split(' ');
  if (oid !== ALL && !oid.startsWith(`${CONTROL}.`)) return 'not-writable\n';
  if (type !== 'integer') return 'wrong-type\n';
  const value = Number(text);
  const outlet = Number(oid.slice(CONTROL.length + 1));
  if (oid === ALL) {
    if (value !== 2 && value !== 3) return 'wrong-value\n';
    for (let one = 1; one <= relays.outlets; one += 1) relays.order(one, value === 2);
    return 'DONE\n';
  }
  if (!(outlet >= 1 && outlet <= relays.outlets)) return 'not-writable\n';
  if (!(value >= 1 && value <= 7)) return 'wrong-value\n';
  order(relays, outlet, value);
  return 'DONE\n';
}

/** Answers one helper of snmpd: snmpd.conf(5), pass_persist. */
export function passPersist(
  name: string,
  relays: Relays,
  say: (text: string) => void,
): (line: string) => void {
  let words: string[] = [];
  return (line) => {
    words.push(line);
    const [verb, oid = '', given = ''] = words;
    const wanted = verb === 'PING' ? 1 : verb === 'set' ? 3 : 2;
    if (words.length < wanted) return;
    words = [];
    if (verb === 'PING') return say('PONG\n');
    if (verb === 'set') return say(set(relays, oid, given));
    const all = tree(name, relays);
    const found = verb === 'get' ? oid : [...all.keys()].find((one) => isAfter(one, oid));
    say(told(found, all));
  };
}

export async function openSnmp(run: RunFolder, name: string, relays: Relays): Promise<Served> {
  const socket = run.file(`${name}.pass`);
  const server = createServer((helper) => {
    helper.setEncoding('utf8').on('error', () => undefined);
    const take = passPersist(name, relays, (text) => helper.write(text));
    helper.on('data', lineReader(take));
  });
  await listen(server, socket);
  const port = await freeUdpPort();
  // Apart from the folder where snmpd keeps a file of the same name.
  const conf = run.file(`${name}.snmpd.conf`);
  const folder = run.file(`${name}.snmp`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    conf,
    [
      `agentaddress udp:127.0.0.1:${port}`,
      `rocommunity ${READ} 127.0.0.1`,
      `rwcommunity ${WRITE} 127.0.0.1`,
      `sysObjectID ${FAMILY}`,
      `sysName ${name}`,
      `pass_persist ${ROOT} /usr/bin/socat - UNIX-CONNECT:${socket}`,
      '',
    ].join('\n'),
  );
  const start = (): ReturnType<RunFolder['spawn']> =>
    run.spawn(
      [
        ...(['env', `SNMP_PERSISTENT_DIR=${folder}`, 'snmpd', '-f', '-C'] as const),
        ...['-c', conf, '-Lo', '-I', '-hr_system,hrh_storage,hw_mem'],
      ],
      `${name}.snmpd`,
    );
  let child = start();
  await untilUdp(port, child);
  return {
    address: { kind: 'snmp', port, read: READ, write: WRITE },
    hang: (hung) => void child.kill(hung ? 'SIGSTOP' : 'SIGCONT'),
    power: async (on) => {
      child.kill('SIGKILL');
      await endOf(child);
      if (!on) return;
      child = start();
      await untilUdp(port, child);
    },
    close: async () => {
      child.kill('SIGKILL');
      await endOf(child);
      server.close();
    },
  };
}
