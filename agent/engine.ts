/**
 * One setting of V8 for a process that idles for months: it is worth more to compile little than to
 * compile early. What the agent does once a second would otherwise be compiled for minutes after each
 * start, in helper threads, at a third of its whole processor time. Set at the start of `run`, because
 * whoever starts us need not know it.
 */
import { setFlagsFromString } from 'node:v8';

/** Bytecode that a function runs before it is compiled anew: eight times the usual. */
const INTERRUPT_BUDGET = 1_000_000;

export function compileLess(): void {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
}
