/** What every change must pass: forty simulated days on two processes, with enough of everything in them. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const HOURS = 960;
const WORKERS = 2;
/** How often it must have happened, or the run has proven too little. */
const LEAST: Readonly<Record<string, number>> = {
  takeovers: 1_000,
  'self-fences': 200,
  unresolved: 200,
  fences: 100,
};

interface Part {
  readonly code: number;
  readonly text: string;
}

function part(seed: string): Promise<Part> {
  const main = fileURLToPath(new URL('main.js', import.meta.url));
  const args = [main, '--seed', seed, '--hours', String(HOURS / WORKERS), '--keep-going'];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, text }));
  });
}

function countIn(text: string, what: string): number {
  const line = text.split('\n').find((one) => one.trim().endsWith(` ${what}`));
  return Number(line?.trim().split(' ')[0] ?? 0);
}

/** Gives how many rounds and counts failed. */
export async function ci(): Promise<number> {
  const parts = await Promise.all(Array.from({ length: WORKERS }, (_, at) => part(`ci${at + 1}`)));
  let passed = 0;
  let failed = 0;
  for (const { text } of parts) {
    console.log(text);
    const [, good = '0', bad = '1'] = /^(\d+) passed, (\d+) failed$/mu.exec(text) ?? [];
    passed += Number(good);
    failed += Number(bad);
  }
  for (const [what, least] of Object.entries(LEAST)) {
    const count = parts.reduce((sum, { text }) => sum + countIn(text, what), 0);
    console.log(`${count} ${what}, at least ${least} are wanted`);
    if (count >= least) passed += 1;
    else failed += 1;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed;
}
