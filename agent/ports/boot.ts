/** Which boot of the kernel this is: monotonic times of another one cannot be compared with ours. */
import { readFileSync } from 'node:fs';

/** From the real procfs, as the clock is the real one; `unknown` where there is none. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
