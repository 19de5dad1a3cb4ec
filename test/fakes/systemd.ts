/**
 * A real systemd, as the manager of a user, with a D-Bus of its own: in a mount namespace where the
 * machine looks booted by systemd, and in a PID namespace that takes all of it away at the end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { until } from './keeper.ts';

export interface TestSystemd {
  /** Socket of its bus. */
  readonly bus: string;
  readonly unit: (name: string, text: string) => void;
  /** Kills systemd and the bus. */
  readonly kill: () => Promise<void>;
  readonly restart: () => Promise<void>;
  /** Runs systemctl beside it, as an operator would. */
  readonly systemctl: (...words: readonly string[]) => Promise<void>;
}

/** The manager wants a machine booted by systemd; for that a folder is enough. As process 1 it would not. */
const BOOT =
  'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && { /lib/systemd/systemd --user --log-target=null & wait; }';

export async function startSystemd(t: Test, folder: string): Promise<TestSystemd> {
  const run = join(folder, 'xdg');
  const units = join(folder, 'config/systemd/user');
  mkdirSync(units, { recursive: true });
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: folder,
    XDG_RUNTIME_DIR: run,
    XDG_CONFIG_HOME: join(folder, 'config'),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${run}/bus`,
  };
  let child: ChildProcess | undefined;
  const begin = async (): Promise<void> => {
    mkdirSync(run, { recursive: true, mode: 0o700 });
    const namespaces = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
    child = spawn('unshare', [...namespaces, '--', 'bash', '-c', BOOT], { env, stdio: 'ignore' });
    await until(() => existsSync(join(run, 'bus')), 'a bus');
  };
  const kill = async (): Promise<void> => {
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    child?.kill('SIGKILL');
    await gone;
    await until(() => !existsSync(`/proc/${child?.pid}`), 'it to be gone');
    const { rmSync } = await import('node:fs');
    rmSync(run, { recursive: true, force: true });
  };
  await begin();
  t.teardown(kill);
  return {
    bus: join(run, 'bus'),
    unit: (name, text) => writeFileSync(join(units, name), text),
    kill,
    restart: begin,
    systemctl: async (...words) => {
      const leader = child?.pid ?? 0;
      const inside = readFileSync(`/proc/${leader}/task/${leader}/children`, 'utf8').trim();
      const enter = ['-t', inside, '-m', '-p', '--', 'systemctl', '--user', ...words];
      const done = spawn('nsenter', enter, { env, stdio: 'ignore' });
      const code = await new Promise((resolve) => done.once('exit', resolve));
      if (code !== 0) throw new Error(`systemctl ${words.join(' ')} ended with ${code}`);
    },
  };
}
