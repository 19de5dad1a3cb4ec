/**
 * Bugs that were made on purpose, one line each: what is changed in which built file, and the test that must
 * go red for it. A bug that no test notices is a test that is missing.
 */

export interface Mutant {
  readonly bug: string;
  /** Below dist/. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly from: string;
  readonly to: string;
  /** File below dist/test/ without its ending, and the test in it. */
  readonly in: string;
  readonly test: string;
}

const CODEC = 'reservation/codec.test';
const REPLIES = 'reservation/replies.test';
const CLAIM = 'reservation/claim.test';
const CONTEST = 'reservation/contest.test';
const TABLE = 'reservation/table.test';
const PORT = 'scsi-port.test';

function at(file: string): string {
  return `fencing/reservation/${file}.js`;
}

type Row = readonly [
  bug: string,
  file: string,
  from: string,
  to: string,
  testFile: string,
  test: string,
];

const ROWS: readonly Row[] = [
  [
    'PREEMPT AND ABORT is sent as PREEMPT',
    at('request'),
    "'preempt-abort': 5",
    "'preempt-abort': 4",
    CODEC,
    'each request is sent as the standard writes it',
  ],
  [
    'types are numbered as in NVMe',
    at('request'),
    "'write-exclusive-registrants': 5",
    "'write-exclusive-registrants': 3",
    CODEC,
    'the type is SCSI 5, and the abort form is service action 5',
  ],
  [
    "the victim's key says who asks",
    at('request'),
    'return [request.own, request.victim]',
    'return [request.victim, request.own]',
    CODEC,
    'each request is sent as the standard writes it',
  ],
  [
    'APTPL is another bit',
    at('request'),
    'const APTPL = 0x01',
    'const APTPL = 0x02',
    CODEC,
    'each request is sent as the standard writes it',
  ],
  [
    'the type is read beside its byte',
    at('replies'),
    'numberAt(body, 13, 1)',
    'numberAt(body, 12, 1)',
    CODEC,
    'answers are taken apart',
  ],
  [
    'a list that was cut looks whole',
    at('replies'),
    'cut: keys.length < count',
    'cut: false',
    REPLIES,
    'an answer cut anywhere is never more than the whole',
  ],
  [
    'not ready after a registration is a failure',
    at('answer'),
    'case NOT_READY:\n            return wrote ?',
    'case NOT_READY:\n            return false ?',
    CODEC,
    'status and sense are one outcome',
  ],
  [
    'sense codes are read that were not sent',
    at('sense'),
    '(at < sent ?',
    '(true ?',
    CODEC,
    'unit attentions by cause, in both formats of sense',
  ],
  [
    "a port's name is taken for a disk's",
    at('device-id'),
    'association !== ASSOCIATION_UNIT || ',
    '',
    CODEC,
    'identity and target port of page 83h',
  ],
  [
    'keys of another cluster count as ours',
    at('key'),
    'theirs.cluster !== ours.cluster || ',
    '',
    CODEC,
    'keys hold cluster, node and boot, and say whose they are',
  ],
  [
    'a time-out is settled by any read',
    at('answer'),
    "kind === 'late' ? 'return'",
    "kind === 'late' ? 'read'",
    CODEC,
    'status and sense are one outcome',
  ],
  [
    'doubt is forgotten: a time-out counts as an answer',
    at('engine'),
    "answer.is === 'unresolved' ? answer.until : undefined",
    'undefined',
    CLAIM,
    'a lost reply: nothing more is sent, and no end, until the nexus is gone',
  ],
  [
    'two PR OUTs at once',
    at('engine'),
    'if (view.busy)\n',
    'if (false)\n',
    CLAIM,
    'a command that is held is waited for on the other path too',
  ],
  [
    'an end while an order is in doubt',
    at('engine'),
    'if (view.busy && move.urgent !== true)',
    'if (false)',
    CLAIM,
    'nothing is taken for given back while an order is in doubt',
  ],
  [
    'a proof is dated when it returns',
    at('look'),
    'tableOf(look.atMs',
    'tableOf(nowMs',
    CLAIM,
    'the proof is as old as the sending of its reads',
  ],
  [
    'the reservation alone is a proof',
    at('table'),
    'if (!registered)',
    'if (false)',
    TABLE,
    'what a table says of ownership',
  ],
  [
    'keys without a reservation are a proof',
    at('table'),
    "? { is: 'unreserved' }",
    "? { is: 'ours' }",
    CONTEST,
    'a disk that is emptied is restored by an owner whose proof is young',
  ],
  [
    'another type is a proof',
    at('table'),
    'if (type !== OWN_TYPE)',
    'if (false)',
    CONTEST,
    'whatever is not ours is lost at once',
  ],
  [
    'a proof while a challenger is registered',
    at('table'),
    "peers.length > 0 ? { is: 'challenged', keys: peers } : { is: 'ours' }",
    "{ is: 'ours' }",
    CONTEST,
    'a living owner is a life sign: it keeps the disk, the challenger is removed',
  ],
  [
    'strangers are not seen',
    at('table'),
    "=== 'stranger'",
    "=== 'nobody'",
    CLAIM,
    'strangers forbid it, and are not touched',
  ],
  [
    'the challenger does not wait',
    at('challenge'),
    'if (table.atMs >= untilMs && nowMs >= untilMs)',
    'if (true)',
    CONTEST,
    'a dead owner is taken after the wait, not before',
  ],
  [
    'an empty table is permission',
    at('challenge'),
    'if (table.atMs >= untilMs && nowMs >= untilMs)',
    'if (table.holder === undefined || nowMs >= untilMs)',
    CONTEST,
    'an empty table is no permission: the wait is the same',
  ],
  [
    'a holder that vanishes shortens the wait',
    at('challenge'),
    'standsMs: table.atMs, holder: undefined',
    'holder: undefined',
    CONTEST,
    'a holder that vanishes during the wait begins it anew',
  ],
  [
    'the challenger does not see that it was removed',
    at('challenge'),
    'if (!stands)',
    'if (false)',
    CONTEST,
    'a living owner is a life sign: it keeps the disk, the challenger is removed',
  ],
  [
    'any holder is preempted',
    at('claim'),
    'holder !== self.key && holder !== memory.victim',
    'false',
    CLAIM,
    'the holder may be preempted only if it is the one named',
  ],
  [
    'PREEMPT without ABORT',
    at('claim'),
    "ask: 'preempt-abort'",
    "ask: 'preempt'",
    CONTEST,
    'a living owner is a life sign: it keeps the disk, the challenger is removed',
  ],
  [
    'asking whether a path is registered clears APTPL',
    at('claim'),
    'own: key, next: key, aptpl',
    'own: key, next: key',
    CONTEST,
    'a path that comes back is registered before it counts',
  ],
  [
    'a path that is not registered counts',
    at('claim'),
    'if (missing !== undefined)',
    'if (false)',
    CONTEST,
    'a path that comes back is registered before it counts',
  ],
  [
    'an emptied disk is restored however old the proof',
    at('defend'),
    'if (ageMs >= memory.times.restoreMs)',
    'if (false)',
    CONTEST,
    'a disk that is emptied is lost to an owner whose proof is old',
  ],
  [
    'ownership that cannot be proven is kept',
    at('defend'),
    'if (ageMs < memory.times.verifyMs)',
    'if (true)',
    CONTEST,
    'all paths stuck: unprovable when its time is over',
  ],
  [
    'RELEASE is sent down any path',
    at('release'),
    'if (count > 1)',
    'if (false)',
    CLAIM,
    'giving back when the path that holds is dead',
  ],
  [
    'an order is sent before the disk is known',
    'agent/ports/scsi/child.js',
    '(group.wwid === undefined || !group.guard)',
    'true',
    PORT,
    'a path that leads to another disk: nothing is sent to it, nothing believed',
  ],
  [
    'an order is sent after its time',
    'agent/ports/scsi/child.js',
    'if (open.answered)\n        child.open.delete(open);\n    else if',
    'if',
    PORT,
    'held up before the identity was known, a registration is never sent',
  ],
];

export const MUTANTS: readonly Mutant[] = ROWS.map(([bug, file, from, to, testFile, test]) => ({
  bug,
  file,
  from,
  to,
  in: testFile,
  test,
}));
