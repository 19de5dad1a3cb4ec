/** The command `capture`: writes what a collector reads on this machine, for a bug report or a fixture. */
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { idPart } from '../../rules/model.ts';
import { nearest } from '../../rules/near.ts';
import { captureCollector, writeCaptures } from '../capture.ts';
import { makeFolder } from '../config/folders.ts';
import { openReadPorts } from '../ports/all.ts';
import { version } from '../version.ts';
import type { ParsedArgs } from './args.ts';
import { complain, print } from './print.ts';
import { setUp } from './setup.ts';

export async function run(args: ParsedArgs): Promise<number> {
  const setup = await setUp(args);
  if (setup === undefined) return 2;
  const { config, collectors } = setup;
  const [name = ''] = args.operands;
  const collector = collectors.find((one) => one.name === name);
  if (collector === undefined) {
    const names = collectors.map((one) => one.name);
    const near = nearest(name, names);
    const hint = near === undefined ? `one of ${names.join(', ')}` : `did you mean '${near}'?`;
    complain(`no collector of that name (${hint})`);
    return 2;
  }
  const out = resolve(args.values.out ?? '.');
  const runDir = await mkdtemp(join(tmpdir(), 'nospof-capture-'));
  try {
    await makeFolder(out);
    const options = { roots: config.roots, ports: openReadPorts(config), runDir };
    const notes = [
      `nospof ${version()}`,
      'may hold serial numbers and addresses: look before sending',
    ];
    const captures = await captureCollector(collector, options, notes);
    for (const path of writeCaptures(out, idPart(hostname()), captures)) print(path);
    return 0;
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') complain(`${path} is already there (name another folder with --out)`);
    else complain(`cannot write into ${out}: ${message}`);
    return 2;
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
}
