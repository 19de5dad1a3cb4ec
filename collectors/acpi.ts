/**
 * What ACPI firmware knows of power and heat: adapters and batteries, power meters, thermal zones. Three
 * sources apart, because a power meter may hang for seconds while an adapter goes offline. Single
 * power supplies of a server are not ACPI's to tell: IPMI does.
 */
import { meter } from './lib/acpi-meter.ts';
import { supply } from './lib/acpi-supply.ts';
import { thermal } from './lib/acpi-thermal.ts';
import type { Collector } from './lib/collector.ts';

export const collector: Collector = {
  name: 'acpi',
  sees: 'AC adapters, batteries, power meters and thermal zones of the firmware',
  sources: [supply, meter, thermal],
};
