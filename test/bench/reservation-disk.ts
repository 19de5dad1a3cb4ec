/** Simulated disks as device files in a process of their own, so that their work is not the port's. */
import { openPty } from '../fakes/disk/pty.ts';
import { nexusOf } from '../fakes/disk/rig.ts';
import { Target } from '../fakes/disk/target.ts';

const count = Number(process.argv[2] ?? 1);
const disks = Array.from({ length: count }, () => openPty(new Target(), nexusOf('a1')));
process.stdout.write(`${disks.map(({ path }) => path).join(' ')}\n`);
process.stdin
  .on('end', () => {
    for (const disk of disks) disk.close();
  })
  .resume();
