/**
 * The state of one order to an SNMP switch, what it can ask of the network, and how it ends. The turns
 * are `snmp-exchange.ts`'s.
 */
import type { Ms } from '../rules/model.ts';
import type { Profile, SnmpProfile, SnmpTable } from './profile.ts';
import type { OutletReply, SwitchReply, SwitchRequest } from './reply.ts';
import type { NameWalk } from './snmp-names.ts';
import { asked, type Bind, type Judgement, type Objects, type Target } from './snmp-table.ts';
import type { Order, SnmpWrite } from './snmp-writes.ts';
import type { Numbers } from './template.ts';

export type SnmpCommand =
  | { readonly kind: 'get' | 'next'; readonly oids: readonly string[]; readonly withinMs: number }
  | { readonly kind: 'set'; readonly writes: readonly SnmpWrite[]; readonly withinMs: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'done'; readonly reply: SwitchReply };

export type SnmpEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'waited' }
  | { readonly kind: 'binds'; readonly binds: readonly Bind[] }
  /** Nothing came, or nothing that could be understood: what was asked may have been done. */
  | { readonly kind: 'lost'; readonly why: string }
  /** The device said no; `oid` where it named the object. */
  | { readonly kind: 'refused'; readonly status: string; readonly oid?: string };

export interface Turn {
  readonly exchange: Exchange;
  readonly command: SnmpCommand;
}

export type Stage =
  | { readonly kind: 'identify' | 'idle' }
  | { readonly kind: 'names'; readonly walk: NameWalk; readonly target: number }
  | {
      readonly kind: 'look';
      readonly at: number;
      readonly sentAt: Ms;
      readonly found: readonly Look[];
    }
  | { readonly kind: 'order'; readonly at: number; readonly list: boolean };

export interface Look {
  readonly judgement: Judgement;
  readonly from: Ms;
  readonly to: Ms;
}

export interface Exchange {
  readonly profile: Profile;
  readonly device: SnmpProfile;
  readonly request: SwitchRequest;
  readonly secrets: Readonly<Record<string, string>>;
  readonly deadlineAt: Ms;
  readonly stage: Stage;
  readonly table: SnmpTable;
  readonly product: Numbers;
  readonly identified: boolean;
  readonly targets: readonly Target[];
  readonly objects: readonly Objects[];
  /** Optional objects that the device does not have (SNMP v1 refuses the whole question). */
  readonly skipped: ReadonlySet<string>;
  readonly orders: readonly Order[];
  /** When the last order was begun; undefined before. */
  readonly orderedAt: Ms | undefined;
  /** An order's answer was lost: it may be sent again. */
  readonly uncertain: boolean;
  /** Without effect until then the order is sent once more. */
  readonly repeatAt: Ms | undefined;
  /** The device refused an order for good. */
  readonly denied: string | undefined;
  readonly looks: readonly Look[];
  /** When all outlets were first seen as wanted, after the last order. */
  readonly provenAt: Ms | undefined;
  readonly trouble: string;
}

/** Begins. The first command is what `next` gives for the event `start`. */
export function startExchange(
  profile: Profile,
  device: SnmpProfile,
  request: SwitchRequest,
  secrets: Readonly<Record<string, string>>,
  deadlineAt: Ms,
): Exchange {
  return {
    profile,
    device,
    request,
    secrets,
    deadlineAt,
    stage: { kind: 'idle' },
    table: device.table,
    product: {},
    identified: device.firmware === undefined && device.product === undefined,
    targets: [],
    objects: [],
    skipped: new Set(),
    orders: [],
    orderedAt: undefined,
    uncertain: false,
    repeatAt: undefined,
    denied: undefined,
    looks: [],
    provenAt: undefined,
    trouble: 'nothing was answered',
  };
}

export function end(exchange: Exchange, now: Ms): Turn {
  const { request, looks, orderedAt, trouble } = exchange;
  const outlets = request.outlets.map(({ id }, at): OutletReply => {
    const look = looks[at];
    const stale = look !== undefined && orderedAt !== undefined && look.from < orderedAt;
    if (look === undefined || stale) {
      const why = stale ? `after the order: ${trouble}` : trouble;
      return { outlet: id, state: 'unknown', why, from: now, to: now };
    }
    const { state, why } = look.judgement;
    const more = exchange.denied !== undefined && state !== request.want;
    const said = more ? `${why}; ${exchange.denied}` : why;
    return { outlet: id, state, why: said, from: look.from, to: look.to };
  });
  const reply: SwitchReply = { outlets, ordered: orderedAt !== undefined };
  return { exchange: { ...exchange, stage: { kind: 'idle' } }, command: { kind: 'done', reply } };
}

/** Ends without a look: what stands in the way holds for every outlet. */
export function refuse(exchange: Exchange, why: string, now: Ms): Turn {
  return end({ ...exchange, trouble: why, looks: [] }, now);
}

export function ask(
  exchange: Exchange,
  kind: 'get' | 'next',
  oids: readonly string[],
  stage: Stage,
  now: Ms,
): Turn {
  const withinMs = Math.max(
    1,
    Math.min(exchange.profile.timing.answerMs, exchange.deadlineAt - now),
  );
  return { exchange: { ...exchange, stage }, command: { kind, oids, withinMs } };
}

export function pause(exchange: Exchange, wantedMs: number, now: Ms): Turn {
  const ms = Math.max(1, Math.min(wantedMs, exchange.deadlineAt - now));
  return { exchange: { ...exchange, stage: { kind: 'idle' } }, command: { kind: 'wait', ms } };
}

/** Objects asked for in one question; more do not fit into every agent's packet. */
const OBJECTS_MAX = 24;

/** Outlets asked for together from this one on: as many as fit. */
export function togetherFrom(exchange: Exchange, from: number): number {
  let count = 0;
  let objects = 0;
  for (const one of exchange.objects.slice(from)) {
    objects += asked(one, exchange.skipped).length;
    if (count > 0 && objects > OBJECTS_MAX) break;
    count += 1;
  }
  return count;
}
