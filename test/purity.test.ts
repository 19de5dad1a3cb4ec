/**
 * The law between the folders. What the compiler can refuse it refuses: this test plants violations in
 * a copy and wants it red. What the compiler lets through (Date, Math.random, Promise, async, regular
 * expressions made from input, imports across the table) is looked for in the built files.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PURE = ['rules', 'collectors', 'fencing', 'exporters'] as const;
type Pure = (typeof PURE)[number];

/** What each pure folder may import, as prefixes of paths from the root. */
const IMPORTS: Readonly<Record<Pure, readonly string[]>> = {
  rules: ['rules/'],
  collectors: ['collectors/', 'rules/model.js'],
  fencing: ['fencing/', 'rules/model.js'],
  exporters: ['exporters/', 'rules/model.js'],
};

/** The one package a pure folder uses, in the one file that may: it parses and checks, and is pure itself. */
const PACKAGES: Readonly<Record<string, string>> = { 'rules/cel.js': '@marcbachmann/cel-js' };

const FORBIDDEN: readonly (readonly [string, RegExp])[] = [
  ['the wall clock', /\bDate\b/u],
  ['randomness', /\bMath\s*\.\s*random\b/u],
  ['randomness', /\bcrypto\b/u],
  ['a promise', /\bPromise\b/u],
  ['a promise', /\basync\b|\bawait\b/u],
  ['a regular expression made from input', /\bRegExp\b/u],
  ['a dynamic import', /\bimport\s*\(/u],
  ['the global object', /\bglobalThis\b/u],
  ['code made from text', /\beval\b|\bFunction\s*\(/u],
];

/** The code without comments, strings and regular expressions: words in prose are no violation. */
function bare(code: string): string {
  const literal =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\$]|\\.|\$(?!\{))*`|(?<=[=(,:&|!?;\n]\s*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/gu;
  return code.replace(literal, ' "" ');
}

function importsOf(code: string): readonly string[] {
  return [
    ...code.matchAll(
      /^\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]/gmu,
    ),
  ].map((match) => match[1] ?? match[2] ?? '');
}

/** Everything wrong with one built file of a pure folder. */
function violations(folder: Pure, path: string, code: string): readonly string[] {
  const found = FORBIDDEN.filter(([, pattern]) => pattern.test(bare(code))).map(([what]) => what);
  for (const specifier of importsOf(code)) {
    if (!specifier.startsWith('.')) {
      if (PACKAGES[path] !== specifier) found.push(`package ${specifier}`);
      continue;
    }
    const resolved = new URL(specifier, `file:///${path}`).pathname.slice(1);
    if (!IMPORTS[folder].some((allowed) => resolved.startsWith(allowed)))
      found.push(`import of ${resolved}`);
  }
  return found;
}

function filesBelow(folder: string): readonly string[] {
  if (!existsSync(join(ROOT, 'dist', folder))) return [];
  return readdirSync(join(ROOT, 'dist', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .map((file) => `${folder}/${file}`);
}

t.test('no built file of a pure folder breaks the law', async (t) => {
  for (const folder of PURE) {
    for (const path of filesBelow(folder)) {
      t.same(violations(folder, path, readFileSync(join(ROOT, 'dist', path), 'utf8')), [], path);
    }
  }
});

t.test('the looker sees what it looks for', async (t) => {
  const planted: readonly (readonly [Pure, string, string])[] = [
    ['rules', 'const at = Date.now();', 'the wall clock'],
    ['rules', 'const x = Math.random();', 'randomness'],
    ['rules', 'export async function f() {}', 'a promise'],
    ['rules', 'new Promise(() => {});', 'a promise'],
    ['rules', "new RegExp(input, 'u');", 'a regular expression made from input'],
    ['rules', "import { collector } from '../collectors/fans.js';", 'import of collectors/fans.js'],
    ['rules', "import fs from 'node:fs';", 'package node:fs'],
    ['collectors', "import { openProbe } from '../agent/probe.js';", 'import of agent/probe.js'],
    ['collectors', "import { step } from '../rules/step.js';", 'import of rules/step.js'],
    [
      'rules',
      "import { Environment } from '@marcbachmann/cel-js';",
      'package @marcbachmann/cel-js',
    ],
    ['exporters', "import { Registry } from 'prom-client';", 'package prom-client'],
  ];
  for (const [folder, code, what] of planted) {
    t.same(violations(folder, `${folder}/planted.js`, code), [what], code);
  }
  const named = "import { Environment } from '@marcbachmann/cel-js';";
  t.same(violations('rules', 'rules/cel.js', named), [], 'in the file that may');
  t.same(violations('rules', 'rules/cel.js', "import x from 'yaml';"), ['package yaml']);
  t.same(violations('rules', 'rules/x.js', "const Dateline = 'Date.now() async'; // Promise"), []);
});

/** A copy of what the compiler needs, with one more file in it. */
function compileWith(path: string, code: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'nospof-purity-'));
  try {
    const needed = [...PURE, 'package.json', 'tsconfig.base.json', 'tsconfig.pure.json'];
    for (const folder of PURE) mkdirSync(join(copy, folder));
    for (const part of needed.filter((one) => existsSync(join(ROOT, one)))) {
      cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    }
    cpSync(join(ROOT, 'agent/units.ts'), join(copy, 'agent/units.ts'));
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    writeFileSync(join(copy, path), code);
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const args = [compiler, '-p', 'tsconfig.pure.json', '--noEmit', '--composite', 'false'];
    const run = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' });
    return run.status === 0 ? 'compiles' : run.stdout;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

t.test('the compiler refuses the machine in pure folders', async (t) => {
  t.equal(
    compileWith('rules/planted.ts', 'export const one: number = 1;\n'),
    'compiles',
    'and only that',
  );
  const planted: readonly (readonly [string, string, RegExp])[] = [
    [
      'rules/planted.ts',
      "import { readFileSync } from 'node:fs';\nexport const f: unknown = readFileSync;\n",
      /node:fs/u,
    ],
    ['fencing/planted.ts', 'export const f: unknown = process.env;\n', /process/u],
    ['collectors/planted.ts', 'export const f: unknown = setTimeout;\n', /setTimeout/u],
    ['exporters/planted.ts', 'export const f: unknown = Buffer;\n', /Buffer/u],
    ['rules/planted.ts', 'export const f: unknown = fetch;\n', /fetch/u],
  ];
  for (const [path, code, names] of planted)
    t.match(compileWith(path, code), names, `${path}: ${code}`);
  const reaching =
    "import { loadCollectors } from '../agent/units.ts';\nexport const f: unknown = loadCollectors;\n";
  t.match(
    compileWith('collectors/planted.ts', reaching),
    /agent\/units/u,
    'collectors import agent',
  );
});
