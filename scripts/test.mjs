/**
 * Runs test files, two at a time, each as a plain `node FILE`, and adds up what tap counted in them.
 * tap's own runner is not used: it puts loaders and variables into the environment of every process
 * below a test, and an agent's children with a clean environment are part of what is tested here.
 * A file fails when an assertion fails, when it ends badly, asserts nothing, skips anything, or hangs.
 */
import { spawn } from 'node:child_process';

const JOBS = 2;
/** A hang bound for one file, several times what the slowest takes. */
const FILE_MS_MAX = 240_000;
const OUTPUT_CHARS_MAX = 4 * 1024 * 1024;

function runFile(file) {
  return new Promise((resolve) => {
    const started = performance.now();
    // tap ends a file by itself after 30 s unless told otherwise; the hang bound here is ours.
    const env = { ...process.env, TAP_TIMEOUT: String(FILE_MS_MAX / 1000) };
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-OUTPUT_CHARS_MAX);
      });
    }
    const late = setTimeout(() => {
      output += `\nnot ended after ${FILE_MS_MAX / 1000} s, killed\n`;
      child.kill('SIGKILL');
    }, FILE_MS_MAX);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      resolve({ file, output, code: code ?? signal, ms: performance.now() - started });
    });
  });
}

/** tap's last line: `# { total: 9, pass: 8, fail: 1 }`. */
function countsOf(output) {
  const line = [...output.matchAll(/^# (\{ total: .*\})$/gmu)].at(-1)?.[1] ?? '';
  const count = (word) => Number(new RegExp(`\\b${word}: (\\d+)`, 'u').exec(line)?.[1] ?? 0);
  return { total: count('total'), pass: count('pass'), skip: count('skip'), todo: count('todo') };
}

/** The failed assertions with their diagnostics, without the passed ones. */
function failures(output) {
  return output
    .split('\n')
    .filter((line) => !/^\s*(ok \d+|1\.\.\d+|# Subtest)/u.test(line))
    .slice(-200)
    .join('\n');
}

export async function runTests(files) {
  const waiting = [...files];
  let passed = 0;
  let failed = 0;
  async function worker() {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { output, code, ms } = await runFile(file);
      const { total, pass, skip, todo } = countsOf(output);
      const good = code === 0 && total > 0 && pass === total && skip + todo === 0;
      passed += pass;
      failed += good ? 0 : Math.max(1, total - pass);
      const word = good ? 'ok    ' : 'FAILED';
      process.stdout.write(`${word} ${file} (${pass} of ${total}, ${(ms / 1000).toFixed(1)} s)\n`);
      if (!good) process.stdout.write(`${failures(output)}\nended with ${code}\n`);
    }
  }
  await Promise.all(Array.from({ length: JOBS }, worker));
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
