/** Starts the API process. Apart from what feeds it, so that it can load while the agent itself does. */
import { type ChildProcess, fork } from 'node:child_process';

const CHILD = new URL('./child.js', import.meta.url);
/** Keeps a child that runs wild from pushing the agent out of memory. Eight times what it was seen to use. */
const HEAP_MIB = 256;
/**
 * What a scrape makes is garbage the moment it is sent: with the usual 1 MiB to make it in, collecting it
 * was half of the scrape. Helper threads for it cost more than they spare.
 */
const YOUNG_MIB = 8;

/** It waits for its settings, and ends when its channel does. */
export function forkApi(): ChildProcess {
  return fork(CHILD, [], {
    cwd: '/',
    env: {},
    execArgv: [
      `--max-old-space-size=${HEAP_MIB}`,
      `--min-semi-space-size=${YOUNG_MIB}`,
      '--single-threaded-gc',
    ],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}
