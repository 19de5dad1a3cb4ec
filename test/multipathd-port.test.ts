/**
 * The `multipathd` port against a real listener on an abstract name of exact length, which is what the
 * daemon has. Node 20 cannot listen on one either, so the name is bound by libc and the descriptor
 * handed to Node's server.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { abstractAddress } from '../agent/ports/abstract-socket.ts';
import {
  frame,
  LENGTH_BYTES,
  openMultipathd,
  openReply,
  REPLY_BYTES_MAX,
} from '../agent/ports/multipathd.ts';

const REQUEST = { kind: 'multipathd', request: 'show maps json' } as const;
const folder = mkdtempSync(join(tmpdir(), 'nospof-multipathd-'));
const ROOTS = { proc: '/proc', sys: '/sys', dev: '/dev', run: folder };
let names = 0;

t.teardown(() => rmSync(folder, { recursive: true, force: true }));

interface Libc {
  readonly load: (path: null) => {
    readonly func: (prototype: string) => (...args: readonly (number | Buffer)[]) => number;
  };
}

/** A descriptor that listens on an abstract name of exactly this length. */
function listenExact(name: string): number {
  const koffi = createRequire(import.meta.url)('koffi') as Libc;
  const libc = koffi.load(null);
  const address = abstractAddress(name);
  const fd = libc.func('int socket(int domain, int type, int protocol)')(1, 1, 0);
  const bound = libc.func('int bind(int fd, void *address, uint32_t length)')(
    fd,
    address,
    address.length,
  );
  const listens = libc.func('int listen(int fd, int backlog)')(fd, 8);
  if (fd < 0 || bound !== 0 || listens !== 0) throw new Error(`cannot listen on @${name}`);
  return fd;
}

/** A daemon under a name of its own; `answer` is called with each question. */
async function daemon(
  t: Test,
  answer: (socket: Socket, question: string) => void,
  where: 'abstract' | 'file' = 'abstract',
): Promise<string> {
  names += 1;
  const name = `nospof-test-${process.pid}-${names}`;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let bytes = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < LENGTH_BYTES || bytes.at(-1) !== 0) return;
      answer(socket, bytes.subarray(LENGTH_BYTES, -1).toString());
      bytes = Buffer.alloc(0);
    });
  });
  await new Promise<void>((resolve) => {
    if (where === 'file') server.listen(join(folder, 'multipathd.socket'), resolve);
    else server.listen({ fd: listenExact(name) }, resolve);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return name;
}

t.test('asks over an abstract name of exact length', async (t) => {
  const name = await daemon(t, (socket, question) => socket.write(frame(`you said ${question}`)));
  const listed = readFileSync('/proc/net/unix', 'utf8').split('\n');
  t.ok(
    listed.some((line) => line.endsWith(` @${name}`)),
    'the kernel has the name without padding',
  );
  const port = openMultipathd({ roots: ROOTS, abstractName: name });
  t.strictSame(await port.read(REQUEST), { text: 'you said show maps json' });
  t.strictSame(await port.read(REQUEST), { text: 'you said show maps json' }, 'and again');
  port.close();
  t.strictSame((await port.read(REQUEST)) as object, {
    errno: 'ECANCELED',
    why: 'the agent is ending',
  });
});

t.test('an answer in many pieces, of many megabytes', async (t) => {
  const text = JSON.stringify({ maps: ['ä'.repeat(3_000_000)] });
  const bytes = frame(text);
  const name = await daemon(t, (socket) => {
    for (const end of [3, 8, 9, 70_000, bytes.length]) {
      const start = [0, 3, 8, 9, 70_000][[3, 8, 9, 70_000, bytes.length].indexOf(end)] ?? 0;
      socket.write(bytes.subarray(start, end));
    }
  });
  const port = openMultipathd({ roots: ROOTS, abstractName: name });
  const entry = await port.read(REQUEST);
  t.equal('text' in entry && entry.text === text, true);
});

t.test('falls back on the socket file of newer daemons', async (t) => {
  await daemon(t, (socket) => socket.write(frame('by the file')), 'file');
  const port = openMultipathd({ roots: ROOTS, abstractName: `nospof-test-${process.pid}-none` });
  t.strictSame(await port.read(REQUEST), { text: 'by the file' });
});

t.test('nobody listens', async (t) => {
  const port = openMultipathd({ roots: ROOTS, abstractName: `nospof-test-${process.pid}-none` });
  t.match(await port.read(REQUEST), { errno: 'ECONNREFUSED', why: 'nobody listens on its socket' });
});

t.test('a daemon that holds its lock', async (t) => {
  const name = await daemon(t, () => undefined);
  const port = openMultipathd({ roots: ROOTS, abstractName: name, deadlineMs: 50 });
  const [first, second] = await Promise.all([port.read(REQUEST), port.read(REQUEST)]);
  t.match(first, { errno: 'ETIMEDOUT', why: 'no answer within 50 ms' });
  t.match(second, { errno: 'EBUSY' }, 'one question at a time');
});

t.test('a daemon that hangs up', async (t) => {
  const silent = await daemon(t, (socket) => socket.end());
  t.match(await openMultipathd({ roots: ROOTS, abstractName: silent }).read(REQUEST), {
    errno: 'EPIPE',
  });
  const halfway = await daemon(t, (socket) => socket.end(frame('half of this').subarray(0, 14)));
  t.match(await openMultipathd({ roots: ROOTS, abstractName: halfway }).read(REQUEST), {
    errno: 'EPIPE',
  });
});

t.test('an answer that is too long, or not framed', async (t) => {
  const head = frame('x'.repeat(REPLY_BYTES_MAX + 1)).subarray(0, LENGTH_BYTES);
  const long = await daemon(t, (socket) => socket.write(head));
  t.match(await openMultipathd({ roots: ROOTS, abstractName: long }).read(REQUEST), {
    errno: 'E2BIG',
    why: `the answer exceeds ${REPLY_BYTES_MAX} bytes`,
  });
  const bare = Buffer.concat([frame('text').subarray(0, -1), Buffer.from('!')]);
  const unframed = await daemon(t, (socket) => socket.write(bare));
  t.match(await openMultipathd({ roots: ROOTS, abstractName: unframed }).read(REQUEST), {
    errno: 'EPROTO',
  });
  const text = await daemon(t, (socket) => socket.write('permission denied\n'));
  t.match(await openMultipathd({ roots: ROOTS, abstractName: text }).read(REQUEST), {
    errno: 'E2BIG',
  });
});

t.test('nothing but questions is asked', async (t) => {
  const port = openMultipathd({ roots: ROOTS });
  for (const request of ['fail path sda', 'show maps\0del map x', 'shutdown', '']) {
    t.match(await port.read({ kind: 'multipathd', request }), { errno: 'EPERM' });
  }
});

t.test('an answer reads the same however it is cut', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(40)), (text, cuts) => {
      const bytes = frame(text);
      const take = openReply();
      let at = 0;
      let entry: ReturnType<typeof take>;
      for (const cut of [...cuts, bytes.length]) {
        if (entry !== undefined || at >= bytes.length) break;
        entry = take(bytes.subarray(at, at + cut));
        at += cut;
      }
      t.strictSame(entry, { text: Buffer.from(text, 'utf8').toString('utf8') });
    }),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const take = openReply();
      for (const chunk of chunks) if (take(Buffer.from(chunk)) !== undefined) return;
    }),
  );
  t.end();
});
