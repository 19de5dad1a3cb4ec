/** Alarms, services and leases as blocks of the table. */
import type { AlarmLine, LeaseLine, ServiceLine } from './alarms.ts';
import { pad } from './plain.ts';
import type { Block, Tint } from './table-block.ts';

type Mark = { readonly tint: Tint; readonly state: string };

const SEVERITY: Readonly<Record<AlarmLine['severity'], Mark>> = {
  critical: { tint: 'bad', state: 'XX CRITICAL' },
  warning: { tint: 'warn', state: '!! WARNING' },
  info: { tint: 'plain', state: '   info' },
};

const SERVICE: Readonly<Record<ServiceLine['state'], Mark>> = {
  latched: { tint: 'bad', state: 'XX GIVEN UP' },
  failed: { tint: 'bad', state: ' x failed' },
  unknown: { tint: 'doubt', state: ' ? unknown' },
  waiting: { tint: 'warn', state: ' ! waiting' },
  starting: { tint: 'warn', state: ' ! starting' },
  stopping: { tint: 'warn', state: ' ! stopping' },
  stopped: { tint: 'plain', state: '   stopped' },
  running: { tint: 'good', state: '   running' },
};

function block({ tint, state }: Mark, text: string): Block {
  return { head: false, lines: [{ tint, state, text }] };
}

export function alarmBlock(line: AlarmLine): Block {
  const notes = [line.held, ...line.notes].join('; ');
  const isSoft =
    line.state === 'pending' || line.notes.some((note) => note.startsWith('explained'));
  const mark = SEVERITY[line.severity];
  const shown: Mark = isSoft ? { tint: 'plain', state: ` . ${line.state}` } : mark;
  return block(shown, `${line.summary}  (${notes}; ${line.id})`);
}

export function serviceBlock(line: ServiceLine, nameColumns: number): Block {
  const why = line.why === '' ? line.held : `${line.held}: ${line.why}`;
  return block(SERVICE[line.state], `${pad(line.name, nameColumns)}  ${why}`);
}

export function leaseBlock(line: LeaseLine): Block {
  return block({ tint: 'head', state: ' -' }, line.text);
}
