/** All parts a machine can have, and the verb that a line means. */
import type { NodeSpec } from '../topology.ts';
import { part as ac } from './ac.ts';
import { part as bmc } from './bmc.ts';
import { part as cpufreq } from './cpufreq.ts';
import { part as disks } from './disks.ts';
import { part as fans } from './fans.ts';
import { part as kernel } from './kernel.ts';
import { part as multipath } from './multipath.ts';
import { part as nics } from './nics.ts';
import type { Part, Verb } from './part.ts';
import { part as power } from './power.ts';
import { part as services } from './services.ts';
import { part as system } from './system.ts';
import { part as target } from './target.ts';
import { part as watchdog } from './watchdog.ts';

export const PARTS: readonly Part[] = [
  system,
  power,
  fans,
  ac,
  bmc,
  watchdog,
  cpufreq,
  services,
  disks,
  nics,
  target,
  multipath,
  kernel,
];

export function partsOf(spec: NodeSpec): readonly Part[] {
  return PARTS.filter((part) => part.has(spec));
}

/** The words of a line that stand where the form has capitals; undefined: another verb. */
function match(form: string, words: readonly string[]): readonly string[] | undefined {
  const wanted = form.split(' ');
  if (wanted.length !== words.length) return undefined;
  const args: string[] = [];
  for (const [index, want] of wanted.entries()) {
    const word = words[index] ?? '';
    if (/^[A-Z]+$/u.test(want)) args.push(word);
    else if (want !== word) return undefined;
  }
  return args;
}

export function findVerb(
  spec: NodeSpec,
  line: string,
): { readonly verb: Verb; readonly args: readonly string[] } {
  const words = line.trim().split(/\s+/u);
  const verbs = partsOf(spec).flatMap((part) => part.verbs);
  for (const verb of verbs) {
    const args = match(verb.form, words);
    if (args !== undefined) return { verb, args };
  }
  const near = verbs.map(({ form }) => form).filter((form) => form.split(' ')[0] === words[0]);
  const hint = near.length > 0 ? `; there are: ${near.join(', ')}` : '';
  throw new Error(`no such verb here: ${line}${hint}`);
}

/** Splits `store: node cut` into the node's name and the rest. */
export function addressed(line: string): {
  readonly name: string | undefined;
  readonly rest: string;
} {
  const [, name, rest = line] = /^(\w+):\s+(.*)$/u.exec(line) ?? [];
  return { name, rest };
}
