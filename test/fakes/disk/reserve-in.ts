/** The simulated disk's PERSISTENT RESERVE IN: its table as the bytes that SPC-4 lays out. */
import { check, type Device, good, type Result } from './table.ts';

/** TransportID of an iSCSI initiator port (format 1), padded to four bytes. */
export function transportId(name: string): Buffer {
  const text = Buffer.from(name, 'latin1');
  const length = Math.max(20, Math.ceil((text.length + 1) / 4) * 4);
  const id = Buffer.alloc(4 + length);
  id[0] = 0x45;
  id.writeUInt16BE(length, 2);
  text.copy(id, 4);
  return id;
}

function keyBytes(key: string): Buffer {
  return Buffer.from(key, 'hex');
}

function header(generation: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(generation, 0);
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

function reservationBody({ table }: Device): Buffer {
  const { reservation, registrants } = table;
  if (reservation === undefined) return Buffer.alloc(0);
  const body = Buffer.alloc(16);
  const holder = registrants.get(reservation.holder ?? '');
  if (holder !== undefined) keyBytes(holder.key).copy(body);
  body[13] = reservation.type;
  return body;
}

function capabilities({ features, aptpl }: Device): Buffer {
  const body = Buffer.alloc(8);
  body[1] = 8;
  body[2] = 0x08 | (features.allPorts ? 0x04 : 0) | (features.aptpl ? 0x01 : 0);
  body[3] = 0x80 | (aptpl ? 0x01 : 0);
  body[4] = 0xea;
  body[5] = 0x01;
  return body;
}

function fullStatusBody({ table }: Device): Buffer {
  const { reservation } = table;
  const parts = [...table.registrants].map(([name, { key, initiator, port, allPorts }]) => {
    const id = transportId(initiator);
    const head = Buffer.alloc(24);
    const holds =
      reservation !== undefined &&
      (reservation.holder === name || reservation.holder === undefined);
    keyBytes(key).copy(head);
    head[12] = (allPorts ? 2 : 0) | (holds ? 1 : 0);
    head[13] = holds ? reservation.type : 0;
    head.writeUInt16BE(port, 18);
    head.writeUInt32BE(id.length, 20);
    return Buffer.concat([head, id]);
  });
  return Buffer.concat(parts);
}

export function reserveIn(target: Device, cdb: Uint8Array): Result {
  const room = (cdb[7] ?? 0) * 256 + (cdb[8] ?? 0);
  const { generation, registrants } = target.table;
  const cut = (bytes: Buffer): Result => good(Uint8Array.from(bytes.subarray(0, room)));
  switch ((cdb[1] ?? 0) & 0x1f) {
    case 0: {
      const keys = [...registrants.values()].map(({ key }) => keyBytes(key));
      return cut(header(generation, Buffer.concat(keys)));
    }
    case 1:
      return cut(header(generation, reservationBody(target)));
    case 2:
      return cut(capabilities(target));
    case 3:
      if (!target.features.fullStatus) return check(5, 0x24, 0);
      return cut(header(generation, fullStatusBody(target)));
    default:
      return check(5, 0x24, 0);
  }
}
