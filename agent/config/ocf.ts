/**
 * Resource agents named in the configuration, asked for what they know: an agent that is not there, a
 * parameter it does not have and one it requires are mistakes of the file, found before anything runs.
 */

import { nearest } from '../../rules/near.ts';
import { type AgentMeta, readMeta } from '../services/ocf/metadata.ts';
import { findAgent, OCF_ROOT } from '../services/ocf/place.ts';
import { shown } from './problems.ts';
import type { Finding } from './schema.ts';
import type { RawService } from './services.ts';

export interface AgentsReviewed {
  readonly metas: ReadonlyMap<string, AgentMeta>;
  readonly problems: readonly Finding[];
}

function reviewParameters(index: number, raw: RawService, meta: AgentMeta): readonly Finding[] {
  const given = raw.parameters ?? {};
  const known = meta.parameters.map(({ name }) => name);
  const findings: Finding[] = [];
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const mend = near === undefined ? `known: ${known.join(', ')}` : `did you mean '${near}'?`;
    const message = `${raw.ocf} has no parameter ${shown(name)}`;
    findings.push({ path: ['services', index, 'parameters', name], of: 'key', message, mend });
  }
  for (const { name, required } of meta.parameters) {
    if (!required || given[name] !== undefined) continue;
    const message = `${raw.ocf} requires the parameter ${shown(name)}`;
    const mend = `add parameters: {${name}: '...'}`;
    findings.push({ path: ['services', index], of: 'value', message, mend });
  }
  return findings;
}

/** Each agent is asked once, however many services use it. */
export async function reviewAgents(
  services: readonly (readonly [number, RawService])[],
  root: string = OCF_ROOT,
): Promise<AgentsReviewed> {
  const metas = new Map<string, AgentMeta>();
  const asked = new Map<string, Promise<Omit<Finding, 'path' | 'of'> | undefined>>();
  const ask = async (agent: string): Promise<Omit<Finding, 'path' | 'of'> | undefined> => {
    const found = findAgent(agent, root);
    if (!found.ok) return found;
    const read = await readMeta(found.place, root);
    if (!read.ok) return { message: `${found.place.path} ${read.why}`, mend: 'try it by hand' };
    metas.set(agent, read.meta);
    return undefined;
  };
  const problems: Finding[] = [];
  for (const [index, raw] of services) {
    const { ocf } = raw;
    if (ocf === undefined) continue;
    const answer = asked.get(ocf) ?? ask(ocf);
    asked.set(ocf, answer);
    const wrong = await answer;
    const meta = metas.get(ocf);
    if (wrong !== undefined) {
      problems.push({
        path: ['services', index, 'ocf'],
        of: 'value',
        message: wrong.message,
        mend: wrong.mend,
      });
    } else if (meta !== undefined) problems.push(...reviewParameters(index, raw, meta));
  }
  return { metas, problems };
}
