/**
 * Makes a configuration from defaults, a file and flags, in this order, or says everything that is
 * wrong with them at once. Nothing is half taken: with one problem there is no configuration, and a
 * running agent keeps the one it has.
 */
import { dirname, join, resolve } from 'node:path';
import type { Config, ReachTarget } from '../../rules/config.ts';
import type { Rule } from '../../rules/rule.ts';
import type { AgentMeta } from '../services/ocf/metadata.ts';
import { crossCheck, type RawConfig, type RawReach } from './cross.ts';
import {
  CONFIG_FILE,
  defaultConfig,
  REACH_RANK,
  SOCKET_NAME,
  SOCKET_PATH_BYTES_MAX,
  type Surroundings,
} from './defaults.ts';
import type { Place, Reading } from './document.ts';
import { nodeOf, switchOf } from './power.ts';
import { fileProblem, inOrder, type Path, type Problem, pathText } from './problems.ts';
import type { Finding } from './schema.ts';
import { servicesOf } from './services.ts';
import { readText } from './text.ts';
import { durationMs, type Listen, readListen } from './words.ts';

/** Flags that override the file. Folders may be relative to the working folder. */
export interface ConfigFlags {
  readonly procfs?: string | undefined;
  readonly sysfs?: string | undefined;
  readonly devfs?: string | undefined;
  readonly runfs?: string | undefined;
  readonly state?: string | undefined;
  readonly run?: string | undefined;
  readonly listen?: string | undefined;
}

export type Loaded =
  | {
      readonly ok: true;
      readonly config: Config;
      /** The file that was read; undefined when the built-in defaults hold. */
      readonly file: string | undefined;
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A file's checked value, with what was found. `raw` holds only when there are no problems. */
interface FileResult {
  readonly file: string | undefined;
  readonly raw: RawConfig;
  readonly metas: ReadonlyMap<string, AgentMeta>;
  readonly place: (path: Path) => Place;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

const NO_METAS: ReadonlyMap<string, AgentMeta> = new Map();
const NOWHERE: Place = { line: 0, column: 0 };

function problemOf(file: string, reading: Reading, found: Finding): Problem {
  const { line, column } = reading.place(found.path, found.of);
  const { message, mend } = found;
  // A message about a key names it; the path leads to the map it stands in.
  const path = found.of === 'key' ? found.path.slice(0, -1) : found.path;
  return { file, line, column, path: pathText(path), message, mend };
}

function failed(file: string, problems: readonly Problem[]): FileResult {
  return { file, raw: {}, metas: NO_METAS, place: () => NOWHERE, problems, warnings: [] };
}

async function checkText(file: string, text: string, around: Surroundings): Promise<FileResult> {
  // Only where there is a file: YAML and the schema checker take a tenth of a second to load.
  const [{ readDocument }, { readSchema, schemaCheck }, { reviewAgents }] = await Promise.all([
    import('./document.ts'),
    import('./schema.ts'),
    import('./ocf.ts'),
  ]);
  const document = readDocument(file, text);
  if (!document.ok) return failed(file, document.problems);
  const { reading } = document;
  const value = reading.value ?? {};
  const faults = schemaCheck(await readSchema())(value);
  const isMap = typeof value === 'object' && !Array.isArray(value);
  const raw = (isMap ? value : {}) as RawConfig;
  const cross = crossCheck(raw, faults, around.collectors);
  const agents = await reviewAgents(cross.services, around.ocfRoot);
  const place = (found: Finding): Problem => problemOf(file, reading, found);
  return {
    file,
    raw,
    metas: agents.metas,
    place: (path) => reading.place(path, 'value'),
    problems: [
      ...document.problems,
      ...[...faults, ...cross.problems, ...agents.problems].map(place),
    ],
    warnings: cross.warnings.map(place),
  };
}

async function checkFile(path: string | undefined, around: Surroundings): Promise<FileResult> {
  const file = path ?? CONFIG_FILE;
  const text = await readText(file);
  switch (text.kind) {
    case 'missing':
      if (path === undefined) return { ...failed(file, []), file: undefined };
      return failed(file, [fileProblem(file, 'does not exist', 'check the name')]);
    case 'problem':
      return failed(file, [fileProblem(file, text.message, text.mend)]);
    case 'text': {
      const result = await checkText(file, text.text, around);
      if (!text.writableByAll) return result;
      const warning = fileProblem(file, 'can be written by anyone', `chmod o-w ${file}`);
      return { ...result, warnings: [warning, ...result.warnings] };
    }
  }
}

function listenOf(text: string | false | undefined, otherwise: Config['listen']): Config['listen'] {
  if (text === undefined) return otherwise;
  if (text === false || text === 'off') return undefined;
  const read = readListen(text);
  return 'message' in read ? otherwise : (read satisfies Listen);
}

function collectorsOf(raw: RawConfig): Config['collectors'] {
  return Object.fromEntries(
    Object.entries(raw.collectors ?? {}).map(([name, change]) => {
      if (typeof change !== 'object')
        return [name, { enabled: change === true || change === 'on' }];
      const everyMs = change.every === undefined ? undefined : durationMs(change.every);
      return [name, { enabled: true, ...(everyMs === undefined ? {} : { everyMs }) }];
    }),
  );
}

function targetOf(raw: RawReach): ReachTarget {
  return { ...raw, rank: raw.rank ?? REACH_RANK };
}

/** The flags' words take the place of the file's. */
function overridden(raw: RawConfig, flags: ConfigFlags): RawConfig {
  const words = {
    listen: flags.listen ?? raw.listen,
    state: flags.state ?? raw.state,
    run: flags.run ?? raw.run,
  };
  const given = Object.entries(words).filter(([, word]) => word !== undefined);
  return { ...raw, ...Object.fromEntries(given) };
}

function build(found: FileResult, flags: ConfigFlags, around: Surroundings): Config {
  const { raw, metas } = found;
  const base = defaultConfig(around);
  const { judgement, roots } = base;
  const merged = overridden(raw, flags);
  return {
    node: merged.node ?? base.node,
    listen: listenOf(merged.listen, base.listen),
    roots: {
      proc: resolve(flags.procfs ?? raw.roots?.procfs ?? roots.proc),
      sys: resolve(flags.sysfs ?? raw.roots?.sysfs ?? roots.sys),
      dev: resolve(flags.devfs ?? raw.roots?.devfs ?? roots.dev),
      run: resolve(flags.runfs ?? raw.roots?.runfs ?? roots.run),
    },
    stateDir: resolve(merged.state ?? base.stateDir),
    runDir: resolve(merged.run ?? base.runDir),
    collectors: collectorsOf(raw),
    reach: (raw.reach ?? []).map(targetOf),
    switches: Object.entries(raw.switches ?? {}).map(switchOf),
    nodes: Object.entries(raw.nodes ?? {}).map(nodeOf),
    judgement: {
      groups: raw.groups ?? judgement.groups,
      needs: raw.needs ?? judgement.needs,
      limits: raw.limits ?? judgement.limits,
      dependencies: raw.dependencies ?? judgement.dependencies,
      flaps:
        raw.flaps?.map(({ component, changes, within }) => ({
          component,
          changes,
          withinMs: durationMs(within) ?? 0,
        })) ?? judgement.flaps,
      ignore: raw.ignore ?? judgement.ignore,
      rules: judgement.rules,
      services: raw.services === undefined ? judgement.services : servicesOf(raw.services, metas),
      // Written under the hierarchies of a cluster; a node alone has none.
      utilities: judgement.utilities,
    },
    seriesMax: raw.series?.max ?? base.seriesMax,
  };
}

function flagProblems(flags: ConfigFlags): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(flags) as [string, string | undefined][]) {
    if (value === undefined) continue;
    if (value === '' || value.includes('\0')) {
      problems.push(fileProblem(`--${name}`, 'is empty', 'give it a value'));
    } else if (name === 'listen' && value !== 'off') {
      const read = readListen(value);
      if ('message' in read) problems.push(fileProblem('--listen', read.message, read.mend));
    }
  }
  return problems;
}

/** A unix socket's name has a short limit; bind(2) would only say EINVAL. */
function socketProblems(config: Config, flags: ConfigFlags, found: FileResult): readonly Problem[] {
  const bytes = Buffer.byteLength(join(config.runDir, SOCKET_NAME));
  if (bytes <= SOCKET_PATH_BYTES_MAX) return [];
  const message = `${SOCKET_NAME} in this folder has ${bytes} bytes, a socket's name at most ${SOCKET_PATH_BYTES_MAX}`;
  const mend = 'name a shorter folder';
  if (flags.run !== undefined) return [fileProblem('--run', message, mend)];
  if (found.file === undefined || found.raw.run === undefined) {
    return [fileProblem(config.runDir, message, 'name a shorter folder with --run')];
  }
  return [{ file: found.file, ...found.place(['run']), path: 'run', message, mend }];
}

/** The rules in force. A folder of one's own lies beside the configuration unless it is named. */
async function rulesOf(
  found: FileResult,
): Promise<{ readonly rules: readonly Rule[]; readonly problems: readonly Problem[] }> {
  const { loadRules } = await import('../ruleset.ts');
  const file = found.file ?? CONFIG_FILE;
  const loaded = await loadRules(found.raw.rules ?? {}, join(dirname(resolve(file)), 'rules'));
  const overrides = loaded.overrideProblems.map(({ name, message, mend }): Problem => {
    const path = ['rules', 'overrides', name];
    return { file, ...found.place(path), path: pathText(path), message, mend };
  });
  return { rules: loaded.rules, problems: [...overrides, ...loaded.problems] };
}

/**
 * The configuration of a file and flags. Without a path it is `/etc/nospof/nospof.yaml`, or the
 * defaults where that does not exist. Every problem is a value; only a broken installation throws.
 */
export async function loadConfig(
  path: string | undefined,
  flags: ConfigFlags,
  around: Surroundings,
): Promise<Loaded> {
  const found = await checkFile(path, around);
  const problems = [...flagProblems(flags), ...inOrder(found.problems)];
  if (problems.length > 0) return { ok: false, problems };
  const config = build(found, flags, around);
  const late = socketProblems(config, flags, found);
  if (late.length > 0) return { ok: false, problems: late };
  const loaded = around.rules === true ? await rulesOf(found) : { rules: [], problems: [] };
  if (loaded.problems.length > 0) return { ok: false, problems: loaded.problems };
  const judgement = { ...config.judgement, rules: loaded.rules };
  const warnings = inOrder(found.warnings);
  return { ok: true, config: { ...config, judgement }, file: found.file, warnings };
}
