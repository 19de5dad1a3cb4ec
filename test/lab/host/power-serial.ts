/**
 * Switches on a serial line, which is a pseudo terminal here: a WTI NPS with a password, a prompt and a
 * table, and a WTI RPS-10 with framed bytes. A pseudo terminal has no modem lines, so the RPS-10 cannot
 * be woken by DTR as its real one is.
 */
import { closeSync, existsSync, constants as files, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { endOf, listen } from './loopback.ts';
import type { Relays, Served } from './power.ts';
import type { RunFolder } from './run-folder.ts';

const PASSWORD = 'secret';
const START_MS = 10_000;
const LINE_CHARS_MAX = 256;

type Say = (text: string) => void;

/** Takes what a client sends, as latin1, and says what the switch says. */
type Talk = (text: string) => void;

function table(relays: Relays): string {
  const rows = [
    'Plug | Name             | Status | Default |',
    '-----+------------------+--------+---------+',
  ];
  for (let outlet = 1; outlet <= relays.outlets; outlet += 1) {
    const state = (relays.isOn(outlet) ? 'ON' : 'OFF').padEnd(6);
    rows.push(`  ${outlet}  | ${`OUTLET ${outlet}`.padEnd(16)} | ${state} | ON      |`);
  }
  return `\r\n${rows.join('\r\n')}\r\n`;
}

export function nps(relays: Relays, say: Say): Talk {
  let line = '';
  let open = false;
  const obey = (text: string): string => {
    const [, verb, plug] = /^\/(on|off) (\d+),y$/iu.exec(text) ?? [];
    const outlet = Number(plug);
    if (verb !== undefined && outlet >= 1 && outlet <= relays.outlets) {
      relays.order(outlet, verb.toLowerCase() === 'on');
      return `\r\nProcessing - please wait ...\r\n${table(relays)}`;
    }
    if (/^\/s$/iu.test(text)) return table(relays);
    return text === '' ? '' : '\r\nInvalid command\r\n';
  };
  const take = (text: string): void => {
    if (open && /^\/x(,y)?$/iu.test(text)) {
      open = false;
      say('\r\nDisconnected.\r\n');
    } else if (open) say(`${obey(text)}\r\nNPS> `);
    else if (text === PASSWORD) {
      open = true;
      say(`${table(relays)}\r\nNPS> `);
    } else say(text === '' ? '\r\nEnter Password: ' : '\r\nInvalid password\r\nEnter Password: ');
  };
  return (text) => {
    for (const char of text) {
      if (char === '\r') {
        take(line.trim());
        line = '';
      } else if (char !== '\n' && line.length < LINE_CHARS_MAX) line += char;
    }
  };
}

const FRAME = '\x02\x18\x18\x02\x18\x18';

export function rps10(relays: Relays, say: Say): Talk {
  let rest = '';
  const state = (outlet: number): string =>
    `Plug ${outlet - 1} ${relays.isOn(outlet) ? 'On' : 'Off'}\r\n`;
  const obey = (address: string, verb: string): void => {
    const all = Array.from({ length: relays.outlets }, (_, index) => index + 1);
    const outlets = address === '*' ? all : [Number(address) + 1];
    for (const outlet of outlets) {
      if (outlet > relays.outlets) continue;
      if (verb !== '?') relays.order(outlet, verb === '1');
      say(state(outlet));
    }
    say('Complete\r\n');
  };
  return (text) => {
    rest += text;
    for (let end = rest.indexOf('\r'); end >= 0; end = rest.indexOf('\r')) {
      const from = rest.lastIndexOf(FRAME, end);
      const [, address, verb] =
        from < 0 ? [] : (/^([0-9*])([01?])$/u.exec(rest.slice(from + FRAME.length, end)) ?? []);
      rest = rest.slice(end + 1);
      if (address !== undefined && verb !== undefined) obey(address, verb);
    }
    rest = rest.slice(-LINE_CHARS_MAX);
  };
}

export async function openSerial(
  run: RunFolder,
  name: string,
  kind: 'nps' | 'rps10',
  relays: Relays,
): Promise<Served> {
  const socket = run.file(`${name}.line`);
  const path = run.file(`${name}.tty`);
  let powered = true;
  const server = createServer((line) => {
    line.setEncoding('latin1').on('error', () => undefined);
    const say: Say = (text) => line.write(text, 'latin1');
    const talk = (kind === 'nps' ? nps : rps10)(relays, say);
    line.on('data', (text: string) => {
      if (powered) talk(text);
    });
  });
  await listen(server, socket);
  const child = run.spawn(
    ['socat', `PTY,link=${path},raw,echo=0`, `UNIX-CONNECT:${socket}`],
    `${name}.socat`,
  );
  const end = Date.now() + START_MS;
  while (!existsSync(path)) {
    if (Date.now() > end) throw new Error(`no pseudo terminal for ${name}`);
    await pause(20);
  }
  // Kept open and never read: otherwise the line hangs up with the first client that leaves.
  const held = openSync(path, files.O_RDWR | files.O_NOCTTY);
  return {
    address: kind === 'nps' ? { kind, path, password: PASSWORD } : { kind, path },
    hang: (hung) => void child.kill(hung ? 'SIGSTOP' : 'SIGCONT'),
    power: async (on) => {
      powered = on;
    },
    close: async () => {
      closeSync(held);
      child.kill('SIGKILL');
      await endOf(child);
      server.close();
    },
  };
}
