/**
 * Trying a neighbour with Node alone, where koffi does not load: TCP connect, and for a gateway that
 * does not answer that, the kernel's neighbour table. Weaker than `reach-try.ts`: no ICMP, no binding
 * to an interface, and a dead neighbour stays in the table for up to a minute.
 */
import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Attempt, failed } from './reach-try.ts';

const DEADLINE_MS = 1_000;
/** RFC 863: nobody listens there, so a living host refuses, and nothing is done if one does. */
const DISCARD_PORT = 9;
const ATF_COMPLETE = 0x2;
const LOOK_MS = 100;

/** TCP connect; `ECONNREFUSED` proves life. Refuses to speak for an interface it cannot bind to. */
export function tryPlainTcp({ address, link, port, signal }: Attempt): Promise<Answer> {
  const isScoped = /^fe[89ab]/iu.test(address) && link !== undefined;
  return new Promise((resolve) => {
    const start = performance.now();
    const socket = connect({ host: isScoped ? `${address}%${link}` : address, port });
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(answer);
    };
    const abort = (): void => end({ state: 'error', method: 'tcp', why: 'given up: closing' });
    const timer = setTimeout(() => end({ state: 'silent', method: 'tcp', tries: 1 }), DEADLINE_MS);
    signal.addEventListener('abort', abort);
    const rtt = (): { rttMs: number; tries: number } => ({
      rttMs: performance.now() - start,
      tries: 1,
    });
    socket.on('connect', () => end({ state: 'answered', method: 'tcp', ...rtt() }));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const errno = error.code ?? error.message;
      if (errno === 'ECONNREFUSED' || errno === 'ECONNRESET') {
        end({ state: 'refused', method: 'tcp', ...rtt() });
      } else end(failed('tcp', { errno }, 'connect'));
    });
  });
}

async function isInTable(proc: string, address: string, link: string): Promise<boolean> {
  const table = await readFile(`${proc}/net/arp`, 'utf8');
  return table.split('\n').some((line) => {
    const [entry, , flags = '', , , device] = line.trim().split(/\s+/u);
    return entry === address && device === link && (Number(flags) & ATF_COMPLETE) !== 0;
  });
}

/** Has the kernel resolve the address by a datagram to nobody, and looks whether it could. */
export async function tryTable(proc: string, { address, link, signal }: Attempt): Promise<Answer> {
  if (link === undefined || address.includes(':')) {
    return { state: 'error', method: 'arp', why: 'ARP needs an IPv4 address and a link' };
  }
  const socket = createSocket('udp4');
  try {
    await new Promise((resolve) => {
      socket.on('error', resolve);
      socket.send('', DISCARD_PORT, address, resolve);
    });
    const end = performance.now() + DEADLINE_MS;
    for (;;) {
      if (await isInTable(proc, address, link))
        return { state: 'answered', method: 'arp', tries: 1 };
      if (signal.aborted) return { state: 'error', method: 'arp', why: 'given up: closing' };
      if (performance.now() >= end) return { state: 'silent', method: 'arp', tries: 1 };
      await sleep(LOOK_MS);
    }
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? String(error);
    return { state: 'error', method: 'arp', why: `net/arp: ${errno}` };
  } finally {
    socket.close();
  }
}

/** A default gateway: a refusal of the discard port, else the neighbour table. */
export async function tryPlainGateway(proc: string, attempt: Attempt): Promise<Answer> {
  const tcp = await tryPlainTcp({ ...attempt, port: DISCARD_PORT });
  if (tcp.state === 'answered' || tcp.state === 'refused') return { ...tcp, state: 'answered' };
  const table = await tryTable(proc, attempt);
  return table.state === 'error' ? tcp : table;
}
