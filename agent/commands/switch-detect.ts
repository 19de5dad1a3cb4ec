/**
 * `nospof switch detect`: what an SNMP device says it is, which profile fits, and whether the column of
 * that profile answers. It only reads. A guess is a guess: the configured profile always wins.
 */
import { fakeOutlets } from '../../fencing/fake-snmp.ts';
import { indexNumbers } from '../../fencing/outlet.ts';
import type { Profile } from '../../fencing/profile.ts';
import { below, objectOf } from '../../fencing/template.ts';
import { type SnmpLogin, type SnmpPort, snmpPort } from '../ports/snmp.ts';
import { readSecret } from '../secrets.ts';
import { snmpLoginOf } from '../switches.ts';
import { complain, print } from './print.ts';
import type { SwitchSetup } from './switch.ts';

const SYS_DESCR = '1.3.6.1.2.1.1.1.0';
const SYS_OBJECT_ID = '1.3.6.1.2.1.1.2.0';
const ANSWER_MS = 2000;

export interface Detected {
  readonly objectId: string;
  readonly description: string;
  /** Profiles whose prefix fits, the longest first, and whether their column answers. */
  readonly fits: readonly { readonly profile: string; readonly answers: boolean }[];
}

function prefixOf(profile: Profile, objectId: string): number {
  const { device } = profile;
  if (device.kind !== 'snmp') return 0;
  return Math.max(
    0,
    ...device.match.filter((one) => below(objectId, one)).map((one) => one.length),
  );
}

async function answers(port: SnmpPort, { device }: Profile): Promise<boolean> {
  if (device.kind !== 'snmp') return false;
  const { state } = device.table;
  const [outlet = ''] = fakeOutlets(device, 1);
  const numbers = indexNumbers(device.index, outlet.split('.').map(Number));
  const object = objectOf(state.oid, outlet, numbers);
  if (!state.oid.includes('{')) {
    const event = await port.next([state.oid], ANSWER_MS);
    const [bind] = event.kind === 'binds' ? event.binds : [];
    return bind !== undefined && bind.kind !== 'missing' && below(bind.oid, state.oid);
  }
  if (!object.ok) return false;
  const event = await port.get([object.text], ANSWER_MS);
  return event.kind === 'binds' && event.binds.every(({ kind }) => kind !== 'missing');
}

/** Asks a device what it is; a text says why nothing is known. */
export async function detectDevice(
  port: SnmpPort,
  profiles: ReadonlyMap<string, Profile>,
): Promise<Detected | string> {
  const event = await port.get([SYS_OBJECT_ID, SYS_DESCR], ANSWER_MS);
  if (event.kind !== 'binds') return event.kind === 'lost' ? event.why : 'it refused to tell';
  const [id, descr] = event.binds;
  if (id?.kind !== 'oid') return 'it tells no sysObjectID';
  const candidates = [...profiles.values()]
    .map((profile) => ({ profile, length: prefixOf(profile, id.value) }))
    .filter(({ length }) => length > 0)
    .toSorted((a, b) => b.length - a.length);
  const fits: Detected['fits'][number][] = [];
  for (const { profile } of candidates) {
    fits.push({ profile: profile.name, answers: await answers(port, profile) });
  }
  const description = descr?.kind === 'text' ? descr.value.slice(0, 120) : '';
  return { objectId: id.value, description: description.replace(/[^\x20-\x7e]/gu, '?'), fits };
}

async function loginFor(
  setup: SwitchSetup,
  name: string,
): Promise<[string, number, SnmpLogin] | string> {
  const { args, config, profiles } = setup;
  const one = config.switches.find((each) => each.name === name);
  if (one !== undefined) {
    const profile = profiles.get(one.profile);
    if (one.address === undefined || profile?.device.kind !== 'snmp') {
      return 'only devices with SNMP can be asked what they are';
    }
    const login = await snmpLoginOf(one, profile.device);
    return typeof login === 'string' ? login : [one.address, one.port ?? 161, login];
  }
  const { community: file } = args.values;
  if (file === undefined) {
    return `'${name}' is not configured; for a new device give its address and --community FILE`;
  }
  const secret = await readSecret(file);
  if (!secret.ok) return `${file} ${secret.message} (${secret.mend})`;
  const [, host = name, port = '161'] = /^(.*[^:]):([0-9]{1,5})$/u.exec(name) ?? [];
  return [host, Number(port), { version: '2c', read: secret.text, write: secret.text }];
}

export async function detect(setup: SwitchSetup): Promise<number> {
  const [, name] = setup.args.operands;
  if (name === undefined) {
    complain('which device? nospof switch detect SWITCH, or an address with --community FILE');
    return 2;
  }
  const login = await loginFor(setup, name);
  if (typeof login === 'string') {
    complain(login);
    return 2;
  }
  const port = snmpPort(...login);
  const found = await detectDevice(port, setup.profiles);
  port.close();
  if (typeof found === 'string') {
    complain(`${name}: ${found}`);
    return 1;
  }
  if (setup.args.switches.has('json')) {
    print(JSON.stringify(found, undefined, 2));
  } else {
    print(`${name}: ${found.objectId} '${found.description}'`);
    for (const { profile, answers: good } of found.fits) {
      print(
        `  ${profile}: ${good ? 'its column answers' : 'fits, but its column does not answer'}`,
      );
    }
    if (found.fits.length === 0)
      print('  no profile knows it (docs/switches.md says how to add one)');
  }
  return found.fits.some((fit) => fit.answers) ? 0 : 1;
}
