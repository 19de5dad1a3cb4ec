/**
 * `nospof maintenance`: begins, ends and lists leases. Under one the agent sees and tells all it did, and
 * does nothing to what the lease covers. Exit status 1: the agent refused, or cannot be asked.
 */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Maintenance } from '../../rules/decision.ts';
import { type Answer, ask } from '../api/client.ts';
import { durationMs } from '../config/words.ts';
import { momentText, spanText } from '../explain/words.ts';
import type { ParsedArgs } from './args.ts';
import { complain, print } from './print.ts';
import { findSocket } from './socket.ts';

const FOR_DEFAULT = '1h';
const SAID_MAX = 500;
/** `loginuid` of one who never logged in (audit, kernel). */
const NO_LOGIN = '4294967295';

/** Who speaks: the user, and who logged in before becoming that user. */
function speaker(): string {
  const { uid, username } = userInfo();
  try {
    const login = readFileSync('/proc/self/loginuid', 'utf8').trim();
    if (login !== NO_LOGIN && login !== String(uid)) return `${username} (login uid ${login})`;
  } catch {
    // A kernel without audit.
  }
  return username;
}

function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, SAID_MAX);
}

function saidOf({ body, status }: Answer): string {
  try {
    const { answer, error, message } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    const text = [answer, message, error].find((one) => typeof one === 'string');
    return typeof text === 'string' ? plain(text) : `status ${status}`;
  } catch {
    return `status ${status}`;
  }
}

async function order(socket: string, change: string, body: unknown): Promise<number> {
  const answer = await ask(socket, `/api/v1/maintenance/${change}`, JSON.stringify(body));
  if (answer.status === 200) print(saidOf(answer));
  else complain(saidOf(answer));
  return answer.status === 200 ? 0 : 1;
}

interface WorldAnswer {
  readonly at: number;
  readonly maintenance: readonly Maintenance[];
  readonly vitals: { readonly wallOffsetMs: number };
}

export function leaseLine(lease: Maintenance, at: number, wallOffsetMs: number): string {
  const left = spanText(Math.max(0, lease.endsAt - at));
  const until = momentText(lease.endsAt + wallOffsetMs).replace(/\.\d+Z$/u, 'Z');
  return `${lease.scope}  by ${plain(lease.owner)}, ends in ${left} (${until}): ${plain(lease.reason)}`;
}

async function list(socket: string, json: boolean): Promise<number> {
  const answer = await ask(socket, '/api/v1/world');
  if (answer.status !== 200) {
    complain(saidOf(answer));
    return 1;
  }
  const { at, maintenance, vitals } = JSON.parse(answer.body) as WorldAnswer;
  if (json) print(JSON.stringify(maintenance, undefined, 2));
  else if (maintenance.length === 0) print('no maintenance');
  else print(maintenance.map((lease) => leaseLine(lease, at, vitals.wallOffsetMs)).join('\n'));
  return 0;
}

/** What is wrong with the words; undefined when they are good. */
function complaintOf(change: string, { values }: ParsedArgs): string | undefined {
  if (!['begin', 'end', 'list'].includes(change)) return 'maintenance takes begin, end or list';
  if (change !== 'begin') {
    const flag = ['reason', 'for'].find((name) => values[name] !== undefined);
    return flag === undefined ? undefined : `--${flag} goes with begin`;
  }
  if (values.reason === undefined) return 'say why: nospof maintenance begin --reason TEXT';
  if (!((durationMs(values.for ?? FOR_DEFAULT) ?? 0) > 0))
    return '--for needs a duration such as 30m or 2h';
  return undefined;
}

export async function run(args: ParsedArgs): Promise<number> {
  const [change = 'list'] = args.operands;
  const { reason, scope } = args.values;
  const complaint = complaintOf(change, args);
  const socket = complaint === undefined ? await findSocket(args) : undefined;
  if (socket === undefined || !socket.ok) {
    complain(complaint ?? (socket?.ok === false ? socket.message : ''));
    return 2;
  }
  try {
    if (change === 'list') return await list(socket.path, args.switches.has('json'));
    if (change === 'end') {
      return await order(socket.path, 'end', {
        by: speaker(),
        ...(scope === undefined ? {} : { scope }),
      });
    }
    const forMs = durationMs(args.values.for ?? FOR_DEFAULT);
    return await order(socket.path, 'begin', {
      owner: speaker(),
      reason,
      scope: scope ?? '*',
      forMs,
    });
  } catch (error) {
    complain((error as Error).message);
    return 1;
  }
}
