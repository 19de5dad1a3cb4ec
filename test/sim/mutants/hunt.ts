/**
 * Plants each bug in a copy of the build, lets general seeds run against it, and tells which invariant saw
 * it, after how many seeds. A bug that no seed finds, or that another invariant finds first, is a failure.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTANTS, type Mutant } from './list.ts';

const BUILD = fileURLToPath(new URL('../../../', import.meta.url));
const ROOT = join(BUILD, '..');

export interface Found {
  readonly mutant: Mutant;
  readonly invariant: string;
  readonly seeds: number;
}

function copyOf(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-mutants-'));
  for (const part of ['agent/cluster', 'rules', 'fencing', 'test/sim', 'test/fakes/disk']) {
    cpSync(join(BUILD, part), join(folder, 'dist', part), { recursive: true });
  }
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** The file with the bug in it; a bug that fits nowhere, or in two places, is no bug. */
function planted(text: string, { name, edits }: Mutant): string {
  let next = text;
  for (const [find, put] of edits) {
    const parts = next.split(find);
    if (parts.length !== 2) {
      throw new Error(`mutant "${name}": ${parts.length - 1} places for ${JSON.stringify(find)}`);
    }
    next = parts.join(put);
  }
  return next;
}

function hunt(folder: string, mutant: Mutant, seedsMax: number, base: string): Found {
  const path = join(folder, 'dist', mutant.file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, planted(text, mutant));
  const args = [join(folder, 'dist/test/sim/main.js'), '--until-red', String(seedsMax)];
  const { stdout, stderr } = spawnSync(process.execPath, [...args, '--seed', base], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  writeFileSync(path, text);
  const [, invariant = stderr.slice(0, 300) || 'nothing', seeds = '0'] =
    /^red (\S+) after (\d+)/mu.exec(stdout) ?? [];
  return { mutant, invariant, seeds: Number(seeds) };
}

/** Runs the hunt over a part of the list and prints its table; gives how many were not caught. */
export function huntAll(seedsMax: number, base: string, only: (at: number) => boolean): number {
  const folder = copyOf();
  let missed = 0;
  let caught = 0;
  try {
    for (const [at, mutant] of MUTANTS.entries()) {
      if (!only(at)) continue;
      const { invariant, seeds } = hunt(folder, mutant, seedsMax, base);
      const right = mutant.by.includes(invariant);
      if (right) caught += 1;
      else missed += 1;
      const told = `${right ? 'caught' : 'MISSED'} | ${mutant.name} | ${invariant} | ${seeds}`;
      console.log(right ? told : `${told} | wanted ${mutant.by.join(' ')}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${caught} passed, ${missed} failed`);
  return missed;
}
