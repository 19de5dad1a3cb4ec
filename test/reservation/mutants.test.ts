/** Each planted bug, put into a copy of what was built, turns the test red that is named for it. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { MUTANTS, type Mutant } from './mutants.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDERS = ['fencing', 'agent', 'rules', 'collectors', 'test/reservation', 'test/fakes'];
const FILES = ['test/scsi-port.test.js'];
const HANG_MS = 60_000;
const JOBS = 2;

function copyBuilt(): string {
  const copy = mkdtempSync(join(tmpdir(), 'nospof-mutants-'));
  mkdirSync(join(copy, 'dist/test'), { recursive: true });
  for (const part of [...FOLDERS, ...FILES]) {
    cpSync(join(ROOT, 'dist', part), join(copy, 'dist', part), { recursive: true });
  }
  cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
}

/** Runs one test of a file; true when it passed. A run without an end is no pass. */
function passes(copy: string, mutant: Mutant): Promise<boolean> {
  return new Promise((resolve) => {
    const env = { ...process.env, TAP_GREP: `/^${escaped(mutant.test)}$/`, TAP_TIMEOUT: '30' };
    const file = join(copy, `dist/test/${mutant.in}.js`);
    const child = spawn(process.execPath, [file], { cwd: copy, env, timeout: HANG_MS });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
    });
    child.on('close', (status) => {
      const ran = out.includes(`# Subtest: ${mutant.test}`);
      resolve(status === 0 && ran);
    });
  });
}

// Some eighty runs of a test.
t.setTimeout(230_000);

t.test('every planted bug is caught by the test that is named for it', async (t) => {
  t.setTimeout(230_000);
  const waiting = [...MUTANTS];
  const healthy = new Map<string, Promise<boolean>>();
  const work = async (): Promise<void> => {
    const copy = copyBuilt();
    try {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const one = mutant;
        const path = join(copy, 'dist', one.file);
        const sound = readFileSync(path, 'utf8');
        t.equal(sound.split(one.from).length, 2, `${one.bug}: its place is there once`);
        const name = `${one.in} ${one.test}`;
        if (!healthy.has(name)) healthy.set(name, passes(copy, one));
        t.ok(await healthy.get(name), `${one.bug}: the test passes without it`);
        writeFileSync(
          path,
          sound.replace(one.from, () => one.to),
        );
        t.notOk(await passes(copy, one), `${one.bug}: ${one.test}`);
        writeFileSync(path, sound);
      }
    } finally {
      rmSync(copy, { recursive: true });
    }
  };
  t.ok(MUTANTS.length >= 15);
  await Promise.all(Array.from({ length: JOBS }, work));
});
