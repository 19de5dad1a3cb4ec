/**
 * What is kept of services between two lives of the agent, in the state folder. A file that cannot be read
 * is said and set aside: without it a latched service would be tried anew.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { RememberedService, Service } from '../../rules/service.ts';
import { decodeServices, encodeServices } from '../../rules/services-memory.ts';
import { openStateFile, readText } from '../ports/state-file.ts';

const SERVICES_FILE = 'services.json';
/** A latch that is lost is a service that is tried again: it is written almost at once. */
const WRITE_DELAY_MS = 20;

export interface ServicesFile {
  /** Takes the services as they are now; writes when what is kept of them differs. */
  readonly save: (services: readonly Service[]) => void;
  readonly close: () => Promise<void>;
}

export async function loadServices(
  stateDir: string,
  boot: string,
  onTrouble: (why: string) => void,
): Promise<readonly RememberedService[]> {
  const path = join(stateDir, SERVICES_FILE);
  const read = await readText(path);
  if (read === undefined) return [];
  const kept = 'text' in read ? decodeServices(read.text, boot) : read;
  if ('services' in kept) return kept.services;
  onTrouble(
    `${path} cannot be used: ${kept.why}; kept as ${path}.bad: latched services start anew`,
  );
  await rename(path, `${path}.bad`).catch(() => undefined);
  return [];
}

export function openServicesFile(
  stateDir: string,
  boot: string,
  onTrouble: (why: string) => void,
): ServicesFile {
  const file = openStateFile({
    stateDir,
    name: SERVICES_FILE,
    what: 'what is kept of services',
    lost: 'an agent that starts anew would try latched services again',
    onTrouble,
    delayMs: WRITE_DELAY_MS,
  });
  let seen: readonly Service[] = [];
  return {
    save: (services) => {
      const before = seen;
      seen = services;
      if (services === before || sameMemory(before, services)) return;
      file.save(() => encodeServices(seen, boot));
    },
    close: file.close,
  };
}

/** Nothing differs that is kept: what was merely seen again costs a comparison, not a file. */
function sameMemory(before: readonly Service[], after: readonly Service[]): boolean {
  const same = after.every((one, place) => {
    const old = before[place];
    return (
      old === one ||
      (old !== undefined &&
        old.spec === one.spec &&
        old.wanted === one.wanted &&
        old.latch === one.latch &&
        old.restarts === one.restarts &&
        old.attempt === one.attempt &&
        old.dueAt === one.dueAt &&
        old.ends === one.ends &&
        old.lastExit === one.lastExit)
    );
  });
  return same && before.length === after.length;
}
