/**
 * What an operator or a cluster does to a switch, with the usual programs: snmpset, ipmitool, bytes on
 * a line. The lab's verbs go this way, so that a node's power is lost through its outlet and not beside it.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants as files, openSync, readSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Address } from './power.ts';
import { CONTROL, STATE } from './power-snmp.ts';

const execute = promisify(execFile);
const ANSWER_MS = 15_000;

async function program(argv: readonly [string, ...string[]], password?: string): Promise<string> {
  const [file, ...rest] = argv;
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/nonexistent' };
  const all = password === undefined ? env : { ...env, IPMI_PASSWORD: password };
  const { stdout } = await execute(file, rest, { env: all, timeout: ANSWER_MS });
  return stdout;
}

async function ipmi(at: Address & { kind: 'ipmi' }, ...words: string[]): Promise<string> {
  const login = ['-H', '127.0.0.1', '-p', String(at.port), '-U', at.user, '-E', '-C', '3'];
  const argv = ['-I', 'lanplus', ...login, '-N', '1', '-R', '2', 'chassis', 'power', ...words];
  return program(['ipmitool', ...argv], at.password);
}

/** Says something on a serial line and reads on until what it answers satisfies the test. */
export async function onLine(path: string, say: string, is: RegExp): Promise<string> {
  const fd = openSync(path, files.O_RDWR | files.O_NOCTTY | files.O_NONBLOCK);
  try {
    writeSync(fd, say, null, 'latin1');
    const buffer = Buffer.alloc(4096);
    const end = Date.now() + ANSWER_MS;
    let heard = '';
    while (!is.test(heard)) {
      if (Date.now() > end) throw new Error(`${path}: no answer but ${JSON.stringify(heard)}`);
      try {
        heard += buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, null));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await pause(5);
      }
    }
    return heard;
  } finally {
    closeSync(fd);
  }
}

async function nps(at: Address & { kind: 'nps' }, command: string): Promise<string> {
  // A session that somebody left open has no question for the password.
  const asked = await onLine(at.path, '\r', /(?:Password:|NPS>) $/u);
  if (!asked.endsWith('NPS> ')) await onLine(at.path, `${at.password}\r`, /NPS> $/u);
  const heard = await onLine(at.path, `${command}\r`, /NPS> $/u);
  await onLine(at.path, '/x,y\r', /Disconnected/u);
  return heard;
}

function rps10(path: string, outlet: number, verb: string): Promise<string> {
  return onLine(path, `\x02\x18\x18\x02\x18\x18${outlet - 1}${verb}\r`, /Complete/u);
}

/** Orders it; that the switch took the order proves nothing. */
export async function order(at: Address, outlet: number, on: boolean): Promise<void> {
  switch (at.kind) {
    case 'snmp': {
      const to = [`127.0.0.1:${at.port}`, `${CONTROL}.${outlet}`, 'i', on ? '1' : '2'];
      await program(['snmpset', '-v2c', '-c', at.write, '-t', '1', '-r', '2', ...to]);
      return;
    }
    case 'nps':
      await nps(at, `/${on ? 'on' : 'off'} ${outlet},y`);
      return;
    case 'rps10':
      await rps10(at.path, outlet, on ? '1' : '0');
      return;
    case 'ipmi':
      await ipmi(at, on ? 'on' : 'off');
      return;
  }
}

/** What the switch says of an outlet. */
export async function isOn(at: Address, outlet: number): Promise<boolean> {
  switch (at.kind) {
    case 'snmp': {
      const from = [`127.0.0.1:${at.port}`, `${STATE}.${outlet}`];
      const how = ['-v2c', '-c', at.read, '-t', '1', '-r', '2', '-Oqv'];
      return (await program(['snmpget', ...how, ...from])).trim() === '1';
    }
    case 'nps': {
      const row = new RegExp(`^ *${outlet} +\\|[^|]*\\| (ON|OFF)`, 'mu');
      return row.exec(await nps(at, '/s'))?.[1] === 'ON';
    }
    case 'rps10':
      return /Plug \d On/u.test(await rps10(at.path, outlet, '?'));
    case 'ipmi':
      return /Power is on/u.test(await ipmi(at, 'status'));
  }
}
