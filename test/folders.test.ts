/**
 * The folders the agent writes into: made when missing, refused when anyone else has a hand in them.
 * Nothing that is refused is changed.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { prepareFolders } from '../agent/config/folders.ts';
import { formatProblems } from '../agent/config/problems.ts';

const ROOT = process.geteuid?.() === 0;

async function lines(stateDir: string, runDir: string): Promise<readonly string[]> {
  const text = formatProblems(await prepareFolders({ stateDir, runDir }));
  return text === '' ? [] : text.split('\n');
}

/** A folder of someone else: made so by root, found by others. */
function foreign(folder: string): string {
  if (!ROOT) return '/usr';
  mkdirSync(folder);
  chownSync(folder, 12_345, 12_345);
  return folder;
}

t.test('missing folders are made, for their owner alone', async (t) => {
  const top = t.testdir({});
  const state = join(top, 'a/b/state');
  const run = join(top, 'run');
  t.strictSame(await lines(state, run), []);
  for (const folder of [state, run, join(top, 'a')]) {
    t.equal(lstatSync(folder).mode & 0o777, 0o700, folder);
    t.ok(lstatSync(folder).isDirectory());
  }
  t.strictSame(readdirSync(state), [], 'the trial file is gone');
  chmodSync(run, 0o755);
  t.strictSame(await lines(state, run), [], 'again, with a folder that others may read');
});

t.test('what is refused, and why', async (t) => {
  const top = t.testdir({ file: '', good: {}, all: {}, loose: {} });
  const at = (name: string): string => join(top, name);
  symlinkSync(at('good'), at('link'));
  chmodSync(at('all'), 0o777);
  chmodSync(at('loose'), 0o777);
  mkdirSync(at('loose/mine'));
  const other = foreign(at('other'));
  const owner = lstatSync(other).uid;
  const uid = process.geteuid?.() ?? 0;
  const cases: readonly (readonly [string, string])[] = [
    [at('link'), 'is a symbolic link (name the folder it points to)'],
    [at('file'), 'is not a folder (remove it, or name another with --state)'],
    [at('file/x'), 'cannot be made: a part of its path is a file (name another with --state)'],
    [at('all'), `can be written by anyone (chmod o-w ${at('all')}, once its content is trusted)`],
    [
      at('loose/mine'),
      `is in ${at('loose')}, which can be written by anyone (name another with --state)`,
    ],
    [
      other,
      `belongs to user ${owner}, not to ${uid} (chown ${uid} ${other}, once its content is trusted)`,
    ],
    ['/proc/nospof', 'cannot be made there (name another with --state)'],
    [`${top}/${'x'.repeat(256)}`, 'has too long a name (name another with --state)'],
  ];
  for (const [folder, expected] of cases) {
    t.strictSame(await lines(folder, at('good')), [`${folder}: ${expected}`]);
  }
  t.equal(lstatSync(at('all')).mode & 0o777, 0o777, 'a refused folder is left as it was');
  t.strictSame(readdirSync(at('all')), []);
});

t.test('both folders are reported, each with its flag', async (t) => {
  const top = t.testdir({});
  writeFileSync(join(top, 'f'), '');
  t.strictSame(await lines(join(top, 'f/s'), join(top, 'f/r')), [
    `${top}/f/s: cannot be made: a part of its path is a file (name another with --state)`,
    `${top}/f/r: cannot be made: a part of its path is a file (name another with --run)`,
  ]);
});
