/**
 * The node's kernel and what only the kernel knows: its own state, its log, memory and PCI Express
 * errors, watchdogs and pressure. Six sources, each read and blind on its own, so that a machine
 * without EDAC or with a locked log still shows the rest. It judges nothing by a threshold.
 */
import type { Collector } from './lib/collector.ts';
import { health } from './lib/kernel-health.ts';
import { log } from './lib/kernel-log.ts';
import { memory } from './lib/kernel-memory.ts';
import { pcie } from './lib/kernel-pcie.ts';
import { pressure } from './lib/kernel-pressure.ts';
import { watchdog } from './lib/kernel-watchdog.ts';

export const collector: Collector = {
  name: 'kernel',
  sees: 'kernel faults, memory and PCI Express errors, watchdogs, pressure',
  sources: [health, log, memory, pcie, watchdog, pressure],
};
