/**
 * Which files of sysfs draw less power when written, and what to write: what the machine offers, never
 * more than what is in force now. It reads and plans; writing is `power.ts`'s. A knob that could not be
 * turned back afterwards is left alone, and said.
 *
 * Sources: Documentation/admin-guide/pm/cpufreq.rst and intel_pstate.rst (governor, energy preference),
 * Documentation/ABI/testing/sysfs-platform_profile and sysfs-class-platform-profile,
 * Documentation/power/powercap/powercap.rst (RAPL; microwatts).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PowerKnob } from '../../rules/rule.ts';
import { errnoOf } from '../ports/errno.ts';
import { exists, listGlob } from '../ports/glob.ts';

/** Share of a package's long-term power limit that is left while power is shed. */
export const RAPL_SHARE = 0.5;
/** The hardware keeps limits in steps of an eighth of a watt or so: read back, this much off is the same. */
const RAPL_TOLERANCE = 0.01;

/** One file to write. */
export interface Turn {
  readonly knob: PowerKnob;
  /** Below the root of sysfs. */
  readonly path: string;
  readonly before: string;
  readonly wanted: string;
}

export interface Plan {
  readonly turns: readonly Turn[];
  /** Files that are as frugal as they can be already. */
  readonly already: number;
  /** Why a knob or a file of it is left alone. */
  readonly notes: readonly string[];
}

type Choice =
  | { readonly kind: 'turn'; readonly wanted: string }
  | { readonly kind: 'already' }
  | { readonly kind: 'leave'; readonly why: string };

interface WordKnob {
  readonly glob: string;
  /** The offers, beside it. */
  readonly offers: string;
  /** Most frugal first; only those before the present one are an improvement. */
  readonly order: readonly string[];
  /** Values that could not be restored by writing their name. */
  readonly fixed: readonly string[];
}

const WORD_KNOBS: Readonly<Record<Exclude<PowerKnob, 'rapl-limit'>, readonly WordKnob[]>> = {
  governor: [
    {
      glob: 'devices/system/cpu/cpufreq/policy*/scaling_governor',
      offers: 'scaling_available_governors',
      order: ['powersave', 'conservative', 'ondemand', 'schedutil', 'performance'],
      fixed: ['userspace'],
    },
  ],
  'energy-preference': [
    {
      glob: 'devices/system/cpu/cpufreq/policy*/energy_performance_preference',
      offers: 'energy_performance_available_preferences',
      order: ['power', 'balance_power', 'balance_performance', 'performance'],
      fixed: [],
    },
  ],
  // The first that is there: the old file speaks for all devices of the class.
  'platform-profile': [
    {
      glob: 'class/platform-profile/platform-profile-*/profile',
      offers: 'choices',
      order: ['low-power', 'cool', 'quiet', 'balanced', 'balanced-performance', 'performance'],
      fixed: ['custom'],
    },
    {
      glob: 'firmware/acpi/platform_profile',
      offers: 'platform_profile_choices',
      order: ['low-power', 'cool', 'quiet', 'balanced', 'balanced-performance', 'performance'],
      fixed: ['custom'],
    },
  ],
};

const RAPL_GLOB = 'class/powercap/intel-rapl:*/constraint_*_name';

/** A file's text without its newline; an errno when it cannot be read. */
export async function readWord(path: string): Promise<{ text: string } | { errno: string }> {
  try {
    return { text: (await readFile(path, 'utf8')).trim() };
  } catch (error) {
    return { errno: errnoOf(error) };
  }
}

function choose(now: string, offered: readonly string[], knob: WordKnob): Choice {
  if (knob.fixed.includes(now)) return { kind: 'leave', why: `${now} could not be restored` };
  const rank = knob.order.indexOf(now);
  const better = knob.order.slice(0, rank < 0 ? knob.order.length : rank);
  const wanted = better.find((word) => offered.includes(word));
  if (wanted !== undefined) return { kind: 'turn', wanted };
  return rank < 0
    ? { kind: 'leave', why: `nothing is offered that is known to be below ${now}` }
    : { kind: 'already' };
}

function sibling(path: string, name: string): string {
  return `${path.slice(0, path.lastIndexOf('/'))}/${name}`;
}

async function chooseWord(sys: string, path: string, knob: WordKnob): Promise<Choice & Now> {
  const now = await readWord(join(sys, path));
  if ('errno' in now) return { kind: 'leave', why: `cannot be read (${now.errno})`, before: '' };
  const offers = await readWord(join(sys, sibling(path, knob.offers)));
  if ('errno' in offers) {
    return { kind: 'leave', why: `offers nothing (${offers.errno})`, before: now.text };
  }
  return { ...choose(now.text, offers.text.split(/\s+/u), knob), before: now.text };
}

interface Now {
  readonly before: string;
}

function positive(word: { text: string } | { errno: string }): number | undefined {
  const value = 'text' in word ? Number(word.text) : Number.NaN;
  return Number.isInteger(value) && value > 0 ? value : undefined;
}

/** The long-term limit of a package, where it is in force. */
async function chooseLimit(sys: string, path: string): Promise<Choice & Now> {
  const beside = (name: string): Promise<{ text: string } | { errno: string }> =>
    readWord(join(sys, sibling(path, name)));
  const read = await readWord(join(sys, path));
  const now = positive(read);
  if (now === undefined) {
    const why = 'errno' in read ? `cannot be read (${read.errno})` : 'holds no limit';
    return { kind: 'leave', why, before: '' };
  }
  const before = String(now);
  const enabled = await beside('enabled');
  if (!('text' in enabled) || enabled.text !== '1') {
    return { kind: 'leave', why: 'is not in force (enabled is not 1)', before };
  }
  const file = path.slice(path.lastIndexOf('/') + 1);
  const most = positive(await beside(file.replace('_power_limit_uw', '_max_power_uw')));
  const wanted = Math.floor(Math.min(now, most ?? now) * RAPL_SHARE);
  return { kind: 'turn', wanted: String(wanted), before };
}

/** Long-term limits of whole packages; those of cores and memory are parts of them. */
async function limitPaths(sys: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const path of listGlob(sys, RAPL_GLOB).paths) {
    const zone = await readWord(join(sys, sibling(path, 'name')));
    const name = await readWord(join(sys, path));
    const isPackage = 'text' in zone && zone.text.startsWith('package');
    if (isPackage && 'text' in name && name.text === 'long_term') {
      paths.push(path.replace(/_name$/u, '_power_limit_uw'));
    }
  }
  return paths;
}

/** The files of a knob with what each should become. */
async function* choices(
  sys: string,
  knob: PowerKnob,
): AsyncGenerator<readonly [path: string, choice: Choice & Now]> {
  if (knob === 'rapl-limit') {
    for (const path of await limitPaths(sys)) yield [path, await chooseLimit(sys, path)];
    return;
  }
  for (const word of WORD_KNOBS[knob]) {
    const paths = listGlob(sys, word.glob).paths.filter((path) => exists(join(sys, path)));
    for (const path of paths) yield [path, await chooseWord(sys, path, word)];
    if (paths.length > 0) return;
  }
}

/** Some drivers refuse a preference while the governor is `performance`: it gives way first. */
const ORDER: readonly PowerKnob[] = [
  'governor',
  'energy-preference',
  'platform-profile',
  'rapl-limit',
];

/** What to write for these knobs, in the order in which drivers take it. */
export async function planShed(sys: string, knobs: readonly PowerKnob[]): Promise<Plan> {
  const turns: Turn[] = [];
  const notes: string[] = [];
  let already = 0;
  for (const knob of ORDER.filter((one) => knobs.includes(one))) {
    let files = 0;
    for await (const [path, choice] of choices(sys, knob)) {
      files += 1;
      if (choice.kind === 'already') already += 1;
      else if (choice.kind === 'leave') notes.push(`${path} ${choice.why}`);
      else turns.push({ knob, path, before: choice.before, wanted: choice.wanted });
    }
    if (files === 0) notes.push(`this machine has no ${knob}`);
  }
  return { turns, already, notes };
}

/** Whether what is read back is what was written. */
export function isInForce(turn: Pick<Turn, 'path' | 'wanted'>, text: string): boolean {
  if (text === turn.wanted) return true;
  if (!turn.path.endsWith('_power_limit_uw')) return false;
  const wanted = Number(turn.wanted);
  return Math.abs(Number(text) - wanted) <= RAPL_TOLERANCE * wanted;
}
