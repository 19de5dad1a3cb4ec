/**
 * Planted bugs: each is one change in the built code of the interpreters and the plan, and each must be
 * caught by the test that is named beside it. A bug that no test sees would be found by a customer.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const HANG_MS = 90_000;
const JOBS = 2;

interface Mutant {
  readonly bug: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** File under test/fencing, and the name of a test in it that must fail. */
  readonly caughtBy: readonly [file: string, test: string];
}

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'what is not on is off',
    file: 'fencing/snmp-table.js',
    from: "if (word === undefined)\n        return { word: 'unknown'",
    to: "if (word === undefined)\n        return { word: 'off'",
    caughtBy: ['exchange', 'the world is closed'],
  },
  {
    bug: 'a missing instance is off',
    file: 'fencing/snmp-table.js',
    from: "if (text === undefined)\n        return { word: 'unknown'",
    to: "if (text === undefined)\n        return { word: 'off'",
    caughtBy: ['exchange', 'the world is closed'],
  },
  {
    bug: 'a pending command does not matter',
    file: 'fencing/snmp-table.js',
    from: "return as === 'pending' && word !== 'unknown' ? 'moving' : 'unknown';",
    to: "return as === 'pending' ? word : 'unknown';",
    caughtBy: ['exchange', 'every further column must agree'],
  },
  {
    bug: 'bad health does not matter',
    file: 'fencing/snmp-table.js',
    from: "return as === 'pending' && word !== 'unknown' ? 'moving' : 'unknown';",
    to: "return as === 'pending' && word !== 'unknown' ? 'moving' : word;",
    caughtBy: ['exchange', 'every further column must agree'],
  },
  {
    bug: 'the measured state is not compared',
    file: 'fencing/snmp-table.js',
    from: 'if (sensed.word !== word)',
    to: 'if (false)',
    caughtBy: ['exchange', 'every further column must agree'],
  },
  {
    bug: 'another name is no obstacle',
    file: 'fencing/snmp-table.js',
    from: 'if (bind.value.trim() === target.name.trim())',
    to: 'if (true)',
    caughtBy: ['exchange', 'names'],
  },
  {
    bug: 'one outlet of several is enough',
    file: 'fencing/snmp-exchange.js',
    from: 'looks.every(({ judgement }) => judgement.state === want)',
    to: 'looks.some(({ judgement }) => judgement.state === want)',
    caughtBy: ['exchange', 'what was seen before an order is no proof after it'],
  },
  {
    bug: 'an accepted order is proof',
    file: 'fencing/exchange.js',
    from: 'const stale = look !== undefined && orderedAt !== undefined && look.from < orderedAt;',
    to: 'const stale = false;',
    caughtBy: ['exchange', 'what was seen before an order is no proof after it'],
  },
  {
    bug: 'a lost answer ends the order',
    file: 'fencing/snmp-exchange.js',
    from: "case 'lost':\n            return order({ ...exchange, uncertain: true, trouble: event.why }, stage.at + 1, now);",
    to: "case 'lost':\n            return end(exchange, now);",
    caughtBy: ['exchange', 'orders that were lost, refused, or without effect'],
  },
  {
    bug: 'the column of the order is believed at once',
    file: 'fencing/snmp-exchange.js',
    from: 'if (orderedAt === undefined || device.sameColumn !== true)',
    to: 'if (true)',
    caughtBy: ['exchange', 'state in the column of the order is looked at twice'],
  },
  {
    bug: 'unknown firmware is like the known one',
    file: 'fencing/snmp-identity.js',
    from: 'if (line === undefined)\n        return `',
    to: 'if (line === undefined)\n        return device.table; if (line === undefined)\n        return `',
    caughtBy: ['exchange', 'firmware decides which columns are right'],
  },
  {
    bug: 'the first of two outlets of one name is taken',
    file: 'fencing/snmp-names.js',
    from: 'if (second !== undefined)',
    to: 'if (false)',
    caughtBy: ['exchange', 'two outlets of one name'],
  },
  {
    bug: 'forbidden ids are allowed',
    file: 'fencing/outlet.js',
    from: 'if (forbidden(profile, id))',
    to: 'if (false)',
    caughtBy: ['exchange', 'nothing is ordered that must not be'],
  },
  {
    bug: 'numbers out of range are allowed',
    file: 'fencing/outlet.js',
    from: 'if (value < part.first || value > part.last)',
    to: 'if (value < part.first - 1 || value > part.last + 1)',
    caughtBy: ['exchange', 'nothing is ordered that must not be'],
  },
  {
    bug: 'a value may mean two things',
    file: 'fencing/profile-findings.js',
    from: 'if (before !== undefined)',
    to: 'if (false)',
    caughtBy: ['profile-checks', 'mistakes in profiles'],
  },
  {
    bug: 'an order may reach the object of all outlets',
    file: 'fencing/profile-checks.js',
    from: 'if (!same)\n                continue;',
    to: 'continue;',
    caughtBy: ['profile-checks', 'mistakes in profiles'],
  },
  {
    bug: 'a part of a line is a row',
    file: 'fencing/pattern.js',
    from: "const tokens = [...pattern.tokens, { kind: 'end' }];",
    to: 'const tokens = [...pattern.tokens];',
    caughtBy: ['pattern', 'rows'],
  },
  {
    bug: 'half a number is an outlet',
    file: 'fencing/rows.js',
    from: "return left.replace(/^0+(?=[0-9])/u, '') === right.replace(/^0+(?=[0-9])/u, '');",
    to: 'return left.startsWith(right);',
    caughtBy: ['conversation', 'tables'],
  },
  {
    bug: 'two states in one row: the first counts',
    file: 'fencing/rows.js',
    from: 'if (second !== word)',
    to: 'if (false)',
    caughtBy: ['conversation', 'tables'],
  },
  {
    bug: 'a refused login is tried again',
    file: 'fencing/conversation.js',
    from: "if (need.error?.means !== 'refused')",
    to: 'if (true)',
    caughtBy: ['conversation', 'a wrong password is tried once'],
  },
  {
    bug: 'an answer older than the question counts',
    file: 'fencing/script.js',
    from: "return { ...script, echo: '', heard, page: heard };",
    to: "return { ...script, echo: '' };",
    caughtBy: ['conversation', 'what was there before the question is no answer'],
  },
  {
    bug: 'the feeds are not seen at one instant',
    file: 'fencing/fence.js',
    from: "return send({ ...fence, offAt: now }, 'confirming', 'read', feeds, now);",
    to: 'return discharge({ ...fence, offAt: now }, now);',
    caughtBy: ['plan', 'two feeds on two devices'],
  },
  {
    bug: 'the discharge time is not waited for',
    file: 'fencing/fence.js',
    from: "return rest({ ...fence, phase: 'discharging', open: [] }, until);",
    to: 'return sealed(fence, now);',
    caughtBy: ['plan', 'two feeds on two devices'],
  },
  {
    bug: 'on again during the discharge time is not seen',
    file: 'fencing/fence.js',
    from: "return send(fence, 'sealing', 'read', counted(fence), now);",
    to: 'return sealed({ ...fence, seen: new Map(counted(fence).map((f) => [key(f.device, f.outlet.id), { from: now, to: now }])) }, now);',
    caughtBy: ['plan', 'off after on again is seen'],
  },
  {
    bug: 'unknown is as good as off',
    file: 'fencing/fence.js',
    from: "if (one.state !== 'off')",
    to: "if (one.state === 'on')",
    caughtBy: ['plan', 'unknown is not off, and neither is silence'],
  },
  {
    bug: 'a sign of life is ignored',
    file: 'fencing/fence.js',
    from: 'if (node !== fence.plan.node || !contradicts(fence, at))',
    to: 'if (true)',
    caughtBy: ['plan', 'a sign of life'],
  },
  {
    bug: 'a device without proof stands alone',
    file: 'fencing/plan.js',
    from: 'feeds.some((feed) => feed.proves && (',
    to: 'feeds.some((feed) => (',
    caughtBy: ['plan', 'levels that prove nothing'],
  },
  {
    bug: 'the BMC of the node stands alone',
    file: 'fencing/guards.js',
    from: 'return good.some(standsAlone) ? undefined',
    to: 'return true ? undefined',
    caughtBy: ['guards', 'each guard'],
  },
  {
    bug: 'an outlet of another node is cut',
    file: 'fencing/guards.js',
    from: 'return other === undefined ? undefined',
    to: 'return true ? undefined',
    caughtBy: ['guards', 'each guard'],
  },
  {
    bug: 'one fence too many',
    file: 'fencing/guards.js',
    from: 'return own.length < FENCES_MAX ?',
    to: 'return own.length <= FENCES_MAX ?',
    caughtBy: ['guards', 'each guard'],
  },
  {
    bug: 'equal requests are two fences',
    file: 'fencing/fences.js',
    from: 'if (joined !== undefined) {',
    to: 'if (false) {',
    caughtBy: ['guards', 'one fence for each target: equal requests are one'],
  },
];

/** A copy of what the tests of fencing need. */
function copyTo(folder: string): void {
  mkdirSync(join(folder, 'dist'), { recursive: true });
  for (const part of ['agent', 'fencing', 'rules', 'test/fencing']) {
    cpSync(join(ROOT, 'dist', part), join(folder, 'dist', part), { recursive: true });
  }
  mkdirSync(join(folder, 'fencing'));
  cpSync(join(ROOT, 'fencing/profiles'), join(folder, 'fencing/profiles'), { recursive: true });
  cpSync(join(ROOT, 'schema'), join(folder, 'schema'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

function runTest(folder: string, file: string): Promise<string> {
  return new Promise((resolve) => {
    const test = join(folder, `dist/test/fencing/${file}.test.js`);
    const child = spawn(process.execPath, [test], { cwd: folder, timeout: HANG_MS });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.on('close', () => resolve(out));
  });
}

t.setTimeout(0);

t.test('every planted bug is caught', async (t) => {
  t.ok(MUTANTS.length >= 15, `${MUTANTS.length} bugs`);
  const waiting = [...MUTANTS];
  const place = t.testdir({});
  const worker = async (_: unknown, at: number): Promise<void> => {
    const folder = join(place, `${at}`);
    copyTo(folder);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { bug, file, from, to, caughtBy } = next;
      const [test, name] = caughtBy;
      const path = join(folder, 'dist', file);
      const code = readFileSync(path, 'utf8');
      t.equal(code.split(from).length, 2, `${bug}: the place is there, once`);
      writeFileSync(
        path,
        code.replace(from, () => to),
      );
      const out = await runTest(folder, test);
      writeFileSync(path, code);
      t.ok(out.includes(`\nnot ok`) && out.includes(`# Subtest: ${name}`), `${bug}: ${test} fails`);
      const caught = new RegExp(
        `^not ok [0-9]+ - ${name.replace(/[.*+?^$()[\]{}|\\]/gu, '\\$&')}`,
        'mu',
      );
      t.match(out, caught, `${bug} is caught by: ${name}`);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, worker));
});
