/**
 * Mistakes in a configuration: for every kind the exact place and words an operator is shown, all of a
 * file together; files that cannot be read; bombs. The cases are in `fixtures/bad-configs.txt`.
 */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Surroundings } from '../agent/config/defaults.ts';
import { loadConfig } from '../agent/config/load.ts';
import { formatProblems } from '../agent/config/problems.ts';

const CASES = new URL('../../test/fixtures/bad-configs.txt', import.meta.url);
const AROUND: Surroundings = {
  hostname: 'db1.example',
  folders: { stateDir: '/var/lib/nospof', runDir: '/run/nospof' },
  collectors: ['fans', 'gateways', 'links', 'sensors'],
};

/** Problems as printed, with the name of the file taken out. */
async function problems(t: Test, text: string): Promise<readonly string[]> {
  const file = join(t.testdir({}), 'n.yaml');
  writeFileSync(file, text);
  const loaded = await loadConfig(file, {}, AROUND);
  if (loaded.ok) return [];
  return formatProblems(loaded.problems)
    .split('\n')
    .map((line) => line.replace(`${file}:`, '').trimStart());
}

interface Case {
  readonly name: string;
  readonly text: string;
  readonly expected: readonly string[];
}

function readCases(): readonly Case[] {
  const [, ...parts] = readFileSync(CASES, 'utf8').split(/^## /mu);
  return parts.map((part) => {
    const [name = '', ...lines] = part.trimEnd().split('\n');
    const end = lines.findIndex((line) => line.startsWith('=> '));
    const text = lines.slice(0, end).map((line) => `${line}\n`);
    return { name, text: text.join(''), expected: lines.slice(end).map((line) => line.slice(3)) };
  });
}

t.test('bad files', async (t) => {
  const cases = readCases();
  t.ok(cases.length >= 50, `${cases.length} cases`);
  for (const { name, text, expected } of cases) {
    t.strictSame(await problems(t, text), expected, name);
  }
});

t.test('all problems at once, in the order of the file', async (t) => {
  const together = [
    'series: {max: 1}',
    'listn: off',
    'node: 12',
    'node: a b',
    'collectors: {fan: off}',
    "groups: [{name: a, kind: links, members: ['link/eth*'], needs: 1}, {name: a, kind: links, members: [link/x], needs: 9}]",
  ].join('\n');
  const places = (await problems(t, together)).map((line) => line.split(': ', 1)[0]);
  t.strictSame(places, ['1:15', '2:1', '4:1', '4:7', '5:14', '6:75', '6:117']);
  const many = `ignore:\n${'- a\n'.repeat(300)}`;
  const shown = await problems(t, many);
  t.equal(shown.length, 101);
  t.equal(shown.at(-1), 'and 200 more problems');
});

t.test('bombs are refused, not run', async (t) => {
  const size = 300_000;
  const levels = [...'bcdefghi'].map(
    (name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`,
  );
  const bombs: readonly (readonly [string, RegExp])[] = [
    ['['.repeat(size), /1:64: is nested deeper than 64 levels/u],
    ['{a: '.repeat(size / 4), /nested deeper/u],
    ['- '.repeat(size / 2), /nested deeper/u],
    ['? '.repeat(size / 2), /nested deeper/u],
    ['k: a\n'.repeat(60_000), /has more than 200000 parts/u],
    [Array.from({ length: 2000 }, (_, index) => `k${index}: 1`).join('\n'), /more than 1000 keys/u],
    [`a: &a [x, x, x, x, x, x, x, x, x]\n${levels.join('\n')}`, /2:8: too many aliases/u],
  ];
  for (const [text, expected] of bombs) {
    const shown = await problems(t, text);
    t.match(shown.join('\n'), expected, text.slice(0, 20));
  }
});

t.test('files that cannot be read', async (t) => {
  const folder = t.testdir({ file: 'node: a\n' });
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('latin1'), Buffer.from([0x6e, 0x6f, 0x64, 0x65, 0x3a, 0x20, 0xe4]));
  writeFileSync(at('large'), '#'.repeat(1024 * 1024 + 1));
  writeFileSync(at('largest'), '#'.repeat(1024 * 1024));
  symlinkSync(at('circle'), at('circle'));
  const cases: readonly (readonly [string, string])[] = [
    [at('none'), 'does not exist (check the name)'],
    [at('file/x'), 'does not exist (a part of its path is a file, not a folder)'],
    [folder, 'is a folder (name the file in it)'],
    [at('latin1'), 'is not UTF-8 text (save it as UTF-8)'],
    [at('large'), 'is larger than 1 MiB (check what wrote it)'],
    [at('circle'), 'is a circle of links (mend the links)'],
    ['/dev/zero', 'is not a file (name a regular file)'],
    ['/proc/self/mem', 'cannot be read: EIO (check the disk)'],
  ];
  for (const [file, expected] of cases) {
    const loaded = await loadConfig(file, {}, AROUND);
    t.equal(loaded.ok ? '' : formatProblems(loaded.problems), `${file}: ${expected}`);
  }
  t.ok((await loadConfig(at('largest'), {}, AROUND)).ok, 'exactly the cap is read');
});
