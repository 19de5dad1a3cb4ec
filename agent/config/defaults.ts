/**
 * What holds when nobody has said otherwise: one place, told again by the schema's `default` (a test
 * keeps both alike). Folders depend on who runs the agent: root has the system's, others their own
 * after the XDG base directory specification. The only reader of environment variables.
 */
import { homedir, hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { type Config, NO_JUDGEMENT } from '../../rules/config.ts';
import { idPart } from '../../rules/model.ts';

/** Read when no `--config` is given and it exists. */
export const CONFIG_FILE = '/etc/nospof/nospof.yaml';
export const CONFIG_BYTES_MAX: number = 1024 * 1024;
/** Name of the unix socket in the run folder. */
export const SOCKET_NAME = 'nospof.sock';
/** Longest name of a unix socket: `sun_path` has 108 bytes, one of them the closing zero (unix(7)). */
export const SOCKET_PATH_BYTES_MAX = 107;
export const REACH_RANK = 1;
/** How long a node stays without power before it counts as off. */
export const DISCHARGE_MS = 5000;

export interface Folders {
  readonly stateDir: string;
  readonly runDir: string;
}

export const SYSTEM_FOLDERS: Folders = { stateDir: '/var/lib/nospof', runDir: '/run/nospof' };

/** Folders of a user; relative XDG variables are ignored, as the specification asks. */
export function defaultFolders(user: {
  readonly uid: number;
  readonly home: string;
  readonly xdgStateHome?: string | undefined;
  readonly xdgRuntimeDir?: string | undefined;
}): Folders {
  if (user.uid === 0) return SYSTEM_FOLDERS;
  const absolute = (path: string | undefined): string | undefined =>
    path !== undefined && isAbsolute(path) ? path : undefined;
  const state = absolute(user.xdgStateHome) ?? join(user.home, '.local/state');
  const run = absolute(user.xdgRuntimeDir);
  return {
    stateDir: join(state, 'nospof'),
    runDir: run === undefined ? `/tmp/nospof-${user.uid}` : join(run, 'nospof'),
  };
}

/** What `loadConfig` must know of the machine and of the build. */
export interface Surroundings {
  readonly hostname: string;
  readonly folders: Folders;
  /** Names of all collectors there are. */
  readonly collectors: readonly string[];
}

/** The surroundings of this process. */
export function surroundings(collectors: readonly string[]): Surroundings {
  return {
    hostname: hostname(),
    folders: defaultFolders({
      uid: process.geteuid?.() ?? 0,
      home: homedir(),
      xdgStateHome: process.env.XDG_STATE_HOME,
      xdgRuntimeDir: process.env.XDG_RUNTIME_DIR,
    }),
    collectors,
  };
}

/** The configuration of an empty file. */
export function defaultConfig(around: Surroundings): Config {
  return {
    node: idPart(around.hostname),
    listen: { host: '127.0.0.1', port: 9974 },
    roots: { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' },
    stateDir: around.folders.stateDir,
    runDir: around.folders.runDir,
    collectors: {},
    reach: [],
    switches: [],
    nodes: [],
    judgement: NO_JUDGEMENT,
    seriesMax: 50_000,
  };
}
