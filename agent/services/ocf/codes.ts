/**
 * The return codes of OCF resource agents, all of them, and what each says to a `monitor`.
 * Source: OCF resource agent API 1.1, and Pacemaker's administration manual for 190 and 191.
 */

export interface OcfCode {
  readonly text: string;
  /**
   * `failed`: something may be left, it is stopped before it is started again. `lasting`: trying again on
   * this node cannot help. `unsupported`: the agent does not know the question; that says nothing.
   */
  readonly monitor: 'running' | 'degraded' | 'stopped' | 'failed' | 'lasting' | 'unsupported';
}

const CODES: Readonly<Record<number, OcfCode>> = {
  0: { text: 'ok', monitor: 'running' },
  1: { text: 'generic error', monitor: 'failed' },
  2: { text: 'bad parameters', monitor: 'lasting' },
  3: { text: 'not implemented', monitor: 'unsupported' },
  4: { text: 'insufficient privileges', monitor: 'lasting' },
  5: { text: 'not installed', monitor: 'lasting' },
  6: { text: 'not configured', monitor: 'lasting' },
  7: { text: 'not running', monitor: 'stopped' },
  8: { text: 'running, promoted', monitor: 'running' },
  9: { text: 'failed while promoted', monitor: 'failed' },
  190: { text: 'degraded', monitor: 'degraded' },
  191: { text: 'degraded, promoted', monitor: 'degraded' },
};

export function codeOf(status: number): OcfCode {
  return CODES[status] ?? { text: `error ${status} of its own`, monitor: 'failed' };
}
