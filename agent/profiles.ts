/**
 * The switch profiles there are: the shipped ones, and the user's own beside the configuration. A
 * profile with a fault is refused with the place and the mend, and takes no other with it.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Profile, profileOf, type RawProfile } from '../fencing/profile.ts';
import { checkProfile } from '../fencing/profile-checks.ts';
import { readDocument } from './config/document.ts';
import { fileProblem, inOrder, type Problem, pathText } from './config/problems.ts';
import { type Finding, type Schema, schemaCheck } from './config/schema.ts';
import { type DataUnit, loadUnits, shippedFolder } from './load.ts';

export const PROFILE_SCHEMA_FILE: URL = new URL(
  '../../schema/switch-profile.schema.json',
  import.meta.url,
);

export interface Profiles {
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly problems: readonly Problem[];
}

type Check = (value: unknown) => readonly Finding[];

/** Own profiles stand in this folder beside nospof.yaml. */
export function userProfiles(configFile: string): string {
  return join(dirname(configFile), 'profiles');
}

function readProfile(
  unit: DataUnit,
  check: Check,
): { profile?: Profile; problems: readonly Problem[] } {
  const document = readDocument(unit.file, unit.text);
  if (!document.ok) return { problems: document.problems };
  const { value, place } = document.reading;
  const faults = check(value ?? {});
  const raw = value as RawProfile;
  const findings = faults.length > 0 ? faults : checkProfile(unit.name, raw);
  const problems = [
    ...document.problems,
    ...findings.map(({ path, of, message, mend }): Problem => {
      const shown = of === 'key' ? path.slice(0, -1) : path;
      return { file: unit.file, ...place(path, of), path: pathText(shown), message, mend };
    }),
  ];
  const profile = problems.length === 0 ? profileOf(unit.name, raw) : undefined;
  return { ...(profile === undefined ? {} : { profile }), problems: inOrder(problems) };
}

let compiled: Check | undefined;

/** Making the check takes a third of a second: once. */
async function profileCheck(): Promise<Check> {
  compiled ??= schemaCheck(JSON.parse(await readFile(PROFILE_SCHEMA_FILE, 'utf8')) as Schema);
  return compiled;
}

/** One profile from its text, with everything that is wrong with it. */
export async function profileFrom(
  unit: DataUnit,
): Promise<{ profile?: Profile; problems: readonly Problem[] }> {
  return readProfile(unit, await profileCheck());
}

/** All profiles; `folder` holds the user's own. */
export async function loadProfiles(folder?: string): Promise<Profiles> {
  const check = await profileCheck();
  const shipped = await loadUnits(shippedFolder('fencing/profiles'));
  const own = folder === undefined ? { units: [], bad: [] } : await loadUnits(folder);
  const profiles = new Map<string, Profile>();
  const problems = [...shipped.bad, ...own.bad].map(({ file, message, mend }) =>
    fileProblem(file, message, mend),
  );
  for (const unit of [...shipped.units, ...own.units]) {
    if (profiles.has(unit.name)) {
      const mend = 'give yours another name: an outlet map must not change with an update';
      problems.push(fileProblem(unit.file, `a profile '${unit.name}' is shipped`, mend));
      continue;
    }
    const read = readProfile(unit, check);
    problems.push(...read.problems);
    if (read.profile !== undefined) profiles.set(unit.name, read.profile);
  }
  return { profiles, problems };
}
