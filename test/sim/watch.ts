/** What the world tells the oracle: every physical thing that an invariant is about. */

import type { Out } from '../../agent/cluster/program-state.ts';
import type { FenceCommand } from '../../fencing/fence-state.ts';
import type { Ask } from '../../fencing/reservation/look.ts';
import type { WriteRequest } from '../../fencing/reservation/request.ts';
import type { SimDisk } from './disk.ts';
import type { SimHierarchy, SimNode, SimService } from './parts.ts';

export interface Watch {
  /** After every event. */
  readonly check: () => void;
  /** The table of a disk may have changed. */
  readonly table: (disk: SimDisk) => void;
  /** A PR OUT is sent, and is about to take effect. */
  readonly sent: (node: SimNode, disk: SimDisk, ask: Ask, underWay: number) => void;
  readonly effect: (
    node: SimNode,
    disk: SimDisk,
    request: WriteRequest,
    ofThisBoot: boolean,
  ) => void;
  /** The array lost its table by itself. */
  readonly wiped: (disk: SimDisk, holder: SimNode | undefined) => void;
  readonly written: (disk: SimDisk, hierarchy: number, token: number, node: SimNode) => void;
  readonly starting: (node: SimNode, hierarchy: SimHierarchy, service: SimService) => void;
  readonly stopping: (node: SimNode, hierarchy: SimHierarchy, service: SimService) => void;
  /** Services, open disks or dirty pages of a hierarchy on a node have changed. */
  readonly changed: (node: SimNode, hierarchy: SimHierarchy) => void;
  /** Power, boot, hang or resumption. */
  readonly life: (node: SimNode) => void;
  readonly fed: (node: SimNode) => void;
  readonly disarmed: (node: SimNode) => void;
  readonly switched: (node: SimNode, command: FenceCommand & { readonly target: string }) => void;
  readonly stepped: (node: SimNode, out: Out) => void;
}
