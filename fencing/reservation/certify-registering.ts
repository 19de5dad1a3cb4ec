/** `certify`, part one: who is registered, and how a registration comes and goes. */
import {
  A,
  A2,
  B,
  type Check,
  conflict,
  heldBy,
  join,
  keysAre,
  NOBODY,
  register,
  reserve,
  send,
  told,
  touch,
} from './certify-step.ts';
import { NO_KEY } from './key.ts';

export const CHECKS_REGISTERING: readonly Check[] = [
  {
    number: 1,
    name: 'registrations are of a nexus, not of a key',
    weight: 'must',
    steps: [
      register('a', NO_KEY, A),
      keysAre(A),
      reserve('b', A, undefined, conflict),
      register('b', NO_KEY, A),
      keysAre(A, A),
    ],
  },
  {
    number: 2,
    name: 'REGISTER with a wrong key is refused',
    weight: 'must',
    steps: [register('a', NO_KEY, A), register('a', NOBODY, B, conflict), keysAre(A)],
  },
  {
    number: 3,
    name: 'REGISTER AND IGNORE overwrites',
    weight: 'must',
    steps: [register('a', NO_KEY, A), join('a', A2), keysAre(A2)],
  },
  {
    number: 4,
    name: 'key 0 unregisters',
    weight: 'must',
    steps: [register('a', NO_KEY, A), register('a', A, NO_KEY), keysAre()],
  },
  {
    number: 5,
    name: 'RESERVE without a registration is refused',
    weight: 'must',
    steps: [register('b', NO_KEY, B), reserve('a', A, undefined, conflict), heldBy(undefined)],
  },
  {
    number: 10,
    name: 'the holder unregisters: the reservation ends, others are told',
    weight: 'must',
    steps: [
      join('a', A),
      join('b', B),
      touch('b', 'ready'),
      reserve('a', A),
      register('a', A, NO_KEY),
      told('b', 'reservations-released'),
      touch('b', 'ready'),
      heldBy(undefined),
      keysAre(B),
    ],
  },
  {
    number: 12,
    name: 'CLEAR removes everything, others are told',
    weight: 'must',
    steps: [
      join('a', A),
      join('b', B),
      touch('b', 'ready'),
      reserve('a', A),
      send('a', { ask: 'clear', own: A }),
      told('b', 'reservations-preempted'),
      touch('b', 'ready'),
      keysAre(),
      heldBy(undefined),
    ],
  },
];
