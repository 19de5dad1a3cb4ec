/**
 * From configured switches to devices that can be asked: finds the profile, reads the secrets, picks the
 * transport. A switch that cannot be made is a problem with its mend, and hides no other one.
 */
import { addressOf } from '../fencing/outlet.ts';
import type { LineProfile, Profile, ProgramProfile, SnmpProfile } from '../fencing/profile.ts';
import { wordsAsked } from '../fencing/program.ts';
import type { NodeConfig, SwitchConfig } from '../rules/config.ts';
import { nearest } from '../rules/near.ts';
import { programSwitch } from './effects/program-switch.ts';
import { lineSwitch, type SwitchDevice, snmpSwitch, type Trace } from './effects/switches.ts';
import type { LinePort } from './ports/line.ts';
import { findProgram, PROGRAM_FOLDERS } from './ports/programs.ts';
import { type SerialLayer, serialDevice } from './ports/serial.ts';
import { type SnmpLogin, snmpPort } from './ports/snmp.ts';
import { tcpLine } from './ports/tcp.ts';
import { readSecret } from './secrets.ts';

export interface SwitchProblem {
  readonly name: string;
  readonly message: string;
  readonly mend: string;
}

export type OpenedSwitch =
  | { readonly ok: true; readonly device: SwitchDevice; readonly profile: Profile }
  | { readonly ok: false; readonly problem: SwitchProblem };

export interface SwitchOptions {
  readonly trace?: Trace;
  readonly serialLayer?: SerialLayer;
  /** Stand for the system's program folders in tests. */
  readonly folders?: readonly string[];
}

class Refusal extends Error {
  readonly mend: string;
  constructor(message: string, mend: string) {
    super(message);
    this.mend = mend;
  }
}

async function secret(file: string | undefined, what: string): Promise<string> {
  if (file === undefined) throw new Refusal(`needs ${what}`, `add its file`);
  const read = await readSecret(file);
  if (!read.ok) throw new Refusal(`${file} ${read.message}`, read.mend);
  return read.text;
}

async function snmpLogin(config: SwitchConfig, profile: SnmpProfile): Promise<SnmpLogin> {
  const { snmp } = config;
  if (snmp === undefined) {
    throw new Refusal('needs snmp', "add snmp: {version: '3', user: ..., ...}");
  }
  if (!profile.versions.includes(snmp.version)) {
    const known = profile.versions.join(', ');
    throw new Refusal(`this device does not speak SNMP ${snmp.version}`, `write one of ${known}`);
  }
  if (snmp.version !== '3') {
    const read = await secret(snmp.readFile, 'a community');
    const write = snmp.writeFile === undefined ? read : await secret(snmp.writeFile, 'a community');
    return { version: snmp.version, read, write };
  }
  const { user, auth, priv, context } = snmp;
  if (user === undefined) throw new Refusal('SNMP 3 needs a user', 'add user: NAME');
  return {
    version: '3',
    user,
    ...(auth === undefined
      ? {}
      : { auth: { by: auth, key: await secret(snmp.authFile, 'a passphrase') } }),
    ...(priv === undefined
      ? {}
      : { priv: { by: priv, key: await secret(snmp.privFile, 'a passphrase') } }),
    ...(context === undefined ? {} : { context }),
  };
}

/** How a configured device is logged in to; a text says why it cannot be. */
export async function snmpLoginOf(
  config: SwitchConfig,
  profile: SnmpProfile,
): Promise<SnmpLogin | string> {
  try {
    return await snmpLogin(config, profile);
  } catch (error) {
    if (error instanceof Refusal) return `${error.message} (${error.mend})`;
    throw error;
  }
}

async function openSnmp(
  config: SwitchConfig,
  profile: Profile & { readonly device: SnmpProfile },
  options: SwitchOptions,
): Promise<SwitchDevice> {
  if (config.address === undefined) throw new Refusal('needs an address', 'add address: HOST');
  const login = await snmpLogin(config, profile.device);
  const secrets: Record<string, string> = {};
  for (const [name, file] of Object.entries(config.secrets)) {
    secrets[name] = await secret(file, name);
  }
  const port = snmpPort(config.address, config.port ?? 161, login);
  return snmpSwitch(config.name, profile, port, secrets, options.trace);
}

function asksPassword(device: LineProfile): boolean {
  return JSON.stringify([device.open, device.login]).includes('{password}');
}

async function openLine(
  config: SwitchConfig,
  profile: Profile & { readonly device: LineProfile },
  options: SwitchOptions,
): Promise<SwitchDevice> {
  const { device } = profile;
  const over = config.serial === undefined ? networkWay(config, device) : 'serial';
  if (!device.over.includes(over)) {
    throw new Refusal(`this device is not reached over ${over}`, `use ${device.over.join(' or ')}`);
  }
  const password =
    config.passwordFile === undefined ? undefined : await secret(config.passwordFile, 'a password');
  if (password === undefined && asksPassword(device) && over !== 'serial') {
    throw new Refusal('asks for a password', 'add passwordFile: FILE');
  }
  const login = {
    over,
    ...(config.user === undefined ? {} : { user: config.user }),
    ...(password === undefined ? {} : { password }),
  };
  return lineSwitch(
    config.name,
    profile,
    linePort(config, device, over, options),
    login,
    options.trace,
  );
}

function networkWay(config: SwitchConfig, device: LineProfile): LineProfile['over'][number] {
  return config.over ?? device.over.find((way) => way !== 'serial') ?? 'telnet';
}

function linePort(
  config: SwitchConfig,
  device: LineProfile,
  over: LineProfile['over'][number],
  options: SwitchOptions,
): LinePort {
  if (over === 'serial') {
    const { serial } = device;
    if (serial === undefined || config.serial === undefined) {
      throw new Refusal('has no serial port', 'add serial: /dev/ttyS0');
    }
    const line = { ...serial, baud: config.baud ?? serial.baud };
    return serialDevice(config.serial, line, options.serialLayer);
  }
  const port = config.port ?? device.port;
  if (config.address === undefined || port === undefined) {
    throw new Refusal('needs an address and a port', 'add address: HOST and port: NUMBER');
  }
  return tcpLine({ host: config.address, port, telnet: over === 'telnet' });
}

async function openProgram(
  config: SwitchConfig,
  profile: Profile & { readonly device: ProgramProfile },
  options: SwitchOptions,
): Promise<SwitchDevice> {
  const { device } = profile;
  const named = device.program === '{agent}';
  if (named && config.agent === undefined) {
    throw new Refusal('needs a fence agent', 'add agent: fence_NAME');
  }
  if (!named && config.address === undefined) {
    throw new Refusal('needs an address', 'add address: HOST');
  }
  const name = named ? (config.agent ?? '') : device.program;
  const program = findProgram(name, options.folders ?? PROGRAM_FOLDERS);
  if (!('path' in program)) {
    throw new Refusal(program.why ?? `${name} cannot be run`, `install ${name}`);
  }
  const lines = Object.entries(config.options ?? {}).map(([key, value]) => `${key}=${value}`);
  for (const [key, file] of Object.entries(config.secrets)) {
    lines.push(`${key}=${await secret(file, key)}`);
  }
  const { address, port, user, passwordFile } = config;
  const words: Record<string, string> = { ...config.options };
  if (address !== undefined) words.address = address;
  if (port !== undefined) words.port = String(port);
  if (user !== undefined) words.user = user;
  if (passwordFile !== undefined) {
    words.password = await secret(passwordFile, 'a password');
    words.passwordFile = passwordFile;
  }
  const missing = wordsAsked(device).find((word) => words[word] === undefined);
  if (missing !== undefined) throw new Refusal(`needs ${missing}`, `add ${missing}: ...`);
  const run = { name, path: program.path };
  return programSwitch(config.name, profile, run, { words, lines }, options.trace);
}

function openDevice(
  config: SwitchConfig,
  profile: Profile,
  options: SwitchOptions,
): Promise<SwitchDevice> {
  const { device } = profile;
  switch (device.kind) {
    case 'snmp':
      return openSnmp(config, { ...profile, device }, options);
    case 'line':
      return openLine(config, { ...profile, device }, options);
    case 'program':
      return openProgram(config, { ...profile, device }, options);
  }
}

/** Makes one switch ready to be asked; nothing is sent yet. */
export async function openSwitch(
  config: SwitchConfig,
  profiles: ReadonlyMap<string, Profile>,
  options: SwitchOptions = {},
): Promise<OpenedSwitch> {
  const found = profiles.get(config.profile);
  try {
    if (found === undefined) {
      const near = nearest(config.profile, [...profiles.keys()]);
      const mend =
        near === undefined ? 'see nospof switch list --profiles' : `did you mean '${near}'?`;
      throw new Refusal(`no profile '${config.profile}'`, mend);
    }
    const deadlineMs = config.deadlineMs ?? found.timing.deadlineMs;
    const profile = { ...found, timing: { ...found.timing, deadlineMs } };
    const made = await openDevice(config, profile, options);
    return { ok: true, device: made, profile };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { message, mend } = error;
    return { ok: false, problem: { name: config.name, message, mend } };
  }
}

/** What only the profiles can tell of plans: outlets that do not exist, levels that prove nothing. */
export function planProblems(
  nodes: readonly NodeConfig[],
  switches: readonly SwitchConfig[],
  profiles: ReadonlyMap<string, Profile>,
): readonly SwitchProblem[] {
  const profileOf = (name: string): Profile | undefined =>
    profiles.get(switches.find((one) => one.name === name)?.profile ?? '');
  return nodes.flatMap(({ node, feeds }) => {
    const problems: SwitchProblem[] = [];
    for (const feed of feeds) {
      const profile = profileOf(feed.switch);
      if (profile === undefined || feed.outlet.startsWith('@')) continue;
      const address = addressOf(profile, { id: feed.outlet });
      if (address.ok) continue;
      problems.push({ name: node, message: `${feed.switch}: ${address.why}`, mend: 'mend outlet' });
    }
    for (const level of new Set(feeds.map((feed) => feed.level))) {
      const own = feeds.filter((feed) => feed.level === level);
      const proven = (supply: string): boolean =>
        own.some(
          (feed) =>
            (feed.supply === supply || feed.supply === 'all') &&
            profileOf(feed.switch)?.proof !== 'none',
        );
      for (const supply of new Set(own.map((feed) => feed.supply))) {
        if (proven(supply)) continue;
        const message = `level ${level}: no device can prove that ${supply} is off`;
        problems.push({ name: node, message, mend: 'add a device that reads its outlets' });
      }
    }
    return problems;
  });
}
