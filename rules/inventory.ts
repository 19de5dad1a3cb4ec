/**
 * The inventory in a form that survives a restart, so that a supply dead at boot is missed and not
 * forgotten. A file that is not entirely well-formed is no inventory: what it would claim to remember
 * could raise or hide an alarm, so nothing of it is taken and the caller is told.
 */
import type { ComponentId, GroupId, SourceId } from './model.ts';
import type { Remembered, RememberedGroup, World } from './world.ts';

export const INVENTORY_FORMAT = 'nospof inventory 1';
/** More than this was never built into one machine; beyond it new ones are not remembered. */
export const INVENTORY_MAX = 50_000;

export type InventoryRead =
  | { readonly ok: true; readonly remembered: readonly Remembered[] }
  | { readonly ok: false; readonly why: string };

export function encodeInventory(world: World): string {
  const remembered = world.slots.flatMap((slot) => slot.remembered ?? []).slice(0, INVENTORY_MAX);
  return `${JSON.stringify({ format: INVENTORY_FORMAT, remembered }, null, 1)}\n`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
    ? value
    : undefined;
}

function groupsOf(value: unknown): readonly RememberedGroup[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const groups: RememberedGroup[] = [];
  for (const item of value) {
    if (!isRecord(item)) return undefined;
    const { id, kind, name, needed } = item;
    if (typeof id !== 'string' || typeof kind !== 'string' || typeof name !== 'string') {
      return undefined;
    }
    if (needed !== undefined && !Number.isInteger(needed)) return undefined;
    const group = { id: id as GroupId, kind, name };
    groups.push(needed === undefined ? group : { ...group, needed: needed as number });
  }
  return groups;
}

function peaksOf(value: unknown): Readonly<Record<string, number>> | undefined {
  if (!isRecord(value)) return undefined;
  return Object.values(value).every(Number.isFinite)
    ? (value as Record<string, number>)
    : undefined;
}

function rememberedOf(value: unknown): Remembered | undefined {
  if (!isRecord(value)) return undefined;
  const { id, kind, name, source } = value;
  const needs = texts(value.needs);
  const groups = groupsOf(value.groups);
  const peaks = peaksOf(value.peaks);
  const named = [id, kind, name, source].every((text) => typeof text === 'string' && text !== '');
  if (!named || needs === undefined || groups === undefined || peaks === undefined)
    return undefined;
  return {
    id: id as ComponentId,
    kind: kind as string,
    name: name as string,
    source: source as SourceId,
    needs: needs as readonly ComponentId[],
    groups,
    peaks,
  };
}

export function decodeInventory(text: string): InventoryRead {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, why: 'it is not JSON (cut off?)' };
  }
  if (!isRecord(value) || value.format !== INVENTORY_FORMAT) {
    return { ok: false, why: `it does not start with "${INVENTORY_FORMAT}"` };
  }
  const list = value.remembered;
  if (!Array.isArray(list) || list.length > INVENTORY_MAX) {
    return { ok: false, why: `it holds no list of at most ${INVENTORY_MAX} components` };
  }
  const remembered: Remembered[] = [];
  const ids = new Set<ComponentId>();
  for (const [index, item] of list.entries()) {
    const record = rememberedOf(item);
    if (record === undefined) return { ok: false, why: `entry ${index + 1} is malformed` };
    if (ids.has(record.id)) return { ok: false, why: `entry ${index + 1} is there twice` };
    ids.add(record.id);
    remembered.push(record);
  }
  return { ok: true, remembered };
}
