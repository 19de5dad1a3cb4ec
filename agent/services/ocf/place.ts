/** Where resource agents are, by the names Pacemaker gives them: `ocf:PROVIDER:TYPE`. */
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nearest } from '../../../rules/near.ts';

export const OCF_ROOT = '/usr/lib/ocf';

export interface AgentPlace {
  readonly provider: string;
  readonly type: string;
  readonly path: string;
}

export type PlaceFound =
  | { readonly ok: true; readonly place: AgentPlace }
  | { readonly ok: false; readonly message: string; readonly mend: string };

const NAME = /^ocf:([A-Za-z0-9][A-Za-z0-9._-]*):([A-Za-z0-9][A-Za-z0-9._-]*)$/u;
const OTHERS_WRITE = 0o022;

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
}

/** What an agent runs has the rights of root: nobody else may have put it there. */
function safe(path: string): boolean {
  const { uid, mode } = statSync(path);
  const own = process.geteuid?.() ?? 0;
  return (uid === 0 || uid === own) && (mode & OTHERS_WRITE) === 0;
}

/** The agent's file, or what is wrong and the nearest name there is. */
export function findAgent(agent: string, root: string): PlaceFound {
  const [, provider = '', type = ''] = NAME.exec(agent) ?? [];
  const base = join(root, 'resource.d');
  const providers = namesIn(base);
  if (!providers.includes(provider)) {
    if (providers.length === 0) {
      const message = `no resource agents are installed below ${root}`;
      return { ok: false, message, mend: 'install the package resource-agents' };
    }
    const near = nearest(provider, providers);
    const mend = near === undefined ? `known: ${providers.join(', ')}` : `did you mean '${near}'?`;
    return { ok: false, message: `no provider '${provider}' of resource agents`, mend };
  }
  const folder = join(base, provider);
  const types = namesIn(folder);
  if (!types.includes(type)) {
    const near = nearest(type, types);
    const hint = near === undefined ? `ls ${folder}` : `did you mean 'ocf:${provider}:${near}'?`;
    return { ok: false, message: `no resource agent '${agent}'`, mend: hint };
  }
  const path = join(folder, type);
  try {
    accessSync(path, constants.X_OK);
    if (!statSync(path).isFile()) throw new Error('no file');
  } catch {
    return { ok: false, message: `${path} cannot be run`, mend: 'check its mode' };
  }
  if (safe(path)) return { ok: true, place: { provider, type, path } };
  return {
    ok: false,
    message: `${path} belongs to or can be written by others than root`,
    mend: 'check who put it there',
  };
}
