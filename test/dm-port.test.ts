/**
 * The device-mapper port: its bytes against answers laid out by hand as drivers/md/dm-ioctl.c lays them
 * out, its questions against a kernel in a few lines, and what it says where there is no device-mapper.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openDm, readByIoctl } from '../agent/ports/dm.ts';
import {
  BUFFER_FULL,
  DM_IOCTL_BYTES,
  decodeDevices,
  decodeHeader,
  decodeTargets,
  deviceNumber,
  encodeRequest,
  ioctlNumber,
  LIST_DEVICES,
  lineName,
  NOFLUSH,
  STATUS_TABLE,
  TABLE_STATUS,
} from '../agent/ports/dm-codec.ts';
import { numbered, numbersOf } from '../agent/ports/dm-dmsetup.ts';
import { parseDmStatus } from '../collectors/lib/dm-status.ts';

const READ = { kind: 'dm', target: 'multipath' } as const;
const STATUS = '2 0 0 0 1 1 A 0 2 2 8:16 A 0 0 1 8:32 F 3 0 1 ';
const TABLE = '1 queue_if_no_path 0 1 1 service-time 0 2 1 8:16 1 8:32 1 ';

/** dev_t as huge_encode_dev writes it. */
function dev(major: number, minor: number): bigint {
  return BigInt(((minor & 0xff) | (major << 8)) >>> 0) | (BigInt(minor & ~0xff) << 12n);
}

/** Fills in what the kernel fills in: version, data_size, target_count, flags. */
function answer(
  buffer: Uint8Array,
  data: Uint8Array,
  fields: { readonly targets?: number; readonly minor?: number; readonly flags?: number },
  little: boolean,
): void {
  const view = new DataView(buffer.buffer, buffer.byteOffset);
  view.setUint32(0, 4, little);
  view.setUint32(4, fields.minor ?? 47, little);
  view.setUint32(12, DM_IOCTL_BYTES + data.length, little);
  view.setUint32(20, fields.targets ?? 0, little);
  view.setUint32(28, fields.flags ?? 0, little);
  buffer.set(data, DM_IOCTL_BYTES);
}

interface Device {
  readonly dev: bigint;
  readonly name: string;
  readonly uuid?: string;
}

function nameList(devices: readonly Device[], little: boolean): Uint8Array {
  if (devices.length === 0) return new Uint8Array(16);
  const parts = devices.map(({ dev, name, uuid }, index) => {
    const nameEnd = 12 + Buffer.byteLength(name) + 1;
    const tail = Math.ceil(nameEnd / 8) * 8;
    const end = tail + 8 + (uuid === undefined ? 0 : Buffer.byteLength(uuid) + 1);
    const bytes = new Uint8Array(Math.ceil(end / 8) * 8);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, dev, little);
    view.setUint32(8, index === devices.length - 1 ? 0 : bytes.length, little);
    bytes.set(Buffer.from(name), 12);
    view.setUint32(tail + 4, uuid === undefined ? 2 : 1, little);
    if (uuid !== undefined) bytes.set(Buffer.from(uuid), tail + 8);
    return bytes;
  });
  return Buffer.concat(parts);
}

function targetList(
  targets: readonly { readonly type: string; readonly text: string }[],
  little: boolean,
): Uint8Array {
  let at = 0;
  const parts = targets.map(({ type, text }) => {
    const bytes = new Uint8Array(Math.ceil((40 + Buffer.byteLength(text) + 1) / 8) * 8);
    const view = new DataView(bytes.buffer);
    at += bytes.length;
    view.setBigUint64(8, 204_800n, little);
    view.setUint32(20, at, little);
    bytes.set(Buffer.from(type), 24);
    bytes.set(Buffer.from(text), 40);
    return bytes;
  });
  return Buffer.concat(parts);
}

t.test('numbers of the interface', (t) => {
  t.equal(ioctlNumber(LIST_DEVICES), 0xc138fd02, 'DM_LIST_DEVICES as <linux/dm-ioctl.h> makes it');
  t.equal(ioctlNumber(TABLE_STATUS), 0xc138fd0c, 'DM_TABLE_STATUS');
  t.equal(deviceNumber(dev(253, 3)), '253:3');
  t.equal(deviceNumber(dev(253, 70_000)), '253:70000', 'a minor above 255');
  t.end();
});

for (const little of [true, false]) {
  t.test(`answers, ${little ? 'little' : 'big'} endian`, (t) => {
    const buffer = encodeRequest(little, { bytes: 4096, flags: NOFLUSH, dev: dev(253, 3) });
    t.equal(new DataView(buffer.buffer).getBigUint64(40, little), dev(253, 3));
    const devices = [
      { dev: dev(253, 0), name: 'vg-root', uuid: 'LVM-abc' },
      { dev: dev(253, 300), name: 'mpatha' },
      { dev: dev(253, 4), name: 'längerer name', uuid: 'mpath-3600' },
    ];
    answer(buffer, nameList(devices, little), {}, little);
    t.strictSame(
      decodeDevices(little, buffer)?.map(({ number, name, uuid }) => [number, name, uuid]),
      [
        ['253:0', 'vg-root', 'LVM-abc'],
        ['253:300', 'mpatha', ''],
        ['253:4', 'längerer name', 'mpath-3600'],
      ],
    );
    answer(buffer, nameList(devices, little), { minor: 37 }, little);
    t.equal(decodeDevices(little, buffer)?.[0]?.uuid, undefined, 'an older kernel lists no UUID');
    answer(buffer, nameList([], little), {}, little);
    t.strictSame(decodeDevices(little, buffer), [], 'no devices');
    const targets = [
      { type: 'multipath', text: STATUS },
      { type: 'linear', text: '' },
    ];
    answer(buffer, targetList(targets, little), { targets: 2 }, little);
    t.strictSame(
      decodeTargets(little, buffer)?.map(({ type, text }) => ({ type, text })),
      targets,
    );
    t.end();
  });
}

t.test('an answer that is cut is not believed', (t) => {
  const buffer = encodeRequest(true, { bytes: 1024, flags: 0 });
  const whole = targetList([{ type: 'multipath', text: STATUS }], true);
  answer(buffer, whole, { targets: 2 }, true);
  t.equal(decodeTargets(true, buffer), undefined, 'fewer targets than promised');
  answer(buffer, whole.subarray(0, 60), { targets: 1 }, true);
  buffer.fill(0x41, DM_IOCTL_BYTES + 60);
  t.equal(decodeTargets(true, buffer), undefined, 'a text without an end');
  const list = nameList([{ dev: dev(253, 0), name: 'abcd' }], true);
  new DataView(list.buffer, list.byteOffset).setUint32(8, 1_000_000, true);
  answer(buffer, list, {}, true);
  t.equal(decodeDevices(true, buffer), undefined, 'an offset out of the buffer');
  new DataView(list.buffer, list.byteOffset).setUint32(8, 8, true);
  answer(buffer, list, {}, true);
  t.equal(decodeDevices(true, buffer), undefined, 'an offset into itself');
  new DataView(buffer.buffer).setUint32(12, 1_000_000, true);
  t.equal(decodeHeader(true, buffer), undefined, 'more data than the buffer holds');
  t.end();
});

t.test('any bytes are either understood or not, and it ends', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 512 }),
      fc.nat(600),
      fc.nat(70_000),
      (data, end, targets) => {
        const buffer = encodeRequest(true, { bytes: DM_IOCTL_BYTES + 512, flags: 0 });
        answer(buffer, data, { targets }, true);
        new DataView(buffer.buffer).setUint32(12, DM_IOCTL_BYTES + end, true);
        decodeDevices(true, buffer);
        decodeTargets(true, buffer);
        decodeHeader(true, data);
      },
    ),
  );
  t.equal(lineName('a\nb\\c'), 'a\\x0ab\\x5cc', 'a name stays in its line');
  t.end();
});

/** A kernel with an LVM volume, a multipath map and a device that vanishes between list and status. */
function kernel(asked: string[], firstFit: number) {
  const devices = [
    { dev: dev(253, 0), name: 'vg-root', uuid: 'LVM-abc' },
    { dev: dev(253, 1), name: 'secret' },
    { dev: dev(253, 3), name: 'mpatha', uuid: 'mpath-3600' },
    { dev: dev(253, 9), name: 'gone' },
  ];
  return async (_fd: number, request: number, buffer: Uint8Array): Promise<string | 0> => {
    const view = new DataView(buffer.buffer);
    const flags = view.getUint32(28, true);
    if (request === ioctlNumber(LIST_DEVICES)) {
      if (buffer.length < firstFit) answer(buffer, new Uint8Array(0), { flags: BUFFER_FULL }, true);
      else answer(buffer, nameList(devices, true), {}, true);
      return 0;
    }
    const number = deviceNumber(view.getBigUint64(40, true));
    asked.push(`${(flags & STATUS_TABLE) === 0 ? 'status' : 'table'} ${number}`);
    t.ok((flags & NOFLUSH) !== 0, 'nothing is flushed');
    if (number === '253:9') return 'ENXIO';
    const type = number === '253:3' ? 'multipath' : 'crypt';
    const text = (flags & STATUS_TABLE) === 0 ? STATUS : TABLE;
    answer(buffer, targetList([{ type, text }], true), { targets: 1 }, true);
    return 0;
  };
}

t.test('asks for the table of the maps only', async (t) => {
  const asked: string[] = [];
  const entry = await readByIoctl(kernel(asked, 100_000), 0, 'multipath', () => false);
  t.strictSame(asked, ['status 253:1', 'status 253:3', 'table 253:3', 'status 253:9']);
  const text = 'text' in entry ? entry.text : '';
  t.equal(
    text,
    `253:3 mpatha: 0 204800 multipath ${STATUS.trim()}\n` +
      `table 253:3 mpatha: 0 204800 multipath ${TABLE.trim()}\n`,
  );
  const [map] = parseDmStatus(text);
  t.strictSame(map?.features, ['queue_if_no_path'], 'the collector reads what the port writes');
  t.strictSame(
    map?.paths?.map(({ number, letter, failures }) => [number, letter, failures]),
    [
      ['8:16', 'A', 0],
      ['8:32', 'F', 3],
    ],
  );
  t.match(
    await readByIoctl(kernel([], Number.MAX_SAFE_INTEGER), 0, 'multipath', () => false),
    { errno: 'E2BIG' },
    'an answer that never fits',
  );
  const denied = async (): Promise<string> => 'EACCES';
  t.match(await readByIoctl(denied, 0, 'multipath', () => false), { errno: 'EACCES' });
});

t.test('the twin writes the same lines', (t) => {
  const numbers = numbersOf('253:0:vg-root\n253:3:big: 0 disk\n');
  t.strictSame(
    numbered(`big: 0 disk: 0 204800 multipath ${STATUS}\nlost: 0 1 multipath 2\n`, numbers, ''),
    [`253:3 big: 0 disk: 0 204800 multipath ${STATUS}`],
  );
  t.strictSame(numbered('No devices found\n', numbers, 'table '), []);
  t.end();
});

t.test('where there is no device-mapper', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'nospof-dm-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const roots = { proc: root, sys: root, dev: root, run: root };
  const none = { errno: 'ENOENT', why: 'no device-mapper' };
  t.strictSame(await openDm({ roots }).read(READ), none);
  mkdirSync(join(root, 'mapper'));
  writeFileSync(join(root, 'mapper/control'), '');
  t.strictSame(await openDm({ roots }).read(READ), none, 'the node alone is left unopened');
  mkdirSync(join(root, 'class/misc/device-mapper'), { recursive: true });
  t.match(
    await openDm({ roots }).read(READ),
    { errno: 'ENOTTY' },
    'the ioctl is really made, and what the kernel says of a plain file is told',
  );
  const port = openDm({ roots });
  port.close();
  t.match(await port.read(READ), { errno: 'ECANCELED' });
});

t.test('one question at a time, each with an end', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'nospof-dm-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'mapper'));
  writeFileSync(join(root, 'mapper/control'), '');
  mkdirSync(join(root, 'class/misc/device-mapper'), { recursive: true });
  const roots = { proc: root, sys: root, dev: root, run: root };
  let release: (outcome: string) => void = () => undefined;
  const held = new Promise<string>((resolve) => {
    release = resolve;
  });
  const port = openDm({ roots, ioctl: () => held });
  const first = port.read(READ);
  t.match(await port.read(READ), { errno: 'ETIMEDOUT' }, 'while the kernel holds the last one');
  release('EIO');
  t.match(await first, { errno: 'EIO' });
  t.match(await port.read(READ), { errno: 'EIO' }, 'and then it is asked again');
});

t.test('on this machine', async (t) => {
  const roots = { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' };
  const entry = await openDm({ roots }).read(READ);
  if (existsSync('/sys/class/misc/device-mapper')) t.ok('text' in entry || 'errno' in entry);
  else t.strictSame(entry, { errno: 'ENOENT', why: 'no device-mapper' });
});
