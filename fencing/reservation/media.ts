/**
 * Requests that touch a disk's data or are allowed past any reservation. Only `certify` sends them, to see
 * what a reservation keeps out; nothing that decides ownership reads or writes data.
 *
 * Formats: SBC-3 5.8 READ (10), 5.30 WRITE (10), 5.39 WRITE SAME (10), 5.28 UNMAP, 5.2 COMPARE AND WRITE,
 * 5.3 FORMAT UNIT, 5.15 READ CAPACITY (10); SPC-4 6.33 REPORT LUNS.
 */
import { putNumber } from './bytes.ts';

export type MediaRequest =
  | { readonly ask: 'read'; readonly lba: number; readonly blockBytes: number }
  | { readonly ask: 'write' | 'write-same'; readonly lba: number; readonly block: Uint8Array }
  | { readonly ask: 'unmap'; readonly lba: number }
  | {
      readonly ask: 'compare-write';
      readonly lba: number;
      /** What must be there, and what is then written. */
      readonly compare: Uint8Array;
      readonly block: Uint8Array;
    }
  | { readonly ask: 'format' }
  | { readonly ask: 'capacity' }
  | { readonly ask: 'luns' };

interface MediaCommand {
  readonly cdb: Uint8Array;
  readonly in: number;
  readonly out: Uint8Array;
}

const OPCODES = {
  read: 0x28,
  write: 0x2a,
  'write-same': 0x41,
  unmap: 0x42,
  'compare-write': 0x89,
  format: 0x04,
  capacity: 0x25,
  luns: 0xa0,
} as const;
const LENGTHS = { 0: 6, 1: 10, 2: 10, 4: 16, 5: 12 } as const;
const NOTHING = new Uint8Array(0);
const CAPACITY_BYTES = 8;
const LUNS_BYTES = 1024;
/** Header of 8 bytes and one descriptor of 16. */
const UNMAP_BYTES = 24;

function cdbFor(ask: keyof typeof OPCODES): Uint8Array {
  const opcode = OPCODES[ask];
  const group = (opcode >> 5) as keyof typeof LENGTHS;
  const cdb = new Uint8Array(LENGTHS[group]);
  cdb[0] = opcode;
  return cdb;
}

/** The 10-byte form that reads and writes of blocks share. */
function blockCdb(ask: 'read' | 'write' | 'write-same', lba: number): Uint8Array {
  const cdb = cdbFor(ask);
  putNumber(cdb, 2, 4, lba);
  putNumber(cdb, 7, 2, 1);
  return cdb;
}

function unmap(lba: number): MediaCommand {
  const cdb = cdbFor('unmap');
  putNumber(cdb, 7, 2, UNMAP_BYTES);
  const out = new Uint8Array(UNMAP_BYTES);
  putNumber(out, 0, 2, UNMAP_BYTES - 2);
  putNumber(out, 2, 2, UNMAP_BYTES - 8);
  putNumber(out, 12, 4, lba);
  putNumber(out, 16, 4, 1);
  return { cdb, in: 0, out };
}

function compareWrite(lba: number, compare: Uint8Array, block: Uint8Array): MediaCommand {
  const cdb = cdbFor('compare-write');
  putNumber(cdb, 6, 4, lba);
  cdb[13] = 1;
  const out = new Uint8Array(compare.length + block.length);
  out.set(compare);
  out.set(block, compare.length);
  return { cdb, in: 0, out };
}

export function isMedia(request: { readonly ask: string }): request is MediaRequest {
  return request.ask in OPCODES;
}

export function encodeMedia(request: MediaRequest): MediaCommand {
  switch (request.ask) {
    case 'read':
      return { cdb: blockCdb('read', request.lba), in: request.blockBytes, out: NOTHING };
    case 'write':
    case 'write-same':
      return { cdb: blockCdb(request.ask, request.lba), in: 0, out: request.block };
    case 'unmap':
      return unmap(request.lba);
    case 'compare-write':
      return compareWrite(request.lba, request.compare, request.block);
    case 'format':
      return { cdb: cdbFor('format'), in: 0, out: NOTHING };
    case 'capacity':
      return { cdb: cdbFor('capacity'), in: CAPACITY_BYTES, out: NOTHING };
    case 'luns': {
      const cdb = cdbFor('luns');
      putNumber(cdb, 6, 4, LUNS_BYTES);
      return { cdb, in: LUNS_BYTES, out: NOTHING };
    }
  }
}
