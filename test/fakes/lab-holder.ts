/** A lab without machines that waits to be killed: `lab-holder.js FOLDER`. Says `ready` when all runs. */
import { cacheAt } from '../lab/host/files.ts';
import { openPower } from '../lab/host/power.ts';
import { openRunFolder } from '../lab/host/run-folder.ts';

const [folder = ''] = process.argv.slice(2);
const run = openRunFolder(cacheAt(folder));
await openPower(
  run,
  {
    switches: {
      pdu: { kind: 'snmp', outlets: 4, relayMs: 0 },
      strip: { kind: 'nps', outlets: 4, relayMs: 0 },
      bmc: { kind: 'ipmi', outlets: 1, relayMs: 0 },
    },
    nodes: { alpha: { feeds: ['pdu/1', 'strip/1'], chassis: 'bmc' } },
  },
  { lost: () => undefined, back: () => undefined },
);
run.spawn(['sleep', '600'], 'alpha.qemu');
process.stdout.write('ready\n');
setInterval(() => undefined, 60_000);
