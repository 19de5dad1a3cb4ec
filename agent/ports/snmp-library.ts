/**
 * The package `net-snmp`, as far as it is used: typed by hand (it brings no types), loaded when needed,
 * its values turned into ours.
 */
import { createRequire } from 'node:module';
import type { Bind } from '../../fencing/snmp-table.ts';

export interface Varbind {
  readonly oid: string;
  readonly type?: number;
  readonly value?: unknown;
}

export type Callback = (
  error: (Error & { status?: number }) | null,
  varbinds?: readonly Varbind[],
) => void;

export interface Session {
  timeout: number;
  readonly get: (oids: readonly string[], done: Callback) => void;
  readonly getNext: (oids: readonly string[], done: Callback) => void;
  readonly set: (varbinds: readonly Varbind[], done: Callback) => void;
  readonly on: (event: 'error', listener: (error: Error) => void) => void;
  readonly close: () => void;
}

interface Library {
  readonly createSession: (target: string, community: string, options: object) => Session;
  readonly createV3Session: (target: string, user: object, options: object) => Session;
  readonly Version1: number;
  readonly Version2c: number;
  readonly Version3: number;
  readonly ObjectType: Readonly<Record<string, number>>;
  readonly SecurityLevel: Readonly<Record<string, number>>;
  readonly AuthProtocols: Readonly<Record<string, number>>;
  readonly PrivProtocols: Readonly<Record<string, number>>;
}

/** Longest text of an answer that is looked at. */
const TEXT_BYTES_MAX = 4096;

let library: Library | undefined;

/** Loaded when a device is first asked, and not before. */
export function loadSnmp(): Library {
  library ??= createRequire(import.meta.url)('net-snmp') as Library;
  return library;
}

const MISSING = ['NoSuchObject', 'NoSuchInstance', 'EndOfMibView'] as const;
const NUMBERS = ['Integer', 'Counter', 'Gauge', 'TimeTicks'] as const;

export function bindOf({ oid, type, value }: Varbind): Bind | undefined {
  const { ObjectType } = loadSnmp();
  const missing = MISSING.find((name) => ObjectType[name] === type);
  if (missing !== undefined) {
    return {
      oid,
      kind: 'missing',
      what: `${missing.slice(0, 1).toLowerCase()}${missing.slice(1)}`,
    };
  }
  const numeric = NUMBERS.some((name) => ObjectType[name] === type);
  if (numeric && typeof value === 'number') return { oid, kind: 'number', value };
  if (type === ObjectType.OID && typeof value === 'string') return { oid, kind: 'oid', value };
  if (type === ObjectType.OctetString && Buffer.isBuffer(value)) {
    const text = value.subarray(0, TEXT_BYTES_MAX).toString('utf8').replace(/\0+$/u, '');
    return { oid, kind: 'text', value: text };
  }
  return undefined;
}
