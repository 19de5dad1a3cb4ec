/**
 * Prints the table of docs/switch-faults.md: every profile against its fake with every fault, in made
 * time. `node dist/test/fencing/table.js > docs/switch-faults.md`; ends with 1 if a fault gave a false
 * "off" that the device itself contradicts.
 */
import { loadProfiles } from '../../agent/profiles.ts';
import { FAULT_NAMES, FAULTS, type Fault } from '../../fencing/fake.ts';
import { fakeOutlets } from '../../fencing/fake-snmp.ts';
import type { Profile } from '../../fencing/profile.ts';
import { play, refOf } from './drive.ts';

function firstOutlet({ device }: Profile): string {
  if (device.kind === 'snmp') return fakeOutlets(device, 1)[0] ?? '';
  if (device.kind === 'program') return '';
  const { first = 1, letters } = device.outlets;
  return letters === undefined ? String(first) : `${'A'.repeat(letters)}1`;
}

interface Cell {
  readonly text: string;
  readonly falseOff: boolean;
}

function tried(profile: Profile, fault: Fault): Cell {
  const id = firstOutlet(profile);
  const played = play(
    profile,
    { want: 'off', outlets: [{ id: refOf(profile, id), name: `outlet-${id}` }] },
    { faults: [fault] },
  );
  const plain = play(
    profile,
    { want: 'off', outlets: [{ id: refOf(profile, id) }] },
    { faults: [fault] },
  );
  const run = fault === 'renamed' ? played : plain;
  const state = run.reply.outlets[0]?.state ?? 'unknown';
  const falseOff = state === 'off' && run.flows(id);
  // Where an outlet has no number that lasts, the name is the outlet: the one that bears it is off.
  const byName = falseOff && fault === 'renamed' && refOf(profile, id) !== id;
  if (byName) return { text: 'off (its bearer)', falseOff: false };
  return { text: falseOff ? 'off (false)' : state, falseOff };
}

function carried({ device }: Profile): string {
  if (device.kind === 'program') return device.program;
  return device.kind === 'snmp' ? `SNMP ${device.versions.join(', ')}` : device.over.join(', ');
}

const { profiles } = await loadProfiles();
const list = [...profiles.values()].filter(
  ({ device }) => device.kind === 'snmp' || (device.kind === 'line' && device.fake !== undefined),
);
const lines = [
  '# Switches and faults',
  '',
  '<!-- Written by test/fencing/table.ts: node dist/test/fencing/table.js > docs/switch-faults.md -->',
  '',
  'What `off` is answered by a device of each profile with each fault, against its fake (`nospof switch fake`).',
  '`off` is right in each cell where it stands: no current flows, which the fake knows. `on` and `unknown` fail a fence.',
  '**off (false)**: everything the device says is a lie. Only a device that measures its relay apart can show that; otherwise',
  'the plan does, when the node gives a sign of life after it was "off".',
  '',
  '| fault | the device ... |',
  '|---|---|',
  ...FAULT_NAMES.map((fault) => `| ${fault} | ${FAULTS[fault]} |`),
  '',
  `| profile | over | ${FAULT_NAMES.join(' | ')} |`,
  `|---|---|${FAULT_NAMES.map(() => '---|').join('')}`,
];
let wrong = 0;
for (const profile of list) {
  const cells = FAULT_NAMES.map((fault) => [fault, tried(profile, fault)] as const);
  wrong += cells.filter(
    ([fault, cell]) => cell.falseOff && fault !== 'lies' && fault !== 'welded',
  ).length;
  lines.push(
    `| ${profile.name} | ${carried(profile)} | ${cells.map(([, { text }]) => text).join(' | ')} |`,
  );
}
process.stdout.write(`${lines.join('\n')}\n`);
process.exitCode = wrong === 0 ? 0 : 1;
