/**
 * The reader child: reads files that may hang, one after the other and synchronously, because only a
 * process can be abandoned (a stuck thread keeps its process from ever exiting). Before each file it
 * notes which one; the agent kills it when a note grows too old. It holds nothing that would be missed.
 */
import { writeSync } from 'node:fs';
import { monotonicMs } from '../ports/clock.ts';
import {
  FILE_BYTES_MAX,
  type KeptFile,
  KeptFiles,
  keptFile,
  type Pass,
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
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

interface IndexedFile {
  readonly index: number;
  readonly file: KeptFile;
}

interface FileList {
  readonly seldom: boolean;
  readonly files: readonly IndexedFile[];
}

const NO_FILES: FileList = { seldom: true, files: [] };

const kept = new KeptFiles({ mayBlock: true });
const lists = new Map<number, FileList>();
/** The progress file itself where it could be mapped, else what is written to it for each note. */
let note = Buffer.alloc(PROGRESS_BYTES);
let isMapped = false;

/**
 * What Node lacks. Whoever hangs in a read sees no closed channel: the kernel must end it when the agent
 * dies. And a note in mapped memory takes a fiftieth of one that is written: there is one for each file.
 */
async function useLibc(): Promise<void> {
  const parent = process.ppid;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    const prctl = libc.func(
      'int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)',
    );
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    const mmap = libc.func('intptr_t mmap(intptr_t, size_t, int, int, int, intptr_t)');
    const address = mmap(0, PROGRESS_BYTES, PROT_READ_WRITE, MAP_SHARED, PROGRESS_FD, 0);
    if (address === -1) throw new Error('not mapped');
    note = Buffer.from(koffi.view(address, PROGRESS_BYTES));
    isMapped = true;
  } catch {
    // Without it the channel's end still stops every child that does not hang, and notes are written.
  }
  if (process.ppid !== parent) process.exit(0);
}

function progress(run: number, index: number): void {
  writeProgress(note, { run, index, sinceMs: monotonicMs() });
  if (!isMapped) writeSync(PROGRESS_FD, note, 0, PROGRESS_BYTES, 0);
}

function say(report: Report): void {
  process.send?.(report);
}

function setList(
  list: number,
  seldom: boolean,
  files: readonly (readonly [number, string])[],
): void {
  const before = lists.get(list) ?? NO_FILES;
  const old = new Map(before.files.map((entry) => [entry.index, entry]));
  const fresh = files.map(([index, path]) => {
    const known = old.get(index);
    old.delete(index);
    return known ?? { index, file: keptFile(path) };
  });
  for (const { file } of old.values()) kept.drop(file);
  if (fresh.length === 0) lists.delete(list);
  else lists.set(list, { seldom, files: fresh });
}

function readLists(numbers: readonly number[], run: number): void {
  const pass: Pass = new Map();
  let answers: Answer[] = [];
  let done: number[] = [];
  let chars = 0;
  let saidMs = monotonicMs();
  const tell = (): void => {
    say({ run, answers, done });
    answers = [];
    done = [];
    chars = 0;
    saidMs = monotonicMs();
  };
  for (const number of numbers) {
    let folder: string | undefined;
    let room = READ_BYTES_MAX;
    const { seldom, files } = lists.get(number) ?? NO_FILES;
    for (const { index, file } of files) {
      const isLate = file.folder !== folder && monotonicMs() - saidMs > ANSWER_EVERY_MS;
      if ((isLate && answers.length + done.length > 0) || chars > ANSWER_CHARS_MAX) tell();
      folder = file.folder;
      progress(run, index);
      const outcome = kept.read(file, Math.min(room, FILE_BYTES_MAX), pass);
      if (seldom) kept.release(file);
      const seen = file.entry ?? { errno: 'EIO' };
      const length = 'text' in seen ? seen.text.length : 0;
      room -= length;
      if (outcome === 'same') continue;
      chars += length;
      answers.push({ index, entry: seen, vanished: outcome === 'vanished' });
    }
    done.push(number);
  }
  progress(run, IDLE);
  tell();
}

function obey(order: Order): void {
  switch (order.kind) {
    case 'list':
      setList(order.list, order.seldom, order.files);
      return;
    case 'read':
      readLists(order.lists, order.run);
      return;
    case 'drop':
      setList(order.list, true, []);
      return;
  }
}

process.on('disconnect', () => process.exit(0));
// A terminal's Ctrl-C reaches the whole group; the agent decides when its reader ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
await useLibc();
process.on('message', (message) => obey(message as Order));
