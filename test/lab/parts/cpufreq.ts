/**
 * Power that can be shed: QEMU has no cpufreq, so plain files of memory lie where the kernel's would. What
 * nospof writes there is really written; what a processor would make of it is not shown.
 *
 * Files and words: Documentation/admin-guide/pm/cpufreq.rst and intel_pstate.rst.
 */
import { type Part, run } from './part.ts';

const FOLDER = '/sys/devices/system/cpu/cpufreq';
const FILES: Readonly<Record<string, string>> = {
  scaling_governor: 'performance',
  scaling_available_governors: 'performance powersave',
  energy_performance_preference: 'performance',
  energy_performance_available_preferences: 'default performance balance_performance power',
};
const POLICIES = ['policy0', 'policy1'];

export const part: Part = {
  name: 'cpufreq',
  has: (spec) => spec.hardware.includes('cpufreq'),
  settle: async (node) => {
    await run(node, 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'cpufreq', FOLDER);
    await run(node, 'mkdir', ...POLICIES.map((policy) => `${FOLDER}/${policy}`));
    for (const policy of POLICIES) {
      for (const [name, word] of Object.entries(FILES)) {
        await node.vm.guest.write(`${FOLDER}/${policy}/${name}`, `${word}\n`);
      }
    }
  },
  verbs: [],
};
