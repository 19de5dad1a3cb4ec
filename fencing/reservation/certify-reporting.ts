/** `certify`, part four: what outlives resets and power, and what a disk says of itself. */

import type { Reply } from './answer.ts';
import {
  A,
  B,
  type Check,
  FIVE,
  heldBy,
  join,
  keysAre,
  reserve,
  type Step,
  send,
  touch,
} from './certify-step.ts';

function lasting(aptpl: boolean): Step {
  return send('a', { ask: 'register-ignore', next: A, aptpl });
}

function capabilities(what: string, fits: (reply: Reply) => boolean): Step {
  return send('a', { ask: 'capabilities' }, { is: 'reply', what, fits });
}

/** Both nexuses, told apart, one of them the holder. */
function tellsBoth(reply: Reply): boolean {
  if (reply.of !== 'full-status' || reply.registrations.length !== 2) return false;
  const [one, other] = reply.registrations;
  if (one === undefined || other === undefined) return false;
  const apart = one.initiator !== other.initiator || one.port !== other.port;
  const holders = reply.registrations.filter(({ holder }) => holder);
  return apart && holders.length === 1 && holders[0]?.key === A && holders[0].type === FIVE;
}

export const CHECKS_REPORTING: readonly Check[] = [
  {
    number: 22,
    name: 'resets and lost nexuses keep keys and reservation',
    weight: 'must',
    steps: [
      join('a', A),
      join('b', B),
      reserve('a', A),
      { do: 'event', event: 'lun-reset', by: 'b' },
      keysAre(A, B),
      heldBy(A, FIVE),
      { do: 'event', event: 'nexus-loss', by: 'b' },
      keysAre(A, B),
      heldBy(A, FIVE),
    ],
  },
  {
    number: 23,
    name: 'power loss: kept with APTPL, lost without',
    weight: 'power',
    steps: [
      lasting(false),
      reserve('a', A),
      { do: 'event', event: 'power-loss', by: 'a' },
      keysAre(),
      heldBy(undefined),
      lasting(true),
      reserve('a', A),
      { do: 'event', event: 'power-loss', by: 'a' },
      keysAre(A),
      heldBy(A, FIVE),
    ],
  },
  {
    number: 24,
    name: 'APTPL is set and cleared by the last registration',
    weight: 'power',
    steps: [
      lasting(true),
      capabilities('APTPL active', (reply) => reply.of === 'capabilities' && reply.aptplActive),
      lasting(false),
      capabilities('APTPL inactive', (reply) => reply.of === 'capabilities' && !reply.aptplActive),
    ],
  },
  {
    number: 25,
    name: 'one registration for all target ports',
    weight: 'tells',
    steps: [
      capabilities(
        'capable of all target ports',
        (reply) => reply.of === 'capabilities' && reply.allPorts,
      ),
      send('a', { ask: 'register-ignore', next: A, allPorts: true }),
      send(
        'a',
        { ask: 'full-status' },
        {
          is: 'reply',
          what: 'registered on all ports',
          fits: (reply) =>
            reply.of === 'full-status' &&
            (reply.registrations.length > 1 || reply.registrations[0]?.allPorts === true),
        },
      ),
    ],
  },
  {
    number: 26,
    name: 'READ KEYS tells how many there are when it is cut',
    weight: 'must',
    steps: [
      join('a', A),
      join('b', B),
      send('a', { ask: 'keys', bytes: 8 }, { is: 'cut', keys: 0, count: 2 }),
      send('a', { ask: 'keys', bytes: 16 }, { is: 'cut', keys: 1, count: 2 }),
      keysAre(A, B),
    ],
  },
  {
    number: 27,
    name: 'READ FULL STATUS tells each nexus and the holder',
    weight: 'tells',
    steps: [
      join('a', A),
      join('b', B),
      reserve('a', A),
      send(
        'a',
        { ask: 'full-status' },
        { is: 'reply', what: 'both nexuses and one holder', fits: tellsBoth },
      ),
    ],
  },
  {
    number: 28,
    name: 'REPORT CAPABILITIES: type 5 and APTPL',
    weight: 'power',
    steps: [
      capabilities(
        'capable of type 5 and APTPL',
        (reply) =>
          reply.of === 'capabilities' &&
          reply.aptplCapable &&
          (reply.types === undefined || reply.types.includes(FIVE)),
      ),
    ],
  },
  {
    number: 29,
    name: 'a controller failover keeps keys and reservation',
    weight: 'tells',
    steps: [
      join('a', A),
      reserve('a', A),
      { do: 'event', event: 'failover', by: 'a' },
      keysAre(A),
      heldBy(A, FIVE),
    ],
  },
  {
    number: 30,
    name: 'a command without an answer may have taken effect, and reading tells',
    weight: 'tells',
    steps: [
      { do: 'event', event: 'lose-next-reply', by: 'a' },
      send('a', { ask: 'register-ignore', next: A }, { is: 'late' }),
      touch('a', 'ready', { is: 'any' }),
      keysAre(A),
    ],
  },
];
