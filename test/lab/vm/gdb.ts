/**
 * QEMU's gdb stub, for faults that no device can be asked for: a kernel function is stopped at its first
 * instruction and sent to address 0 (an oops), or made to return an error as if its hardware had failed.
 *
 * Protocol: GDB Remote Serial Protocol; register numbers of org.gnu.gdb.i386.core for x86-64.
 */
import type { Socket } from 'node:net';
import { connect } from './channel.ts';
import type { Qmp } from './qmp.ts';

const RAX = '0';
const RSP = '7';
const RIP = '10';
const WORD_BYTES = 8;
const CONNECT_MS = 10_000;

function checksum(body: string): string {
  let sum = 0;
  for (const char of body) sum = (sum + char.charCodeAt(0)) % 256;
  return sum.toString(16).padStart(2, '0');
}

/** A 64-bit number as the stub writes it: little-endian, in hexadecimal. */
function word(value: bigint): string {
  const bytes = Buffer.alloc(WORD_BYTES);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  return bytes.toString('hex');
}

function fromWord(text: string): bigint {
  return Buffer.from(text, 'hex').readBigUInt64LE();
}

interface Stub {
  readonly ask: (body: string) => Promise<string>;
  /** Stops the running machine; that is the answer to the `c` before it. */
  readonly interrupt: () => void;
  readonly close: () => void;
}

function openStub(socket: Socket): Stub {
  let rest = '';
  const waiting: {
    /** Whether its answer is that the machine stopped. */
    readonly stops: boolean;
    readonly done: (reply: string) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  socket.on('close', () => {
    for (const { fail } of waiting.splice(0)) fail(new Error('the gdb stub is gone'));
  });
  socket.on('data', (chunk: string) => {
    rest += chunk;
    for (;;) {
      const packet = /\$([^#]*)#[0-9a-f]{2}/u.exec(rest);
      if (packet === null) return;
      rest = rest.slice(packet.index + packet[0].length);
      socket.write('+');
      const reply = packet[1] ?? '';
      // The stub also tells, unasked, that the machine stopped because somebody attached.
      const stopped = /^[TS]/u.test(reply);
      if (waiting[0]?.stops === stopped) waiting.shift()?.done(reply);
    }
  });
  return {
    ask: (body) =>
      new Promise((done, fail) => {
        waiting.push({ stops: body === 'c' || body === '?', done, fail });
        socket.write(`$${body}#${checksum(body)}`);
      }),
    interrupt: () => socket.write('\x03'),
    close: () => socket.destroy(),
  };
}

async function expectOk(stub: Stub, body: string): Promise<void> {
  const reply = await stub.ask(body);
  if (reply !== 'OK') throw new Error(`the gdb stub answered ${body} with ${reply || 'nothing'}`);
}

async function attach(qmp: Qmp, path: string): Promise<Stub> {
  const line = `gdbserver unix:${path},server=on,wait=off`;
  await qmp.execute('human-monitor-command', { 'command-line': line });
  const stub = openStub(await connect(path, CONNECT_MS));
  await stub.ask('?');
  // Single registers are served only to who has asked for their description.
  await stub.ask('qSupported:xmlRegisters=i386');
  await stub.ask('qXfer:features:read:target.xml:0,ffb');
  return stub;
}

async function detach(qmp: Qmp, stub: Stub): Promise<void> {
  stub.close();
  await qmp.execute('human-monitor-command', { 'command-line': 'gdbserver none' });
  await qmp.execute('cont');
}

/**
 * Stops the machine at the next call of the function and lets it go on at address 0. `call` must make
 * a process of the machine call it; that process dies.
 */
export async function jumpToNull(
  qmp: Qmp,
  path: string,
  address: bigint,
  call: () => Promise<unknown>,
): Promise<void> {
  const stub = await attach(qmp, path);
  try {
    const at = `1,${address.toString(16)},1`;
    await expectOk(stub, `Z${at}`);
    const stopped = stub.ask('c');
    // The process that calls dies in it, so its answer says nothing.
    call().catch(() => undefined);
    await stopped;
    await expectOk(stub, `z${at}`);
    await expectOk(stub, `P${RIP}=${word(0n)}`);
  } finally {
    await detach(qmp, stub);
  }
}

export interface Failing {
  /** The function works again. */
  readonly mend: () => Promise<void>;
}

/** Makes every call of the function return the negative errno at once, until it is mended. */
export async function makeFail(
  qmp: Qmp,
  path: string,
  address: bigint,
  errno: number,
): Promise<Failing> {
  const stub = await attach(qmp, path);
  try {
    await expectOk(stub, `Z1,${address.toString(16)},1`);
  } catch (error) {
    await detach(qmp, stub);
    throw error;
  }
  let on = true;
  const loop = async (): Promise<void> => {
    for (;;) {
      await stub.ask('c');
      // Stopped by hand, or at the function: it then runs as it would have.
      if (!on) return;
      const stack = fromWord(await stub.ask(`p${RSP}`));
      const back = await stub.ask(`m${stack.toString(16)},${WORD_BYTES}`);
      await expectOk(stub, `P${RAX}=${word(BigInt(-errno))}`);
      await expectOk(stub, `P${RSP}=${word(stack + BigInt(WORD_BYTES))}`);
      await expectOk(stub, `P${RIP}=${back}`);
    }
  };
  const running = loop();
  running.catch(() => undefined);
  return {
    mend: async () => {
      on = false;
      stub.interrupt();
      await running;
      // QEMU keeps a breakpoint that nobody took away, and stops at it for ever.
      await expectOk(stub, `z1,${address.toString(16)},1`);
      await detach(qmp, stub);
    },
  };
}
