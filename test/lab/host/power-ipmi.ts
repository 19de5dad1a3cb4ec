/**
 * A BMC on the network: OpenIPMI's simulator with RMCP+, whose chassis power is the one contact of a
 * switch. It runs `chassis.ts` for each question and order, and that asks here.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { lineReader } from '../vm/protocol.ts';
import { DIST } from './files.ts';
import { endOf, freeUdpPort, holdUdpPort, listen, untilUdp } from './loopback.ts';
import type { Relays, Served } from './power.ts';
import type { RunFolder } from './run-folder.ts';

const USER = 'admin';
const PASSWORD = 'secret';
const PROGRAM = join(DIST, 'test/lab/host/chassis.js');

/** What the simulator asks of its program: `get power`, `set power 0`, `set reset 0`. */
export function chassis(relays: Relays, line: string): string {
  const [verb, what, value] = line.trim().split(/\s+/u);
  if (verb === 'set' && what === 'power') relays.order(1, value === '1');
  if (verb === 'set' && (what === 'reset' || what === 'shutdown')) relays.order(1, false);
  if (verb === 'set' && what === 'reset') relays.order(1, true);
  return verb === 'get' ? `${what ?? 'power'}:${relays.isOn(1) ? 1 : 0}\n` : '';
}

function settings(name: string, port: number, program: string): string {
  return [
    `name "${name}"`,
    'set_working_mc 0x20',
    'startlan 1',
    `  addr 127.0.0.1 ${port}`,
    '  priv_limit admin',
    '  allowed_auths_admin none md2 md5 straight',
    '  guid a123456789abcdefa123456789abcdef',
    'endlan',
    `chassis_control "${program}"`,
    `user 2 true "${USER}" "${PASSWORD}" admin 10 none md2 md5 straight`,
    '',
  ].join('\n');
}

const COMMANDS = [
  'mc_setbmc 0x20',
  'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr',
  'sel_enable 0x20 1000 0x0a',
  'mc_enable 0x20',
  '',
].join('\n');

export async function openIpmi(run: RunFolder, name: string, relays: Relays): Promise<Served> {
  const socket = run.file(`${name}.chassis`);
  const server = createServer((program) => {
    program.setEncoding('utf8').on('error', () => undefined);
    program.on(
      'data',
      lineReader((line) => program.end(chassis(relays, line))),
    );
  });
  await listen(server, socket);
  const port = await freeUdpPort();
  const conf = run.file(`${name}.conf`);
  const commands = run.file(`${name}.emu`);
  writeFileSync(conf, settings(name, port, `${process.execPath} ${PROGRAM} ${socket}`));
  writeFileSync(commands, COMMANDS);
  const argv = ['ipmi_sim', '-n', '-c', conf, '-f', commands, '-s', run.folder] as const;
  const start = (): ReturnType<RunFolder['spawn']> => run.spawn([...argv], `${name}.ipmi`);
  let child = start();
  await untilUdp(port, child);
  let silence: Awaited<ReturnType<typeof holdUdpPort>> | undefined;
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await endOf(child);
  };
  const power = async (on: boolean): Promise<void> => {
    if (on === (silence === undefined)) return;
    if (on) {
      await new Promise<void>((resolve) => silence?.close(() => resolve()));
      silence = undefined;
      child = start();
      await untilUdp(port, child);
    } else {
      await end();
      silence = await holdUdpPort(port);
    }
  };
  let last: Promise<void> = Promise.resolve();
  return {
    address: { kind: 'ipmi', port, user: USER, password: PASSWORD },
    hang: (hung) => void child.kill(hung ? 'SIGSTOP' : 'SIGCONT'),
    power: (on) => {
      last = last.then(() => power(on));
      return last;
    },
    close: async () => {
      await last;
      silence?.close();
      await end();
      server.close();
    },
  };
}
