/**
 * Ties the services to a running agent: what was kept is told first, then the drivers are opened, then
 * each step's orders are carried out. Nothing happens before the agent knows that it is the only one.
 */
import { join } from 'node:path';
import type { Config } from '../../rules/config.ts';
import type { Action } from '../../rules/decision.ts';
import type { Input, World } from '../../rules/world.ts';
import { bootId } from '../ports/boot.ts';
import { monotonicNow } from '../ports/clock.ts';
import { loadServices, openServicesFile, type ServicesFile } from './memory.ts';
import { openServices, type Services } from './services.ts';

export interface NodeServices {
  /** Begins: only for an agent that knows that it is the only one here. */
  readonly takeUp: () => Promise<void>;
  /** Begins a start, stop or kill, whose outcome is told; false before it is taken up. */
  readonly perform: (action: Action) => boolean;
  /** Follows a new configuration, keeps what is to be kept. */
  readonly onWorld: (world: World) => void;
  readonly close: () => Promise<void>;
}

export interface NodeServicesOptions {
  readonly config: Config;
  readonly tell: (input: Extract<Input, { kind: 'service' | 'outcome' | 'resume' }>) => void;
  readonly onTrouble: (why: string) => void;
}

interface Taken {
  readonly services: Services;
  readonly file: ServicesFile;
}

/** Nothing is done before it is taken up. */
export function nodeServices({ config, tell, onTrouble }: NodeServicesOptions): NodeServices {
  const { stateDir, runDir } = config;
  const busPath = join(config.roots.run, 'dbus/system_bus_socket');
  let configured = config.judgement.services;
  let taken: Taken | undefined;
  return {
    takeUp: async () => {
      const boot = bootId();
      const kept = await loadServices(stateDir, boot, onTrouble);
      if (kept.length > 0) tell({ kind: 'resume', at: monotonicNow(), services: kept });
      const file = openServicesFile(stateDir, boot, onTrouble);
      const services = openServices({ runDir, busPath, services: configured, tell, onTrouble });
      taken = { services, file };
    },
    perform: (action) => taken?.services.perform(action) ?? false,
    onWorld: (world) => {
      if (taken === undefined) return;
      if (world.judgement.services !== configured) {
        configured = world.judgement.services;
        taken.services.reload(configured);
      }
      taken.file.save(world.services);
    },
    close: async () => {
      await taken?.services.close();
      await taken?.file.close();
    },
  };
}
