/** A simulated disk as a device file in a process of its own, so that its work is not the port's. */
import { openPty } from '../fakes/disk/pty.ts';
import { nexusOf } from '../fakes/disk/rig.ts';
import { Target } from '../fakes/disk/target.ts';

const disk = openPty(new Target(), nexusOf('a1'));
process.stdout.write(`${disk.path}\n`);
process.stdin.on('end', () => disk.close()).resume();
