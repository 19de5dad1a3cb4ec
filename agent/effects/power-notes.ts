/**
 * What was written into sysfs, noted before it is written, so that a killed agent finds what it left and
 * can take it back. The note lies in the run folder: like the settings themselves it does not outlive a
 * reboot, and it is memory, so that nothing waits for a disk to shed power.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionId } from '../../rules/decision.ts';

export const NOTES_FILE = 'shed-power.json';

/** Path below sysfs to `BEFORE -> WRITTEN`: in this form people read it too. */
export type Changes = Readonly<Record<string, string>>;

export interface Notes {
  readonly all: () => ReadonlyMap<ActionId, Changes>;
  readonly put: (action: ActionId, changes: Changes) => void;
  readonly drop: (action: ActionId) => void;
}

const ARROW = ' -> ';

export function changeText(before: string, written: string): string {
  return `${before}${ARROW}${written}`;
}

/** Undefined for what was not written by `changeText`. */
export function changeOf(text: string): { before: string; written: string } | undefined {
  const at = text.indexOf(ARROW);
  if (at < 0) return undefined;
  return { before: text.slice(0, at), written: text.slice(at + ARROW.length) };
}

function isChanges(value: unknown): value is Changes {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((text) => typeof text === 'string' && changeOf(text) !== undefined)
  );
}

function load(path: string, onTrouble: (why: string) => void): Map<ActionId, Changes> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return new Map();
  }
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const entries = Object.entries(value).filter((entry): entry is [ActionId, Changes] =>
      isChanges(entry[1]),
    );
    return new Map(entries);
  } catch {
    onTrouble(`${path} cannot be understood: what power was shed before is not known`);
    return new Map();
  }
}

export function openNotes(runDir: string, onTrouble: (why: string) => void): Notes {
  const path = join(runDir, NOTES_FILE);
  const notes = load(path, onTrouble);

  function save(): void {
    try {
      writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries(notes), undefined, 1), {
        mode: 0o600,
      });
      renameSync(`${path}.new`, path);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      onTrouble(`${path} cannot be written (${code ?? message}): a killed agent leaves power shed`);
    }
  }

  return {
    all: () => notes,
    put: (action, changes) => {
      notes.set(action, changes);
      save();
    },
    drop: (action) => {
      if (notes.delete(action)) save();
    },
  };
}
