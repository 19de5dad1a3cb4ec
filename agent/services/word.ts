/** Turns an operator's order about a service into a word for the core, or says why it makes no sense. */
import type { OperatorWord } from '../../rules/decision.ts';
import { nearest } from '../../rules/near.ts';
import type { Service } from '../../rules/service.ts';
import type { World } from '../../rules/world.ts';
import type { ApiCommand } from '../api/messages.ts';

type ServiceCommand = Extract<ApiCommand, { verb: 'service' }>;

/** Only who may open the agent's socket (its own user) gets here. */
const BY = 'operator';

interface Said {
  readonly word: OperatorWord;
  readonly answer: string;
}

function wantWord({ spec, latch }: Service, wanted: 'running' | 'stopped'): Said {
  const { id, name } = spec;
  if (spec.wanted === 'observed') throw new Error(`${name} is only observed: see 'wanted'`);
  if (wanted === 'running' && latch !== undefined) {
    throw new Error(
      `${name} is latched (${latch.why}): mend it, then nospof service clear ${name}`,
    );
  }
  return {
    word: { kind: 'want', service: id, wanted, by: BY },
    answer: `${name} is to be ${wanted}`,
  };
}

function restartWord(service: Service): Said {
  const { spec, latch, wanted } = service;
  if (latch !== undefined) return wantWord(service, 'running');
  if (wanted !== 'running') throw new Error(`${spec.name} is wanted ${wanted}, not running`);
  return {
    word: { kind: 'restart', service: spec.id, by: BY },
    answer: `${spec.name} is to be started anew`,
  };
}

function clearWord({ spec, latch, ends }: Service): Said {
  if (latch === undefined && ends.length === 0)
    throw new Error(`${spec.name} has nothing to clear`);
  return {
    word: { kind: 'clear', service: spec.id, by: BY },
    answer: latch === undefined ? `${spec.name} is cleared` : `${spec.name} is no longer latched`,
  };
}

export function serviceWord(world: World, { deed, service: text }: ServiceCommand): Said {
  const name = text.replace(/^service\//u, '');
  const service = world.services.find(({ spec }) => spec.name === name);
  if (service === undefined) {
    const names = world.services.map(({ spec }) => spec.name);
    const near = nearest(name, names);
    const hint = near === undefined ? '' : ` (did you mean '${near}'?)`;
    throw new Error(`no service '${name.slice(0, 80)}'${hint}`);
  }
  switch (deed) {
    case 'start':
      return wantWord(service, 'running');
    case 'stop':
      return wantWord(service, 'stopped');
    case 'restart':
      return restartWord(service);
    case 'clear':
      return clearWord(service);
  }
}
