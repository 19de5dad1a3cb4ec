/**
 * Power supplies, from supplies that speak PMBus to the kernel and from the BMC, which on rack servers is
 * the only one that can tell which of two supplies died. Mains and batteries as ACPI sees them are the
 * `acpi` collector's. A hung BMC is a blind source here, never a failed supply.
 */
import type { Collector } from './lib/collector.ts';
import { hwmonReads } from './lib/hwmon.ts';
import { bmcReads } from './lib/ipmi.ts';
import { PSU_QUESTION, parseBmcPsus } from './lib/psus-bmc.ts';
import { parseHwmonPsus } from './lib/psus-hwmon.ts';

export const collector: Collector = {
  name: 'psus',
  sees: 'power supplies and their redundancy',
  sources: [
    {
      name: 'hwmon',
      // Channels above 4 are no supply's; without the bound each core's temperature would be read.
      reads: hwmonReads(
        [
          '{in1,in2,in3,in4}_{input,alarm,min_alarm,max_alarm,lcrit_alarm,crit_alarm}',
          '{curr1,curr2,curr3,curr4}_{input,alarm,max_alarm,crit_alarm}',
          '{power1,power2,power3,power4}_{input,alarm,max_alarm,crit_alarm}',
          '{temp1,temp2,temp3}_{input,alarm,max_alarm,crit_alarm}',
          'fan1_input',
        ],
        [
          '{in1,in2,in3,in4}_label',
          '{curr1,curr2,curr3,curr4}_label',
          '{power1,power2,power3,power4}_label',
        ],
      ),
      wakes: [{ on: 'uevent', subsystem: 'hwmon' }],
      everyMs: 5_000,
      staleMs: 30_000,
      parse: parseHwmonPsus,
    },
    {
      name: 'bmc',
      reads: bmcReads(PSU_QUESTION),
      wakes: [],
      everyMs: 5_000,
      staleMs: 30_000,
      parse: parseBmcPsus,
    },
  ],
};
