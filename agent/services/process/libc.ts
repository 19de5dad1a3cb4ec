/**
 * The libc calls the keeper needs beyond Node: to be the reaper of what its services leave behind, and
 * to watch processes that are not its children. Without koffi it does without, at 250 ms for the latter.
 */

export interface KeeperLibc {
  /** Orphans of descendants become children of this process. False where the kernel refuses. */
  readonly becomeSubreaper: () => boolean;
  /** Takes the status of a child that Node does not know. */
  readonly reap: (pid: number) => void;
  /** A descriptor of the process, or -1. */
  readonly pidfdOpen: (pid: number) => number;
  /** Which of the descriptors' processes have ended, after waiting at most so long, off the loop. */
  readonly awaitEnd: (pidfds: readonly number[], timeoutMs: number) => Promise<readonly number[]>;
}

const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
/** pidfd_open(2): the same number on every architecture (Linux 5.3). */
const SYS_PIDFD_OPEN = 434;
const POLLIN = 1;
const POLLFD_BYTES = 8;

export async function openKeeperLibc(): Promise<KeeperLibc | undefined> {
  try {
    const { default: koffi } = await import('koffi');
    const library = koffi.load('libc.so.6');
    const prctl = library.func(
      'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
    );
    const waitpid = library.func('int waitpid(int pid, void *status, int options)');
    const syscall = library.func('long syscall(long number, int pid, unsigned int flags)');
    const poll = library.func('int poll(void *fds, unsigned long count, int timeoutMs)');
    return {
      becomeSubreaper: () => prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) === 0,
      reap: (pid) => void waitpid(pid, new Int32Array(1), WNOHANG),
      pidfdOpen: (pid) => Number(syscall(SYS_PIDFD_OPEN, pid, 0)),
      awaitEnd: (pidfds, timeoutMs) => {
        const bytes = Buffer.alloc(POLLFD_BYTES * pidfds.length);
        for (const [place, fd] of pidfds.entries()) {
          bytes.writeInt32LE(fd, POLLFD_BYTES * place);
          bytes.writeInt16LE(POLLIN, POLLFD_BYTES * place + 4);
        }
        return new Promise((resolve) => {
          poll.async(bytes, pidfds.length, timeoutMs, () => {
            resolve(pidfds.filter((_, place) => bytes.readInt16LE(POLLFD_BYTES * place + 6) !== 0));
          });
        });
      },
    };
  } catch {
    return undefined;
  }
}
