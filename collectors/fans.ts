/**
 * Fans, from two witnesses that see different fans: hwmon chips on the board (read each second; drivers
 * refresh every 1 to 2 s, so faster buys nothing) and the BMC of a server (slow, and often the only one
 * that sees chassis fans). Neither decides for the other.
 */
import type { Collector } from './lib/collector.ts';
import { FAN_QUESTION, parseBmcFans } from './lib/fans-bmc.ts';
import { parseHwmonFans } from './lib/fans-hwmon.ts';
import { hwmonReads } from './lib/hwmon.ts';
import { bmcReads } from './lib/ipmi.ts';

/** No `*` here: `pwm*` would also read the dozens of auto_point files of each channel. */
const PWMS = Array.from({ length: 16 }, (_, index) => `pwm${index + 1}`).join(',');

export const collector: Collector = {
  name: 'fans',
  sees: 'fans of the board, of cards and of the chassis',
  sources: [
    {
      name: 'hwmon',
      reads: hwmonReads(
        ['fan*_{input,target,fault}', 'fan*_alarm', `{${PWMS}}`],
        ['fan*_{min,max,label,enable}', `{${PWMS}}_enable`],
      ),
      wakes: [
        { on: 'uevent', subsystem: 'hwmon' },
        { on: 'pollpri', root: 'sys', glob: 'class/hwmon/*/fan*_alarm' },
      ],
      everyMs: 1_000,
      staleMs: 5_000,
      parse: parseHwmonFans,
    },
    {
      name: 'bmc',
      reads: bmcReads(FAN_QUESTION),
      wakes: [],
      everyMs: 5_000,
      staleMs: 30_000,
      parse: parseBmcFans,
    },
  ],
};
