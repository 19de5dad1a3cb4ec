/** A lab that is killed leaves no process, and after the next start nothing in its folder. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { cacheAt, DIST } from './lab/host/files.ts';
import { order } from './lab/host/power-client.ts';
import { clearKilled } from './lab/host/run-folder.ts';

/** A hang bound. */
const GONE_MS = 10_000;

/** Command lines of all processes that name the folder, which every process of the lab does. */
function processesOf(folder: string, except: number): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name) && Number(name) !== except)
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const about = `${words} ${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
        return about.includes(folder) ? [words] : [];
      } catch {
        return [];
      }
    });
}

t.test('kill -9 of a lab takes its switches and machines with it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-killed-'));
  const lab = spawn(process.execPath, [join(DIST, 'test/fakes/lab-holder.js'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = lab.pid ?? 0;
  t.teardown(() => {
    lab.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await new Promise((resolve) => lab.stdout.once('data', resolve));
  // The SNMP switch starts its helper at the first question.
  const conf = readFileSync(join(folder, 'run', String(pid), 'pdu.snmpd.conf'), 'utf8');
  const port = Number(/127\.0\.0\.1:(\d+)/u.exec(conf)?.[1]);
  await order({ kind: 'snmp', port, read: 'public', write: 'private' }, 2, false);
  const running = processesOf(folder, pid).filter((words) => !words.includes('lab-holder'));
  for (const program of ['snmpd', 'socat', 'ipmi_sim'])
    t.ok(
      running.some((words) => words.startsWith(program)),
      `${program} runs`,
    );
  const sleeps = (): number =>
    readFileSync(join(folder, 'run', String(pid), 'processes'), 'utf8')
      .split('\n')
      .slice(1)
      .filter(Boolean).length;
  t.equal(sleeps(), 4, 'each is in the list');

  lab.kill('SIGKILL');
  const end = Date.now() + GONE_MS;
  while (processesOf(folder, pid).length > 0 && Date.now() < end) await pause(50);
  t.strictSame(processesOf(folder, pid), [], 'no process is left');
  const [said = ''] = clearKilled(cacheAt(folder));
  t.match(said, /cleared a lab that was killed/u);
  t.strictSame(readdirSync(join(folder, 'run')), [], 'nor a folder');
  t.notMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(folder, 'u'), 'nor a mount');
});
