/**
 * Brings a checkout into a state that can run, then runs it: installs when the lockfile is newer than
 * the installed tree, builds when a source is newer than the build. Both are skipped, within a few
 * milliseconds, when nothing changed. Nothing here is shipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDERS = ['agent', 'collectors', 'exporters', 'fencing', 'rules', 'test'];

function mtime(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function newestSource(folder) {
  let newest = 0;
  if (!existsSync(folder)) return newest;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'fixtures')
      newest = Math.max(newest, newestSource(path));
    else if (entry.name.endsWith('.ts')) newest = Math.max(newest, mtime(path));
  }
  return newest;
}

function run(command, args, note) {
  process.stderr.write(`nospof: ${note} ...\n`);
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    process.stderr.write(`nospof: ${note} failed: ${command} ${args.join(' ')}\n`);
    process.exit(result.status ?? 1);
  }
}

function install() {
  const stamp = join(root, 'node_modules/.nospof-ready');
  if (mtime(stamp) >= mtime(join(root, 'package-lock.json'))) return;
  run('npm', ['ci', '--ignore-scripts'], 'installing what package-lock.json names');
  run(
    process.execPath,
    [join(root, 'node_modules/tap/dist/esm/run.mjs'), 'build'],
    'preparing tap',
  );
  writeFileSync(stamp, '');
}

function build() {
  const stamp = join(root, 'dist/.nospof-built');
  const configs = [
    'tsconfig.base.json',
    'tsconfig.pure.json',
    'tsconfig.json',
    'package-lock.json',
  ];
  const newest = Math.max(
    ...FOLDERS.map((folder) => newestSource(join(root, folder))),
    ...configs.map((file) => mtime(join(root, file))),
  );
  if (mtime(stamp) >= newest) return;
  const started = new Date();
  rmSync(stamp, { force: true });
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], 'building');
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
}

install();
build();
const [verb = 'run', ...rest] = process.argv.slice(2);
if (verb === 'test') {
  const all = readdirSync(join(root, 'dist/test'), { recursive: true })
    .filter(
      (file) =>
        file.endsWith('.test.js') && existsSync(join(root, 'test', file.replace(/js$/u, 'ts'))),
    )
    .map((file) => `dist/test/${file}`);
  const { runTests } = await import('./test.mjs');
  process.chdir(root);
  process.exit(await runTests(rest.length > 0 ? rest : all.sort()));
}
/** Programs of the checkout itself; any other verb is the agent's. */
const OWN = {
  bench: ['dist/test/bench/main.js'],
  lab: ['dist/test/lab/main.js', 'prompt'],
  sim: ['dist/test/sim/main.js'],
  'test:lab': ['dist/test/lab/main.js', 'test'],
};
const [script, ...words] = OWN[verb] ?? ['dist/agent/main.js', verb];
process.argv = [process.argv[0], join(root, script), ...words, ...rest];
await import(join(root, script));
