/**
 * One order to an SNMP switch as a machine of values: it says what to ask next, is told what came, and
 * ends with three-valued replies. It knows no socket and no clock: time is an argument. What it holds
 * to: nothing is ordered that was not read first; a lost answer to an order proves nothing either way,
 * so it looks until the deadline; off is what was seen, never what was accepted.
 */
import type { Ms } from '../rules/model.ts';
import {
  ask,
  type Exchange,
  end,
  type Look,
  pause,
  refuse,
  type SnmpEvent,
  type Stage,
  type Turn,
  togetherFrom,
} from './exchange.ts';
import { addressOf, BY_NAME } from './outlet.ts';
import { productOf, variantOf } from './snmp-identity.ts';
import { startWalk, walked } from './snmp-names.ts';
import { asked, type Bind, judge, type Objects, objectsOf, type Target } from './snmp-table.ts';
import { editedList, ordersOf, type SnmpWrite } from './snmp-writes.ts';
import type { Numbers } from './template.ts';

const SYS_OBJECT_ID = '1.3.6.1.2.1.1.2.0';
const SAME_COLUMN_GAP_MS = 300;
/** Between attempts while nothing answers. */
const RETRY_MS = 250;
/** Refusals that another attempt may overcome. */
const PASSING: ReadonlySet<string> = new Set(['GeneralError', 'ResourceUnavailable', 'TooBig']);

function identify(exchange: Exchange, now: Ms): Turn {
  const { firmware, product } = exchange.device;
  const oids = [
    ...(product === undefined ? [] : [SYS_OBJECT_ID]),
    ...(firmware === undefined ? [] : [firmware.oid]),
  ];
  return ask(exchange, 'get', oids, { kind: 'identify' }, now);
}

function identified(exchange: Exchange, binds: readonly Bind[], now: Ms): Turn {
  const { device } = exchange;
  const bind = (oid: string): Bind | undefined => binds.find((one) => one.oid === oid);
  const table = variantOf(device, bind(device.firmware?.oid ?? ''));
  if (typeof table === 'string') return refuse(exchange, table, now);
  let product: Numbers = {};
  if (device.product !== undefined) {
    const number = productOf(device.product, bind(SYS_OBJECT_ID));
    if (number === undefined) return refuse(exchange, 'its product number could not be read', now);
    product = { product: number };
  }
  return onward({ ...exchange, table, product, identified: true }, now);
}

/** Finds the next outlet, or begins to look when all are found. */
function onward(exchange: Exchange, now: Ms): Turn {
  const { profile, request, targets, table } = exchange;
  if (!exchange.identified) return identify(exchange, now);
  const ref = request.outlets[targets.length];
  if (ref === undefined) return prepared(exchange, now);
  if (ref.id.startsWith(BY_NAME)) {
    if (table.names === undefined) {
      return refuse(exchange, 'the device has no column of names', now);
    }
    const walk = startWalk(table.names);
    return ask(exchange, 'next', [walk.at], { kind: 'names', walk, target: targets.length }, now);
  }
  const address = addressOf(profile, ref);
  if (!address.ok) return refuse(exchange, address.why, now);
  const target: Target = { outlet: ref.id, address, name: ref.name };
  return onward({ ...exchange, targets: [...targets, target] }, now);
}

function prepared(exchange: Exchange, now: Ms): Turn {
  const { table, targets, product } = exchange;
  const objects: Objects[] = [];
  for (const target of targets) {
    const found = objectsOf(table, target, product);
    if (typeof found === 'string') return refuse(exchange, found, now);
    objects.push(found);
  }
  if (new Set(targets.map(({ address }) => address.instance)).size < targets.length) {
    return refuse(exchange, 'two of the outlets are the same one', now);
  }
  return look({ ...exchange, objects }, now);
}

function look(exchange: Exchange, now: Ms): Turn {
  return lookAt(exchange, 0, [], now);
}

function lookAt(exchange: Exchange, at: number, found: readonly Look[], now: Ms): Turn {
  const count = togetherFrom(exchange, at);
  const oids = exchange.objects
    .slice(at, at + count)
    .flatMap((one) => asked(one, exchange.skipped));
  return ask(exchange, 'get', [...new Set(oids)], { kind: 'look', at, sentAt: now, found }, now);
}

function looked(
  exchange: Exchange,
  stage: Extract<Stage, { kind: 'look' }>,
  binds: readonly Bind[],
  now: Ms,
): Turn {
  const count = togetherFrom(exchange, stage.at);
  const byOid = new Map(binds.map((bind) => [bind.oid, bind]));
  const fresh = exchange.objects.slice(stage.at, stage.at + count).flatMap((objects, index) => {
    const target = exchange.targets[stage.at + index];
    if (target === undefined) return [];
    const judgement = judge(exchange.table, target, objects, byOid, exchange.skipped);
    return [{ judgement, from: stage.sentAt, to: now }];
  });
  const found = [...stage.found, ...fresh];
  if (found.length < exchange.targets.length) return lookAt(exchange, found.length, found, now);
  return decide({ ...exchange, looks: found }, now);
}

/** All outlets were looked at: enough, not yet, or time to order. */
function decide(exchange: Exchange, now: Ms): Turn {
  const { request, looks, orderedAt, device, profile } = exchange;
  const { want } = request;
  if (want === 'read') return end(exchange, now);
  const seen = looks.every(({ judgement }) => judgement.state === want);
  if (!seen) return unseen({ ...exchange, provenAt: undefined }, now);
  if (orderedAt === undefined || device.sameColumn !== true) return end(exchange, now);
  // The column may show what was ordered: what counts is that it still stands a while later.
  const gapMs = Math.max(SAME_COLUMN_GAP_MS, profile.timing.settleMs);
  if (exchange.provenAt === undefined) return pause({ ...exchange, provenAt: now }, gapMs, now);
  if (now - exchange.provenAt >= gapMs) return end(exchange, now);
  return pause(exchange, gapMs, now);
}

function unseen(exchange: Exchange, now: Ms): Turn {
  const { looks, orderedAt, denied, uncertain, request } = exchange;
  const opposite = request.want === 'off' ? 'on' : 'off';
  if (orderedAt === undefined) {
    const blocked = looks.find(({ judgement }) => judgement.blocked !== undefined);
    if (blocked !== undefined) return end(exchange, now);
    const repeatAt = (now + (exchange.deadlineAt - now) / 2) as Ms;
    return begin({ ...exchange, repeatAt }, now);
  }
  if (denied !== undefined) return end(exchange, now);
  const standing = looks.some(({ judgement }) => judgement.state === opposite);
  if (uncertain && standing) return begin(exchange, now);
  // Accepted and without effect: it may have been lost inside the device. Once, and late, because an
  // order may begin the device's own delay anew.
  const moving = looks.some(({ judgement }) => judgement.moving);
  if (standing && !moving && exchange.repeatAt !== undefined && now >= exchange.repeatAt) {
    return begin({ ...exchange, repeatAt: undefined }, now);
  }
  return pause(exchange, pollMs(exchange, now), now);
}

/** Looks come often at first and rarer with time: late by a fiftieth of the device's own delay at most. */
function pollMs({ profile, orderedAt }: Exchange, now: Ms): number {
  const { pollMs: least, pollMostMs } = profile.timing;
  return Math.max(least, Math.min(pollMostMs, (now - (orderedAt ?? now)) / 50));
}

function begin(exchange: Exchange, now: Ms): Turn {
  const { want } = exchange.request;
  const orders = ordersOf(exchange.table, want === 'on' ? 'on' : 'off', exchange);
  if (typeof orders === 'string') return refuse(exchange, orders, now);
  return order({ ...exchange, orders, uncertain: false, provenAt: undefined }, 0, now);
}

function order(exchange: Exchange, at: number, now: Ms): Turn {
  const next = exchange.orders[at];
  // Even the last of them may move a relay: looks from before the end of the orders prove nothing.
  const sent = { ...exchange, orderedAt: now };
  if (next === undefined) return pause(sent, exchange.profile.timing.settleMs, now);
  if (next.list !== undefined) {
    return ask(sent, 'get', [next.oid], { kind: 'order', at, list: true }, now);
  }
  return put(sent, at, [{ oid: next.oid, type: next.type, value: next.value }], now);
}

function put(exchange: Exchange, at: number, writes: readonly SnmpWrite[], now: Ms): Turn {
  const withinMs = Math.max(
    1,
    Math.min(exchange.profile.timing.answerMs, exchange.deadlineAt - now),
  );
  const stage: Stage = { kind: 'order', at, list: false };
  return { exchange: { ...exchange, stage }, command: { kind: 'set', writes, withinMs } };
}

function ordering(
  exchange: Exchange,
  stage: Extract<Stage, { kind: 'order' }>,
  event: SnmpEvent,
  now: Ms,
): Turn {
  const current = exchange.orders[stage.at];
  if (current === undefined) return look(exchange, now);
  switch (event.kind) {
    case 'binds': {
      if (!stage.list) return order(exchange, stage.at + 1, now);
      const value = editedList(current, event.binds[0]);
      if (value === undefined) {
        const trouble = 'the list of outlets could not be read';
        return pause({ ...exchange, uncertain: true, trouble }, RETRY_MS, now);
      }
      return put(exchange, stage.at, [{ oid: current.oid, type: 'text', value }], now);
    }
    case 'refused': {
      const trouble = `the order was refused: ${event.status}`;
      // Cancelling where nothing waits is refused by some devices, and harmless.
      if (current.cancels) return order(exchange, stage.at + 1, now);
      if (PASSING.has(event.status)) {
        return pause({ ...exchange, uncertain: true, trouble }, RETRY_MS, now);
      }
      return order({ ...exchange, denied: trouble, trouble }, stage.at + 1, now);
    }
    case 'lost':
      return order({ ...exchange, uncertain: true, trouble: event.why }, stage.at + 1, now);
    case 'start':
    case 'waited':
      return look(exchange, now);
  }
}

function naming(
  exchange: Exchange,
  stage: Extract<Stage, { kind: 'names' }>,
  event: SnmpEvent,
  now: Ms,
): Turn {
  const ref = exchange.request.outlets[stage.target];
  const name = ref?.id.slice(BY_NAME.length) ?? '';
  if (event.kind === 'lost') return retry(exchange, event.why, now);
  const binds = event.kind === 'binds' ? event.binds : [];
  const step = walked(stage.walk, binds[0], exchange.device.index, name);
  switch (step.kind) {
    case 'more':
      return ask(exchange, 'next', [step.walk.at], { ...stage, walk: step.walk }, now);
    case 'none':
      return refuse(exchange, step.why, now);
    case 'found': {
      const outlet = ref?.id ?? '';
      const target: Target = { outlet, address: step.address, name };
      const free = addressOf(exchange.profile, { id: step.address.id });
      const byName = exchange.device.index.byNameOnly === true;
      if (!free.ok && !byName) return refuse(exchange, free.why, now);
      return onward({ ...exchange, targets: [...exchange.targets, target] }, now);
    }
  }
}

function retry(exchange: Exchange, why: string, now: Ms): Turn {
  return pause({ ...exchange, trouble: why, provenAt: undefined }, RETRY_MS, now);
}

/** A question to look was refused. In v1 one missing object refuses all of them. */
function lookRefused(
  exchange: Exchange,
  event: Extract<SnmpEvent, { kind: 'refused' }>,
  now: Ms,
): Turn {
  const { oid, status } = event;
  const optional = exchange.objects.some(({ checks }) =>
    checks.some((one) => one.oid === oid && one.check.optional === true),
  );
  if (oid !== undefined && optional && !exchange.skipped.has(oid)) {
    return look({ ...exchange, skipped: new Set([...exchange.skipped, oid]) }, now);
  }
  const why = `the device refused to tell: ${status}${oid === undefined ? '' : ` (${oid})`}`;
  if (PASSING.has(status) || exchange.orderedAt !== undefined) return retry(exchange, why, now);
  return refuse(exchange, why, now);
}

/** The next command for what has happened. */
export function next(exchange: Exchange, event: SnmpEvent, now: Ms): Turn {
  const { stage } = exchange;
  if (event.kind === 'lost') exchange = { ...exchange, trouble: event.why };
  const late = now >= exchange.deadlineAt;
  if (late && !(stage.kind === 'look' && event.kind === 'binds')) return end(exchange, now);
  switch (stage.kind) {
    case 'idle':
      return exchange.objects.length > 0 ? look(exchange, now) : onward(exchange, now);
    case 'identify':
      if (event.kind === 'binds') return identified(exchange, event.binds, now);
      if (event.kind === 'refused') {
        return refuse(exchange, `its firmware could not be read: ${event.status}`, now);
      }
      return retry(exchange, exchange.trouble, now);
    case 'names':
      return naming(exchange, stage, event, now);
    case 'look':
      if (event.kind === 'binds') return looked(exchange, stage, event.binds, now);
      if (event.kind === 'refused') return lookRefused(exchange, event, now);
      return retry(exchange, exchange.trouble, now);
    case 'order':
      return ordering(exchange, stage, event, now);
  }
}
