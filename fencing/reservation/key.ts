/**
 * Reservation keys: who a registration belongs to. Ours hold the cluster in 16 bits, the node in 16 and
 * 32 bits of the kernel's boot id: they need no file to survive a restart of the agent, change with each
 * boot, tell two cloned nodes apart, and make a stale queued command of an earlier boot harmless. Keys of
 * any other shape belong to strangers and are never touched.
 */

/** Sixteen lower-case hexadecimal digits; plain text, so that it can stand in a journal and in JSON. */
export type Key = string & { readonly of: 'reservation-key' };

/** Registers nothing: as a service action key it unregisters. */
export const NO_KEY: Key = '0000000000000000' as Key;

export interface KeyParts {
  /** 1 to 65535, the same on all nodes of a cluster. */
  readonly cluster: number;
  /** 1 to 65535, another one on each node. */
  readonly node: number;
  /** Unsigned 32 bits of the kernel's boot id. */
  readonly boot: number;
}

const PART_MAX = 0xffff;
const BOOT_MAX = 0xffff_ffff;
const KEY_DIGITS = 16;

function isPart(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= PART_MAX;
}

function digits(value: number, count: number): string {
  return value.toString(16).padStart(count, '0');
}

/** The key of a node in this boot; undefined when a part is out of its range. Never `NO_KEY`. */
export function keyOf({ cluster, node, boot }: KeyParts): Key | undefined {
  const bootFits = Number.isInteger(boot) && boot >= 0 && boot <= BOOT_MAX;
  if (!isPart(cluster) || !isPart(node) || !bootFits) return undefined;
  return `${digits(cluster, 4)}${digits(node, 4)}${digits(boot, 8)}` as Key;
}

export function partsOf(key: Key): KeyParts {
  return {
    cluster: Number.parseInt(key.slice(0, 4), 16),
    node: Number.parseInt(key.slice(4, 8), 16),
    boot: Number.parseInt(key.slice(8), 16),
  };
}

/**
 * The first 32 bits of `/proc/sys/kernel/random/boot_id`, which are all random in a version 4 UUID;
 * undefined when the text is no UUID.
 */
export function bootOf(bootId: string): number | undefined {
  const uuid = /^([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu;
  const [, first] = uuid.exec(bootId.trim()) ?? [];
  return first === undefined ? undefined : Number.parseInt(first, 16);
}

/** A key as people and tools write it: with or without `0x`, with or without leading zeros. */
export function keyFromText(text: string): Key | undefined {
  const [, hex] = /^\s*(?:0x)?0*([0-9a-f]{0,16})\s*$/iu.exec(text) ?? [];
  if (hex === undefined || text.trim() === '') return undefined;
  return hex.toLowerCase().padStart(KEY_DIGITS, '0') as Key;
}

/**
 * Whose a key is, seen from `self`: `own` this very boot of this node; `former` this node in another boot,
 * or a clone of it; `peer` another node of the cluster; `stranger` anybody else, and never to be touched.
 */
export type Relation = 'own' | 'former' | 'peer' | 'stranger';

export function relationOf(key: Key, self: Key): Relation {
  if (key === self) return 'own';
  const theirs = partsOf(key);
  const ours = partsOf(self);
  if (theirs.cluster !== ours.cluster || theirs.node === 0) return 'stranger';
  return theirs.node === ours.node ? 'former' : 'peer';
}
