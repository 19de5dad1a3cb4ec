/**
 * What the kernel says of its own state: oops and warning counters, the taint mask, and what it would
 * do at the next oops or panic. Taint marks set by loading modules are provenance and no fault. An
 * oopsed kernel has killed one process and goes on with locks and memory that nobody vouches for
 * (Bottomley, section 4.1), so it is failed, however well it seems to run: only a reboot mends it.
 *
 * Sources: Documentation/admin-guide/tainted-kernels.rst, sysctl/kernel.rst, ABI/testing/sysfs-kernel-oops_count.
 */
import { type Advice, componentId, type Health, type Observation } from '../../rules/model.ts';
import type { Snapshot, Source } from './collector.ts';
import { decimal, defined, errno, hasText } from './snapshot.ts';

const OOPS = componentId('kernel', 'oops');

const SYSCTL = 'proc/sys/kernel';

/** Taint bits that mark a fault, worst first; the letter is the kernel's own. */
const TAINTS: readonly {
  readonly bit: number;
  readonly letter: string;
  readonly health: Health;
  readonly why: string;
}[] = [
  {
    bit: 7,
    letter: 'D',
    health: 'failed',
    why: 'the kernel oopsed since boot: state beyond the process may be damaged',
  },
  { bit: 5, letter: 'B', health: 'failing', why: 'the kernel found a bad page of memory' },
  { bit: 4, letter: 'M', health: 'failing', why: 'the processor reported a machine check' },
  { bit: 14, letter: 'L', health: 'failing', why: 'a processor was stuck in a soft lockup' },
  { bit: 9, letter: 'W', health: 'failing', why: 'the kernel warned of a state it did not expect' },
];

function hasBit(mask: number, bit: number): boolean {
  return (mask & (1 << bit)) !== 0;
}

interface Verdict {
  readonly health: Health;
  readonly why?: string;
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function judge(snapshot: Snapshot): Verdict {
  const oopses = decimal(snapshot, 'sys/kernel/oops_count') ?? 0;
  const warnings = decimal(snapshot, 'sys/kernel/warn_count') ?? 0;
  const tainted = decimal(snapshot, `${SYSCTL}/tainted`);
  if (oopses > 0) {
    const count = plural(oopses, 'oops', 'oopses');
    return {
      health: 'failed',
      why: `${count} since boot: state beyond the process may be damaged`,
    };
  }
  const mark = TAINTS.find(({ bit }) => tainted !== undefined && hasBit(tainted, bit));
  if (mark !== undefined && mark.letter !== 'W') {
    return { health: mark.health, why: `${mark.why} (taint ${mark.letter})` };
  }
  if (warnings > 0) {
    const count = plural(warnings, 'kernel warning', 'kernel warnings');
    return { health: 'failing', why: `${count} since boot` };
  }
  if (mark !== undefined) return { health: mark.health, why: `${mark.why} (taint ${mark.letter})` };
  if (tainted === undefined) {
    const reason = errno(snapshot, `${SYSCTL}/tainted`) ?? 'no number';
    return { health: 'unknown', why: `cannot read /${SYSCTL}/tainted: ${reason}` };
  }
  return { health: 'ok' };
}

function onPanic(timeoutSeconds: number | undefined): string | undefined {
  if (timeoutSeconds === undefined) return undefined;
  if (timeoutSeconds === 0) return 'hangs';
  return timeoutSeconds < 0 ? 'reboots at once' : `reboots after ${timeoutSeconds} s`;
}

/** Settings that turn a fault into a panic, and so a limping node into a clean fault. */
const PANICS: readonly (readonly [string, string])[] = [
  ['panic_on_oops', 'oops'],
  ['softlockup_panic', 'soft lockup'],
  ['hardlockup_panic', 'hard lockup'],
  ['hung_task_panic', 'hung task'],
];

function panicsOn(snapshot: Snapshot): string | undefined {
  const read = PANICS.filter(([file]) => decimal(snapshot, `${SYSCTL}/${file}`) !== undefined);
  if (read.length === 0) return undefined;
  const on = read.filter(([file]) => decimal(snapshot, `${SYSCTL}/${file}`) !== 0);
  return on.map(([, words]) => words).join(', ') || 'nothing';
}

function advise(snapshot: Snapshot): Advice[] {
  const advice: Advice[] = [];
  const limit = decimal(snapshot, `${SYSCTL}/oops_limit`);
  // oops_limit 1 is panic_on_oops by another name; 0 means without end. Older kernels lack it.
  if (decimal(snapshot, `${SYSCTL}/panic_on_oops`) === 0 && limit !== 1) {
    advice.push({
      code: 'panic-on-oops-off',
      about: OOPS,
      text: 'After an oops this node limps on with damaged state. Set sysctl kernel.panic_on_oops=1.',
    });
  }
  if (decimal(snapshot, `${SYSCTL}/panic`) === 0) {
    advice.push({
      code: 'panic-timeout-zero',
      about: OOPS,
      text: 'After a panic this node hangs for ever. Set sysctl kernel.panic=10 to have it reboot.',
    });
  }
  return advice;
}

function parse(snapshot: Snapshot): Observation {
  if (![...snapshot.values()].some(hasText)) {
    const reason = errno(snapshot, `${SYSCTL}/tainted`) ?? 'ENOENT';
    const hint = reason === 'ENOENT' ? '; is /proc mounted?' : '';
    return { kind: 'blind', why: `cannot read /${SYSCTL}/tainted: ${reason}${hint}` };
  }
  const tainted = decimal(snapshot, `${SYSCTL}/tainted`);
  const letters = TAINTS.filter(({ bit }) => tainted !== undefined && hasBit(tainted, bit));
  const reading = {
    component: OOPS,
    kind: 'kernel',
    name: 'running kernel',
    ...judge(snapshot),
    gauges: defined({
      oopses_total: decimal(snapshot, 'sys/kernel/oops_count'),
      warnings_total: decimal(snapshot, 'sys/kernel/warn_count'),
      hung_tasks_total: decimal(snapshot, `${SYSCTL}/hung_task_detect_count`),
      hung_task_timeout_seconds: decimal(snapshot, `${SYSCTL}/hung_task_timeout_secs`),
      tainted,
    }),
    facts: defined({
      on_panic: onPanic(decimal(snapshot, `${SYSCTL}/panic`)),
      panics_on: panicsOn(snapshot),
      taint: letters.map(({ letter }) => letter).join('') || undefined,
    }),
    needs: [],
    virtual: true as const,
  };
  return { kind: 'seen', readings: [reading], groups: [], advice: advise(snapshot) };
}

export const health: Source = {
  name: 'health',
  reads: [
    { kind: 'file', root: 'sys', glob: 'kernel/{oops_count,warn_count}' },
    {
      kind: 'file',
      root: 'proc',
      glob: 'sys/kernel/{tainted,panic,panic_on_oops,oops_limit,hung_task_panic,hung_task_timeout_secs,hung_task_detect_count,softlockup_panic,hardlockup_panic}',
    },
  ],
  wakes: [{ on: 'kmsg' }],
  everyMs: 5000,
  staleMs: 20_000,
  parse,
};
