/**
 * The program as people start it: a process of its own, with its output and its exit status.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { COMMANDS } from '../agent/commands/catalog.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(ROOT, 'dist/agent/main.js');
const HANG_MS = 60_000;

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end; with `deaf` nobody reads its standard output. */
function start(file: string, argv: readonly string[], deaf = false): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...argv], { timeout: HANG_MS });
    let out = '';
    let err = '';
    if (deaf) child.stdout.destroy();
    else child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

function nospof(...argv: readonly string[]): Promise<Ended> {
  return start(MAIN, argv);
}

t.test('version', async (t) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const ended = await nospof('version');
  t.strictSame(ended, {
    status: 0,
    out: `nospof ${version} (node ${process.versions.node})\n`,
    err: '',
  });
  t.strictSame(await nospof('--version'), ended);
});

t.test('help of the whole and of each command', async (t) => {
  const whole = await nospof('--help');
  t.match(whole, { status: 0, out: /Exit status:\n {2}0 /u, err: '' });
  for (const name of COMMANDS) {
    const ended = await nospof(name, '--help');
    t.match(ended, { status: 0, out: `Example: nospof ${name}`, err: '' }, name);
  }
});

t.test('a wrong command line is one line and status 2', async (t) => {
  t.strictSame(await nospof('run', '--listn', 'off'), {
    status: 2,
    out: '',
    err: "nospof: unknown flag --listn (did you mean '--listen'?)\n",
  });
  t.strictSame(await nospof('chekc'), {
    status: 2,
    out: '',
    err: "nospof: unknown command 'chekc' (did you mean 'check'?)\n",
  });
  t.match(await nospof(), { status: 2, out: '', err: /^nospof: no command/u });
});

t.test('check', async (t) => {
  const folder = t.testdir({ 'good.yaml': 'node: n1\n', 'bad.yaml': 'nod: n1\nlisten: 1\n' });
  const good = join(folder, 'good.yaml');
  const bad = join(folder, 'bad.yaml');
  const shipped = readdirSync(new URL('../../rules/catalog/', import.meta.url)).length;
  t.strictSame(await nospof('check', good), {
    status: 0,
    out: `${good}: good (node n1, 127.0.0.1 port 9974, 0 groups, 0 limits, 0 targets, ${shipped} rules)\n`,
    err: '',
  });
  t.strictSame(await nospof('check', bad), {
    status: 2,
    out: '',
    err: [
      `${bad}:1:1: unknown key 'nod' (did you mean 'node'?)`,
      `${bad}:2:9: listen: cannot be 1 (write HOST:PORT such as 127.0.0.1:9974, or off)`,
      '',
    ].join('\n'),
  });
});

t.test('run refuses a bad configuration and bad folders before it starts', async (t) => {
  const folder = t.testdir({ file: '', 'bad.yaml': 'nod: n1\n' });
  const bad = join(folder, 'bad.yaml');
  const broken = await nospof('run', '--config', bad, '--listen', 'x');
  t.strictSame(broken, {
    status: 2,
    out: '',
    err: [
      "--listen: 'x' is not HOST:PORT (write HOST:PORT such as 127.0.0.1:9974, or off)",
      `${bad}:1:1: unknown key 'nod' (did you mean 'node'?)`,
      '',
    ].join('\n'),
  });
  const state = join(folder, 'file/state');
  const unwritable = await nospof(
    'run',
    '--listen',
    'off',
    '--state',
    state,
    '--run',
    '/proc/nospof',
  );
  t.strictSame(unwritable, {
    status: 2,
    out: '',
    err: [
      `${state}: cannot be made: a part of its path is a file (name another with --state)`,
      '/proc/nospof: cannot be made there (name another with --run)',
      '',
    ].join('\n'),
  });
});

t.test('forget asks the agent', async (t) => {
  const folder = t.testdir({ 'c.yaml': '' });
  const path = join(folder, 'nospof.sock');
  const gone = await nospof('forget', 'fan/a/1', '--run', folder);
  t.match(gone, { status: 1, out: '', err: `no agent answers on ${path}` });
  const asked: string[] = [];
  const server = createServer((request, response) => {
    request.setEncoding('utf8');
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
      response.statusCode = body.includes('fan/a/1') ? 200 : 404;
      response.end(JSON.stringify({ error: 'no such component' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => server.close());
  const done = await nospof('forget', 'fan/a/1', '--run', folder);
  t.strictSame(done, { status: 0, out: 'fan/a/1 is forgotten\n', err: '' });
  const config = join(folder, 'c.yaml');
  writeFileSync(config, `run: ${folder}\n`);
  const refused = await nospof('forget', 'fan/a/2', '--config', config);
  const why = 'nospof: fan/a/2 is not forgotten: no such component\n';
  t.strictSame(refused, { status: 1, out: '', err: why });
  t.strictSame(asked, [
    'POST /api/v1/forget application/json {"component":"fan/a/1"}',
    'POST /api/v1/forget application/json {"component":"fan/a/2"}',
  ]);
  t.match(await nospof('forget', 'fan', '--run', folder), { status: 2, err: /is no component/u });
});

t.test('a reader that went away is no error', async (t) => {
  t.strictSame(await start(MAIN, ['--help'], true), { status: 0, out: '', err: '' });
  t.strictSame(await start(MAIN, ['version'], true), { status: 0, out: '', err: '' });
});

t.test('a bug is told with its stack and status 70', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'dist'));
  cpSync(join(ROOT, 'dist/agent'), join(folder, 'dist/agent'), { recursive: true });
  cpSync(join(ROOT, 'dist/rules'), join(folder, 'dist/rules'), { recursive: true });
  writeFileSync(join(folder, 'dist/package.json'), '{"type": "module"}');
  const ended = await start(join(folder, 'dist/agent/main.js'), ['version']);
  t.match(ended, {
    status: 70,
    out: '',
    err: /^nospof: this is a bug.*\n.*ENOENT(.|\n)*\n {4}at /u,
  });
});

t.test('it works as a bin: by its own first line, through a link', async (t) => {
  t.match(readFileSync(MAIN, 'utf8'), /^#!\/usr\/bin\/env node\n/u);
  const link = join(t.testdir({}), 'nospof');
  symlinkSync(MAIN, link);
  t.match(await start(link, ['version']), { status: 0, out: /^nospof /u });
});
