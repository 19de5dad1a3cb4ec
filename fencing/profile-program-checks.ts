/** What may not be in the profile of a device that is asked by a program, beyond what the schema says. */
import type { ProgramCall, ProgramProfile } from './profile.ts';
import { reviewValues, type Say } from './profile-findings.ts';

const CALLS = ['every', 'read', 'off', 'on'] as const;

function sameCall(one: ProgramCall, other: ProgramCall): boolean {
  return (
    JSON.stringify([one.argv ?? [], one.input ?? []]) ===
    JSON.stringify([other.argv ?? [], other.input ?? []])
  );
}

function names(call: ProgramCall | undefined): boolean {
  return [...(call?.argv ?? []), ...(call?.input ?? [])].some((text) => text.includes('{outlet}'));
}

export function reviewProgram(say: Say, device: ProgramProfile): void {
  for (const key of CALLS) {
    for (const [at, word] of (device[key]?.argv ?? []).entries()) {
      if (!word.includes('{password}')) continue;
      say(
        ['program', key, 'argv', at],
        'a password in the arguments is seen by every user',
        'put it into input, or write {passwordFile}',
      );
    }
  }
  if (sameCall(device.off, device.read))
    say(['program', 'off'], 'is the same as a look', 'write what switches off');
  if (sameCall(device.off, device.on))
    say(['program', 'on'], 'is the same as off', 'write what switches on');
  const named = (key: 'read' | 'off' | 'on'): boolean => names(device.every) || names(device[key]);
  if (device.onlyOutlet === undefined && !(named('read') && named('off') && named('on'))) {
    say(
      ['program'],
      'does not name the outlet',
      "write {outlet} where it belongs, or onlyOutlet: '1'",
    );
  }
  reviewValues(say, ['program', 'values'], device.values);
  if (device.confirms !== undefined) {
    reviewValues(say, ['program', 'confirms'], device.confirms);
  }
}
