/**
 * The command port with real programs: scripts that hang, flood, fork, fail and complain. None may
 * outlive its deadline, none may run twice at once, none may run that somebody else could have changed.
 */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { openCommandPort } from '../agent/ports/command.ts';
import type { ReadPort } from '../agent/ports/port.ts';
import { findProgram, PROGRAM_FOLDERS } from '../agent/ports/programs.ts';
import type { Entry, Read } from '../collectors/lib/collector.ts';

type CommandRead = Extract<Read, { kind: 'command' }>;

interface Place {
  readonly port: ReadPort<CommandRead>;
  readonly at: (path: string) => string;
  /** Writes a program; what it does is shell. */
  readonly program: (name: string, ...lines: readonly string[]) => void;
}

function place(t: Test): Place {
  const folder = t.testdir({ bin: {}, dev: {} });
  const at = (path: string): string => join(folder, path);
  chmodSync(at('bin'), 0o755);
  const roots = { proc: at('proc'), sys: at('sys'), dev: at('dev'), run: at('run') };
  const port = openCommandPort({ roots, folders: [at('bin'), ...PROGRAM_FOLDERS] });
  t.teardown(() => port.close());
  const program = (name: string, ...lines: readonly string[]): void => {
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 });
    chmodSync(at(`bin/${name}`), 0o755);
  };
  return { port, at, program };
}

function command(name: string, rest: Partial<CommandRead> = {}): CommandRead {
  return { kind: 'command', name, argv: [name], deadlineMs: 5_000, ...rest };
}

async function gone(pid: number): Promise<boolean> {
  for (let waited = 0; waited < 5_000; waited += 20) {
    if (!existsSync(`/proc/${pid}`)) return true;
    // Reaped by nobody: an orphan's zombie in a container without an init.
    if (/State:\s+Z/u.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
    await pause(20);
  }
  return false;
}

function pidIn(path: string): number {
  return Number(readFileSync(path, 'utf8'));
}

t.test('output and exit status, bare environment, no input', async (t) => {
  const { port, program } = place(t);
  program('plain', 'echo one; echo "$0"; pwd; env | sort; cat');
  const entry = await port.read(command('plain'));
  t.match(entry, { status: 0, text: /^one\n.*plain\n\/\n/u });
  const text = 'text' in entry ? entry.text : '';
  const names = text.split('\n').flatMap((line) => /^([A-Z_]+)=/u.exec(line)?.[1] ?? []);
  // The test runner puts its own into whatever is started; a shell sets its own.
  const foreign = /^(PWD|OLDPWD|SHLVL|_|NODE_OPTIONS|_TAPJS_.*)$/u;
  t.strictSame(
    names.filter((name) => !foreign.test(name)),
    ['LC_ALL', 'PATH'],
  );
  program('three', 'echo partly; echo "it broke" >&2; exit 3');
  const three = { text: 'partly\n', status: 3, why: 'it broke' };
  t.strictSame(await port.read(command('three')), three);
  t.strictSame(await port.read(command('three')), three, 'no rest');
  const words = command('words', { argv: ['echo', '$HOME', '; true', '*'] });
  t.strictSame(await port.read(words), { text: '$HOME ; true *\n', status: 0 }, 'no shell');
});

t.test('a command that hangs is killed with its group, and rests', async (t) => {
  const { port, program, at } = place(t);
  program('hang', 'echo "waiting for BMC" >&2', `sleep 60 & echo $! > ${at('grandchild')}`, 'wait');
  const hang = command('hang', { deadlineMs: 1_000 });
  t.strictSame(await port.read(hang), {
    errno: 'ETIMEDOUT',
    why: 'no answer within 1000 ms: waiting for BMC',
  });
  t.ok(await gone(pidIn(at('grandchild'))), 'the grandchild too');
  t.strictSame(await port.read(hang), {
    errno: 'ETIMEDOUT',
    why: 'no answer within 1000 ms: waiting for BMC; next try in 1 s',
  });
  await pause(1_100);
  program('hang', 'echo better');
  t.strictSame(await port.read(hang), { text: 'better\n', status: 0 });
  t.strictSame(await port.read(hang), { text: 'better\n', status: 0 }, 'no rest any more');
});

t.test('rests double', async (t) => {
  const { port, program } = place(t);
  program('dies', 'kill -SEGV $$');
  const dies = command('dies', { deadlineMs: 1_000 });
  for (const restS of [1, 2]) {
    t.strictSame(await port.read(dies), { errno: 'EIO', why: 'killed by SIGSEGV' });
    const why = `killed by SIGSEGV; next try in ${restS} s`;
    t.strictSame(await port.read(dies), { errno: 'EIO', why });
    await pause(restS * 1_000 + 20);
  }
});

t.test('a flood is cut off, on either output', async (t) => {
  const { port, program } = place(t);
  program('errors', 'exec yes "no such device" >&2');
  t.strictSame(await port.read(command('yes')), {
    errno: 'E2BIG',
    why: 'more than 1048576 bytes of output',
  });
  t.strictSame(await port.read(command('errors')), {
    errno: 'E2BIG',
    why: 'more than 1048576 bytes of output: no such device',
  });
  program('much', 'head -c 1048576 /dev/zero');
  const entry = await port.read(command('much'));
  t.equal('text' in entry ? entry.text.length : 0, 1_048_576, 'just as much is not too much');
});

t.test('a grandchild that holds the output open is neither waited for nor left', async (t) => {
  const { port, program, at } = place(t);
  program('leaves', `sleep 60 & echo $! > ${at('grandchild')}`, 'echo done');
  t.strictSame(await port.read(command('leaves')), { text: 'done\n', status: 0 });
  t.ok(await gone(pidIn(at('grandchild'))));
});

t.test('one call of a name is in flight', async (t) => {
  const { port, program, at } = place(t);
  program('slow', `echo x >> ${at('runs')}`, 'sleep 0.3', 'echo done');
  const entries = await Promise.all([1, 2, 3].map(() => port.read(command('slow'))));
  t.strictSame(entries, Array(3).fill({ text: 'done\n', status: 0 }));
  t.equal(readFileSync(at('runs'), 'utf8'), 'x\n');
});

t.test('not installed, superseded, no device: said, and not run', async (t) => {
  const { port, program, at } = place(t);
  t.strictSame(await port.read(command('no-such-tool')), {
    errno: 'ENOENT',
    why: 'no-such-tool is not installed',
  });
  t.strictSame(await port.read(command('../bin/sh')), {
    errno: 'ENOENT',
    why: '../bin/sh is not installed',
  });
  program('second', 'echo second');
  t.strictSame(await port.read(command('second', { unless: ['no-such-tool', 'sh'] })), {
    errno: 'ENOENT',
    why: 'superseded by sh',
  });
  t.match(await port.read(command('second', { unless: ['no-such-tool'] })), { status: 0 });
  const bmc = command('bmc', { argv: ['second'], when: { root: 'dev', glob: 'ipmi0' } });
  const without = { errno: 'ENODEV', why: 'nothing matches dev/ipmi0' };
  t.strictSame(await port.read(bmc), without);
  t.strictSame(await port.read({ ...bmc, when: { root: 'dev', glob: 'ipmi*' } }), {
    errno: 'ENODEV',
    why: 'nothing matches dev/ipmi*',
  });
  appendFileSync(at('dev/ipmi0'), '');
  t.strictSame(await port.read(bmc), { text: 'second\n', status: 0 }, 'without rest');
});

t.test('a program that others could have changed is not run', async (t) => {
  const { program, at } = place(t);
  const folders = [at('bin')];
  program('open', 'echo never');
  chmodSync(at('bin/open'), 0o777);
  t.match(findProgram('open', folders), { errno: 'EACCES', why: /bin\/open or its folder/u });
  chmodSync(at('bin/open'), 0o644);
  t.match(findProgram('open', folders), { errno: 'ENOENT' }, 'not executable');
  chmodSync(at('bin/open'), 0o755);
  t.strictSame(findProgram('open', folders), { path: at('bin/open') });
  mkdirSync(at('loose'));
  writeFileSync(at('loose/linked'), '', { mode: 0o755 });
  symlinkSync('../loose/linked', at('bin/linked'));
  chmodSync(at('loose'), 0o777);
  t.match(findProgram('linked', folders), { errno: 'EACCES' }, 'a folder open to all');
  mkdirSync(at('bin/folder'));
  t.match(findProgram('folder', folders), { errno: 'ENOENT' });
  t.match(findProgram('sh', PROGRAM_FOLDERS), { path: /^\/(usr\/)?bin\/sh$/u });
  t.end();
});

t.test('a program that cannot be started, and one that is removed', async (t) => {
  const { port, program, at } = place(t);
  writeFileSync(at('bin/broken'), '#!/no/such/interpreter\n', { mode: 0o755 });
  t.strictSame(await port.read(command('broken')), {
    errno: 'ENOENT',
    why: 'broken could not be started',
  });
  program('here', 'echo here');
  t.match(await port.read(command('here')), { status: 0 });
  rmSync(at('bin/here'));
  t.match(await port.read(command('here')), { errno: 'ENOENT' });
  t.match(await port.read(command('here')), { errno: 'ENOENT', why: 'here is not installed' });
});

t.test('closing kills what runs and leaves no descriptor', async (t) => {
  const { program, at } = place(t);
  program('long', `echo $$ > ${at('pid')}`, 'sleep 60');
  const roots = { proc: at('proc'), sys: at('sys'), dev: at('dev'), run: at('run') };
  const cycle = async (): Promise<Entry> => {
    rmSync(at('pid'), { force: true });
    const port = openCommandPort({ roots, folders: [at('bin')] });
    const underWay = port.read(command('long', { deadlineMs: 30_000 }));
    while (!existsSync(at('pid')) || pidIn(at('pid')) === 0) await pause(20);
    port.close();
    port.close();
    const entry = await underWay;
    t.ok(await gone(pidIn(at('pid'))));
    t.match(await port.read(command('long')), { errno: 'ECANCELED' });
    return entry;
  };
  await cycle();
  const before = readdirSync('/proc/self/fd').length;
  t.strictSame(await cycle(), { errno: 'ECANCELED', why: 'the agent is ending' });
  t.equal(readdirSync('/proc/self/fd').length, before);
});
