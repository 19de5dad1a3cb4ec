/**
 * `nospof switch fake PROFILE`: a device of that sort on this machine, to rehearse with: configure it,
 * order it, break it. What reaches it is printed, and what its relays do.
 */
import { once } from 'node:events';
import { FAULT_NAMES, FAULTS, type Fault, flows } from '../../fencing/fake.ts';
import type { Profile } from '../../fencing/profile.ts';
import { nearest } from '../../rules/near.ts';
import { readListen } from '../config/words.ts';
import { servePty, serveTcp } from '../fake/line-server.ts';
import { type FakeServer, serveSnmp } from '../fake/snmp-server.ts';
import { monotonicNow } from '../ports/clock.ts';
import { complain, print } from './print.ts';
import type { SwitchSetup } from './switch.ts';

const LOOK_MS = 100;

function faultsOf(text: string | undefined): readonly Fault[] | string {
  const words = (text ?? '').split(',').filter((word) => word !== '');
  const unknown = words.find((word) => !(FAULT_NAMES as readonly string[]).includes(word));
  if (unknown === undefined) return words as readonly Fault[];
  const near = nearest(unknown, FAULT_NAMES);
  const all = FAULT_NAMES.map((name) => `  ${name.padEnd(9)} ${FAULTS[name]}`).join('\n');
  const mend = near === undefined ? 'known are these' : `did you mean '${near}'?`;
  return `no fault '${unknown.slice(0, 40)}' (${mend})\n${all}`;
}

interface Where {
  readonly host?: string;
  readonly port?: number;
}

function whereOf(text: string | undefined): Where | string {
  if (text === undefined) return {};
  const read = readListen(text);
  return 'message' in read ? `--listen ${read.message} (${read.mend})` : read;
}

interface Served extends FakeServer {
  /** Outlets through which no current flows. */
  readonly dark: () => readonly string[];
  readonly config: string;
}

async function serve(
  { name, device }: Profile,
  over: string | undefined,
  where: Where,
  faults: readonly Fault[],
): Promise<Served | string> {
  const options = { ...where, faults, told: print };
  const darkOf = (bank: Parameters<typeof flows>[0]): readonly string[] =>
    bank.outlets.filter((outlet) => !flows(bank, outlet, monotonicNow()));
  if (device.kind === 'snmp') {
    const server = await serveSnmp(device, options);
    const config = `{profile: ${name}, address: 127.0.0.1, port: ${server.port}, snmp: {version: ${device.versions.includes('2c') ? "'2c'" : "'1'"}, readFile: FILE, writeFile: FILE}}`;
    print('communities: public may read, private may write');
    return { ...server, dark: () => darkOf(server.now().bank), config };
  }
  if (device.kind === 'program') {
    return `profile ${name} runs ${device.program}: its device has a simulator of its own (docs/switches.md)`;
  }
  if (device.fake === undefined)
    return `profile ${name} does not describe the device's side (fake:)`;
  const way = over ?? device.over[0];
  if (way === 'serial') {
    const server = servePty(device, options);
    return {
      ...server,
      dark: () => darkOf(server.now().bank),
      config: `{profile: ${name}, serial: ${server.at}}`,
    };
  }
  const server = await serveTcp(device, { ...options, telnet: way === 'telnet' });
  const config = `{profile: ${name}, address: 127.0.0.1, port: ${server.port}, over: ${way}, user: admin, passwordFile: FILE}`;
  return { ...server, dark: () => darkOf(server.now().bank), config };
}

export async function fake({ args, profiles }: SwitchSetup): Promise<number> {
  const [, name = ''] = args.operands;
  const profile = profiles.get(name);
  const faults = faultsOf(args.values.faults);
  const where = whereOf(args.values.listen);
  if (profile === undefined) {
    const near = nearest(name, [...profiles.keys()]);
    const mend =
      near === undefined ? 'see nospof switch list --profiles' : `did you mean '${near}'?`;
    complain(`no profile '${name.slice(0, 80)}' (${mend})`);
    return 2;
  }
  for (const wrong of [faults, where]) {
    if (typeof wrong !== 'string') continue;
    complain(wrong);
    return 2;
  }
  if (typeof faults === 'string' || typeof where === 'string') return 2;
  const served = await serve(profile, args.values.over, where, faults).catch(
    (error: NodeJS.ErrnoException) => `cannot listen there: ${error.code ?? error.message}`,
  );
  if (typeof served === 'string') {
    complain(served);
    return 2;
  }
  print(
    `${name} at ${served.at}${faults.length > 0 ? `, wrong with it: ${faults.join(', ')}` : ''}`,
  );
  print(`switches: {fake: ${served.config}}`);
  let before = '';
  const timer = setInterval(() => {
    const dark = served.dark().join(' ');
    if (dark !== before)
      print(dark === '' ? 'all outlets carry current' : `without current: ${dark}`);
    before = dark;
  }, LOOK_MS);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  clearInterval(timer);
  await served.close();
  return 0;
}
