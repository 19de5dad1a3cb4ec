/** Opens every port that reads, from what the configuration says. */
import type { Config } from '../../rules/config.ts';
import { openCommandPort } from './command.ts';
import { openDm } from './dm.ts';
import { openKmsg } from './kmsg.ts';
import { openMultipathd } from './multipathd.ts';
import type { ReadPorts } from './port.ts';
import { openReach } from './reach.ts';

export function openReadPorts({ roots, reach }: Pick<Config, 'roots' | 'reach'>): ReadPorts {
  return {
    command: openCommandPort({ roots }),
    dm: openDm({ roots }),
    multipathd: openMultipathd({ roots }),
    kmsg: openKmsg({ roots }),
    reach: openReach({ roots, targets: reach }),
  };
}
