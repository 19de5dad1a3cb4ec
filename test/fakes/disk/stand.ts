/** The simulated disk as a stand for `certify`: every event can be caused on it. */
import type { Stand } from '../../../agent/disks/certify.ts';
import type { Who } from '../../../fencing/reservation/certify-step.ts';
import { nexusOf, type Rig, type Way } from './rig.ts';
import { nexusName } from './table.ts';

const WAYS: Readonly<Record<Who, Way>> = { a: 'a1', b: 'b1' };

export function standOf(rig: Rig): Stand {
  const { target } = rig;
  return {
    send: async (by, request) => {
      const completion = await rig.send(WAYS[by], request);
      // Only the one command after the event is without an answer.
      if (rig.fates.get(WAYS[by]) === 'reply-lost') rig.fates.delete(WAYS[by]);
      return completion;
    },
    begin: (by, request) => {
      const name = nexusName(nexusOf(WAYS[by]));
      target.slow.add(name);
      const sent = rig.send(WAYS[by], request);
      target.slow.delete(name);
      return sent;
    },
    event: async (event, by) => {
      switch (event) {
        case 'lun-reset':
          target.lunReset();
          return true;
        case 'nexus-loss':
          target.nexusLoss(nexusOf(WAYS[by]));
          return true;
        case 'power-loss':
          target.powerLoss();
          return true;
        case 'failover':
          return true;
        case 'lose-next-reply':
          rig.fates.set(WAYS[by], 'reply-lost');
          return true;
      }
    },
    pause: async (ms) => target.tick(ms),
    expendable: true,
  };
}
