/**
 * Which fault of the catalogue is covered where, as the page `docs/cluster-faults.md`. Written by
 * `node dist/test/cluster/faults-table.js > docs/cluster-faults.md`; `faults.test.ts` compares.
 */
import { pathToFileURL } from 'node:url';
import { readScenarios } from './scenario.ts';

/** Faults F1 to F109 in a few words each; those that no scenario of the core can show say where they belong. */
export const FAULTS: readonly (readonly [number, string, string?])[] = [
  [1, 'the owner crashes'],
  [2, 'the owner hangs, and may wake after the takeover'],
  [3, 'the agent stands still, its services run on'],
  [4, 'a virtual machine is paused for minutes'],
  [5, 'a node is very slow'],
  [6, 'a reboot faster than it is missed'],
  [7, 'a planned reboot or move'],
  [8, 'a reboot hangs in its shutdown'],
  [9, 'the wall clock jumps', 'no time of the wall enters the core: `test/purity.test.ts`'],
  [10, 'clocks drift', 'DRIFT in the inequalities: `test/cluster/solver.test.ts`; the simulator'],
  [11, 'suspend and resume'],
  [12, 'the agent is killed'],
  [13, 'memory is full', 'agent: no fork on the way to a fence or release'],
  [14, 'the root disk is full', 'agent: journal and state files'],
  [15, 'the root file system becomes read-only', 'agent: journal and state files'],
  [16, 'the root disk is dead', 'agent: descriptors kept open'],
  [17, 'no file descriptors', 'agent: descriptors kept open'],
  [18, 'no processes', 'agent: no process on the critical path'],
  [19, 'a service cannot be killed'],
  [20, 'a service dies, its node is well'],
  [21, 'a fork bomb', 'agent: lab'],
  [22, 'two nodes of one name'],
  [23, 'all networks are cut'],
  [24, 'a cut in one direction'],
  [25, 'a partition of three nodes'],
  [26, 'a chain: the ends do not hear each other'],
  [27, 'packets are lost'],
  [28, 'packets are late'],
  [29, 'packets are doubled', '`test/cluster/peers.test.ts`'],
  [30, 'packets change their order'],
  [31, 'networks flap'],
  [32, 'a hole for large packets', 'transport'],
  [33, 'packets are corrupted', 'transport: authentication before parsing'],
  [34, 'a service address is used twice', 'services: the address agent'],
  [35, 'the network switches reboot'],
  [36, 'a gateway is lost'],
  [37, 'a network card is stuck', 'collectors and utility'],
  [38, 'names are not resolved', 'transport: addresses only'],
  [39, 'a firewall blocks the heartbeats'],
  [40, 'the network of the power switches is cut too'],
  [41, 'a path fails'],
  [42, 'a path flaps'],
  [43, 'a path returns unregistered', '`fencing/reservation` (defend)'],
  [44, 'all paths of a node fail'],
  [45, 'all paths of a node fail, and writes queue'],
  [46, 'the array fails for all'],
  [47, 'the reservation is another\u2019s'],
  [
    48,
    'preempted while writes are under way',
    '`fencing/reservation`: preempt and abort; the simulator',
  ],
  [49, 'preempted without abort', '`fencing/reservation`: there is no such order'],
  [50, 'two challengers at once'],
  [51, 'several disks, each side wins some', '`fencing/reservation` (takeover); the simulator'],
  [52, 'the table is wiped'],
  [53, 'a disk is reset', '`fencing/reservation`'],
  [54, 'unit attentions', '`fencing/reservation`'],
  [55, 'another disk under the same name', 'agent: the identity is asked first'],
  [56, 'a clone of a disk', 'agent: the identity is asked first'],
  [57, 'strangers on the disk'],
  [58, 'a key of our own former boot'],
  [59, 'keys of two nodes are alike', 'configuration'],
  [60, 'a command hangs'],
  [61, 'a command takes effect late'],
  [62, 'a disk is write-protected', 'agent'],
  [63, 'a leg of a mirror fails'],
  [64, 'the last leg fails'],
  [65, 'a failure while a mirror is rebuilt', 'collectors: md'],
  [66, 'a crash with a dirty bitmap', 'services: assembly'],
  [67, 'a stale leg returns'],
  [68, 'two nodes assemble a mirror', 'S3 by the wishes of services; lab'],
  [69, 'silent corruption', 'collectors: md'],
  [70, 'a file system becomes read-only', 'services'],
  [71, 'a supply is lost'],
  [72, 'both feeds on one switch', 'fencing: plans'],
  [73, 'a BMC loses its power with its node'],
  [74, 'a cycle is confirmed too early', 'fencing: never a cycle'],
  [75, 'off is asked of what is off', 'fencing'],
  [76, 'a switch cannot be reached'],
  [77, 'a switch confirms and the outlet stays on', 'fencing: read back'],
  [78, 'a switch lies'],
  [79, 'the outlet map is wrong', 'fencing: drills'],
  [80, 'feeds are cut one after the other', 'fencing: all at one instant'],
  [81, 'the second outlet does not go off', 'fencing'],
  [82, 'a switch allows one session', 'agent: switches'],
  [83, 'a UPS on battery'],
  [84, 'a UPS is silent', 'collectors'],
  [85, 'a fan fails', 'rules'],
  [86, 'too hot'],
  [87, 'all power fails, and both return'],
  [88, 'a node returns with an old state'],
  [89, 'the agent crashes between any two effects'],
  [90, 'the agent crashes between winning and proving'],
  [91, 'the agent crashes after a start'],
  [92, 'the agent is replaced while services run'],
  [93, 'the agent restarts in a loop'],
  [94, 'the configuration is reloaded'],
  [95, 'a bad configuration', 'agent: configuration'],
  [96, 'configurations differ'],
  [97, 'versions differ'],
  [98, 'a torn state file', 'nothing in a file grants ownership; agent'],
  [99, 'a sync fails', 'agent: journal'],
  [100, 'a rename is lost', 'agent: state files'],
  [101, 'a flood of logs', 'agent: journal'],
  [102, 'a helper hangs', 'agent: readers, SCSI child'],
  [103, 'a helper leaves children behind', 'agent: keeper'],
  [104, 'a helper prints garbage', 'agent'],
  [105, 'a service that starts nowhere'],
  [106, 'a stop fails'],
  [107, 'a monitor is wrong', 'services: policy'],
  [108, 'a freeze, and it is forgotten'],
  [109, 'the loop is late'],
];

export function faultsPage(): string {
  const by = new Map<number, string[]>();
  const scenarios = readScenarios();
  for (const { name, file, faults } of scenarios) {
    for (const fault of faults) {
      const number = Number(fault.slice(1));
      by.set(number, [...(by.get(number) ?? []), `${name} (${file.replace('.yaml', '')})`]);
    }
  }
  const rows = FAULTS.map(([number, what, elsewhere]) => {
    const where = by.get(number) ?? [];
    const shown = where.length > 3 ? [...where.slice(0, 3), `${where.length - 3} more`] : where;
    const told = shown.length > 0 ? shown.join('; ') : `not in the core: ${elsewhere ?? 'nowhere'}`;
    return `| F${number} | ${what} | ${told} |`;
  });
  const covered = FAULTS.filter(([number]) => by.has(number)).length;
  return [
    '# Faults and the cluster\u2019s core',
    '',
    `Generated by \`node dist/test/cluster/faults-table.js\`: which fault is played in which of the`,
    `${scenarios.length} conversations of \`test/scenarios/cluster\`. ${covered} of ${FAULTS.length} faults concern the core and are`,
    'played with it; the others belong to the part that is named.',
    '',
    '| Fault | What | Where it is covered |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(faultsPage());
}
