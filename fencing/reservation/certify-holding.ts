/** `certify`, part two: who holds a reservation of each type, and what it keeps out. */
import {
  A,
  B,
  barred,
  type Check,
  conflict,
  FIVE,
  good,
  heldBy,
  join,
  refused,
  register,
  reserve,
  type Step,
  send,
  touch,
} from './certify-step.ts';
import { NO_KEY } from './key.ts';
import { type ReservationType, TYPES } from './request.ts';

/** Holder, stranger and second registrant under one type. */
function matrix(type: ReservationType): readonly Step[] {
  const shared = TYPES[type] >= 5;
  const readable = type.startsWith('write');
  return [
    join('a', A),
    reserve('a', A, type),
    touch('a', 'write'),
    touch('a', 'read'),
    touch('b', 'write', conflict),
    touch('b', 'read', readable ? good : conflict),
    join('b', B),
    touch('b', 'write', shared ? good : conflict),
    touch('b', 'read', shared || readable ? good : conflict),
    send('a', { ask: 'release', own: A, type }),
    touch('b', 'ready', { is: 'any' }),
    register('b', B, NO_KEY),
    register('a', A, NO_KEY),
  ];
}

export const CHECKS_HOLDING: readonly Check[] = [
  {
    number: 6,
    name: 'the holder may reserve again, only with the same type',
    weight: 'must',
    steps: [
      join('a', A),
      reserve('a', A),
      reserve('a', A),
      reserve('a', A, 'write-exclusive', conflict),
      heldBy(A, FIVE),
    ],
  },
  {
    number: 7,
    name: 'six types: who may read and write',
    weight: 'must',
    steps: (Object.keys(TYPES) as ReservationType[]).flatMap(matrix),
  },
  {
    number: 8,
    name: 'registrants only: one nexus holds, the other path writes',
    weight: 'must',
    steps: [
      join('a', A),
      join('b', A),
      reserve('a', A),
      touch('b', 'write'),
      reserve('b', A, FIVE, conflict),
      heldBy(A, FIVE),
    ],
  },
  {
    number: 9,
    name: 'all registrants: all hold, it ends with the last',
    weight: 'tells',
    steps: [
      join('a', A),
      join('b', B),
      reserve('a', A, 'write-exclusive-all'),
      reserve('b', B, 'write-exclusive-all'),
      register('b', B, NO_KEY),
      heldBy('all', 'write-exclusive-all'),
      register('a', A, NO_KEY),
      heldBy(undefined),
    ],
  },
  {
    number: 11,
    name: 'RELEASE: by another does nothing, with a wrong type is refused',
    weight: 'must',
    steps: [
      join('a', A),
      join('b', B),
      reserve('a', A),
      send('b', { ask: 'release', own: B, type: FIVE }),
      heldBy(A, FIVE),
      send('a', { ask: 'release', own: A, type: 'write-exclusive' }, refused),
      heldBy(A, FIVE),
      send('a', { ask: 'release', own: A, type: FIVE }),
      heldBy(undefined),
    ],
  },
  {
    number: 31,
    name: 'every kind of write conflicts without a registration',
    weight: 'must',
    steps: [
      join('a', A),
      reserve('a', A),
      touch('b', 'write', conflict),
      touch('b', 'write-same', barred),
      touch('b', 'unmap', barred),
      touch('b', 'compare-write', barred),
      touch('b', 'format', barred),
    ],
  },
  {
    number: 32,
    name: 'what looks without touching is let through',
    weight: 'must',
    steps: [
      join('a', A),
      reserve('a', A),
      touch('b', 'inquiry'),
      touch('b', 'ready'),
      touch('b', 'capacity'),
      touch('b', 'luns'),
      send('b', { ask: 'keys' }, { is: 'keys', keys: [A] }),
      send('b', { ask: 'reservation' }, { is: 'held', by: A, type: FIVE }),
    ],
  },
];
