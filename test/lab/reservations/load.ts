/**
 * Write load on a block device, past the page cache: several writers that never rest, each write stamped with
 * its epoch. It notes what failed with which error, and the longest time without a finished write.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import koffi from 'koffi';

const BLOCK_BYTES = 4096;
const WRITERS = 4;
/** O_DIRECT of x86; node:fs has no name for it. */
const O_DIRECT = 0o40000;
const RETRY_MS = 5;

/** A buffer that may be handed to a device without a copy. */
function aligned(bytes: number): Buffer {
  const room = Buffer.alloc(bytes + BLOCK_BYTES);
  const at = Number(
    (BigInt(BLOCK_BYTES) - (koffi.address(room) % BigInt(BLOCK_BYTES))) % BigInt(BLOCK_BYTES),
  );
  return room.subarray(at, at + bytes);
}

export interface LoadReport {
  readonly done: number;
  /** Failed writes by their error. */
  readonly failed: Readonly<Record<string, number>>;
  readonly gapMs: number;
}

export interface Load {
  readonly stop: () => Promise<LoadReport>;
}

export async function startLoad(device: string, epoch: number): Promise<Load> {
  const handle = await open(device, constants.O_RDWR | O_DIRECT);
  const failed: Record<string, number> = {};
  let running = true;
  let done = 0;
  let gapMs = 0;
  let lastMs = performance.now();
  const write = async (writer: number): Promise<void> => {
    const block = aligned(BLOCK_BYTES);
    for (let count = 0; running; count += 1) {
      block.writeUInt32BE(epoch, 0);
      block.writeUInt32BE(count, 4);
      try {
        await handle.write(block, 0, BLOCK_BYTES, writer * BLOCK_BYTES);
        const nowMs = performance.now();
        gapMs = Math.max(gapMs, nowMs - lastMs);
        lastMs = nowMs;
        done += 1;
      } catch (error) {
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        failed[code] = (failed[code] ?? 0) + 1;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
  return {
    stop: async () => {
      running = false;
      await Promise.all(writers);
      await handle.close();
      return { done, failed, gapMs };
    },
  };
}

/** What stands where the load writes, as hexadecimal of each block's stamp. */
export async function stamps(device: string): Promise<string> {
  const handle = await open(device, constants.O_RDONLY | O_DIRECT);
  try {
    const block = aligned(BLOCK_BYTES * WRITERS);
    await handle.read(block, 0, block.length, 0);
    return Array.from({ length: WRITERS }, (_, writer) =>
      block.toString('hex', writer * BLOCK_BYTES, writer * BLOCK_BYTES + 8),
    ).join(' ');
  } finally {
    await handle.close();
  }
}
