/**
 * The reader child: reads files that may hang, one after the other and synchronously, because only a
 * process can be abandoned (a stuck thread keeps its process from ever exiting). Before each file it
 * notes which one; the agent kills it when a note grows too old. It holds nothing that would be missed.
 */
import { writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { monotonicMs } from '../ports/clock.ts';
import {
  FILE_BYTES_MAX,
  type KeptFile,
  KeptFiles,
  keptFile,
  READ_BYTES_MAX,
} from '../ports/files.ts';
import {
  type Answer,
  IDLE,
  type Order,
  PROGRESS_BYTES,
  PROGRESS_FD,
  type Report,
  writeProgress,
} from './protocol.ts';

/**
 * Answers are sent at the end of a run; before that when this much text has gathered, and at the end of a
 * device's folder when the last were sent so long ago. A message costs both sides more than ten reads.
 */
const ANSWER_CHARS_MAX: number = 256 * 1024;
const ANSWER_EVERY_MS = 5;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

interface IndexedFile {
  readonly index: number;
  readonly folder: string;
  readonly file: KeptFile;
}

const kept = new KeptFiles({ mayBlock: true });
const lists = new Map<number, readonly IndexedFile[]>();
const note = Buffer.alloc(PROGRESS_BYTES);

/** Whoever hangs in a read sees no closed channel: the kernel must end it when the agent dies. */
async function endWithParent(): Promise<void> {
  const parent = process.ppid;
  try {
    const { default: koffi } = await import('koffi');
    const prctl = koffi
      .load(null)
      .func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  } catch {
    // Without it the channel's end still stops every child that does not hang.
  }
  if (process.ppid !== parent) process.exit(0);
}

function progress(run: number, index: number): void {
  writeProgress(note, { run, index, sinceMs: monotonicMs() });
  writeSync(PROGRESS_FD, note, 0, PROGRESS_BYTES, 0);
}

function say(report: Report): void {
  process.send?.(report);
}

function setList(list: number, files: readonly (readonly [number, string])[]): void {
  const old = new Map((lists.get(list) ?? []).map((entry) => [entry.index, entry]));
  const fresh = files.map(([index, path]) => {
    const known = old.get(index);
    old.delete(index);
    return known ?? { index, folder: dirname(path), file: keptFile(path) };
  });
  for (const { file } of old.values()) kept.drop(file);
  if (fresh.length === 0) lists.delete(list);
  else lists.set(list, fresh);
}

function readList(list: number, run: number): void {
  let answers: Answer[] = [];
  let folder: string | undefined;
  let chars = 0;
  let room = READ_BYTES_MAX;
  let saidMs = monotonicMs();
  const tell = (done: boolean): void => {
    say({ run, answers, done });
    answers = [];
    chars = 0;
    saidMs = monotonicMs();
  };
  for (const entry of lists.get(list) ?? []) {
    const isLate = entry.folder !== folder && monotonicMs() - saidMs > ANSWER_EVERY_MS;
    if (answers.length > 0 && (isLate || chars > ANSWER_CHARS_MAX)) tell(false);
    folder = entry.folder;
    progress(run, entry.index);
    const outcome = kept.read(entry.file, Math.min(room, FILE_BYTES_MAX));
    const seen = entry.file.entry ?? { errno: 'EIO' };
    const length = 'text' in seen ? seen.text.length : 0;
    room -= length;
    if (outcome === 'same') continue;
    chars += length;
    answers.push({ index: entry.index, entry: seen, vanished: outcome === 'vanished' });
  }
  progress(run, IDLE);
  tell(true);
}

function obey(order: Order): void {
  switch (order.kind) {
    case 'list':
      setList(order.list, order.files);
      return;
    case 'read':
      readList(order.list, order.run);
      return;
    case 'drop':
      setList(order.list, []);
      return;
  }
}

process.on('disconnect', () => process.exit(0));
// A terminal's Ctrl-C reaches the whole group; the agent decides when its reader ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
await endWithParent();
process.on('message', (message) => obey(message as Order));
