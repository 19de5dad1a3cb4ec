/**
 * Makes the state and the run folder ready, or says in one line each why not. Root writes there, so a
 * folder that another user made, links elsewhere or may change is refused, never repaired: whatever
 * stands in it may have been put there.
 */
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../ports/errno.ts';
import { fileProblem, type Problem } from './problems.ts';

const WORLD_WRITABLE = 0o002;
const STICKY = 0o1000;

type Complaint = readonly [message: string, mend: string];

const ERRNO_SENTENCES: Readonly<Record<string, Complaint>> = {
  EACCES: ['may not be written by this user', 'run as root, or name another folder'],
  EPERM: ['may not be written by this user', 'run as root, or name another folder'],
  EROFS: ['is on a read-only file system', 'remount it, or name another folder'],
  ENOSPC: ['is on a full disk', 'make room on it, or name another folder'],
  EDQUOT: ['is over its quota', 'raise the quota, or name another folder'],
  ENOTDIR: ['cannot be made: a part of its path is a file', 'name another folder'],
  ENOENT: ['cannot be made there', 'name another folder'],
  ELOOP: ['is behind a circle of links', 'name another folder'],
  EEXIST: ['is in use by another file', 'remove that file, or name another folder'],
  ENAMETOOLONG: ['has too long a name', 'name another folder'],
};

function sentence(error: unknown): Complaint {
  const code = errnoOf(error);
  return ERRNO_SENTENCES[code] ?? [`cannot be used: ${code}`, 'check the disk'];
}

function statComplaint(folder: string, stat: Stats, uid: number): Complaint | undefined {
  if (stat.isSymbolicLink()) return ['is a symbolic link', 'name the folder it points to'];
  if (!stat.isDirectory()) return ['is not a folder', 'remove it, or name another folder'];
  if (stat.uid !== uid) {
    return [
      `belongs to user ${stat.uid}, not to ${uid}`,
      `chown ${uid} ${folder}, once its content is trusted`,
    ];
  }
  if ((stat.mode & WORLD_WRITABLE) !== 0) {
    return ['can be written by anyone', `chmod o-w ${folder}, once its content is trusted`];
  }
  return undefined;
}

/** Whoever may rename things in the folder above may put another folder in this one's place. */
async function parentComplaint(folder: string): Promise<Complaint | undefined> {
  const parent = dirname(folder);
  const { mode } = await lstat(parent);
  if ((mode & WORLD_WRITABLE) === 0 || (mode & STICKY) !== 0) return undefined;
  return [`is in ${parent}, which can be written by anyone`, 'name another folder'];
}

/** A file is really made: rights, mount options and a full disk show only then. */
async function tryWriting(folder: string): Promise<void> {
  const file = join(folder, `.nospof-write-test-${process.pid}`);
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const handle = await open(file, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    await handle.write('nospof\n');
  } finally {
    await handle.close();
    await unlink(file);
  }
}

/**
 * Makes a folder and what is missing above it, each tried twice at most. `mkdir` with `recursive` will
 * not do: below /proc, where making answers ENOENT though the parent exists, Node retries for ever.
 */
export async function makeFolder(folder: string, again = true): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || !again || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await makeFolder(folder, false);
  }
}

async function prepare(folder: string, uid: number): Promise<Complaint | undefined> {
  try {
    await makeFolder(folder);
    const complaint =
      statComplaint(folder, await lstat(folder), uid) ?? (await parentComplaint(folder));
    if (complaint !== undefined) return complaint;
    await tryWriting(folder);
    return undefined;
  } catch (error) {
    return sentence(error);
  }
}

/**
 * Makes missing folders (0700) and checks all of them. An empty list means that both are ready; with
 * problems the agent must not start (exit status 2).
 */
export async function prepareFolders(folders: {
  readonly stateDir: string;
  readonly runDir: string;
}): Promise<readonly Problem[]> {
  const uid = process.geteuid?.() ?? 0;
  const problems: Problem[] = [];
  for (const [flag, folder] of [
    ['--state', folders.stateDir],
    ['--run', folders.runDir],
  ] as const) {
    const complaint = await prepare(folder, uid);
    if (complaint === undefined) continue;
    const [message, mend] = complaint;
    problems.push(
      fileProblem(folder, message, mend.replace('another folder', `another with ${flag}`)),
    );
  }
  return problems;
}
