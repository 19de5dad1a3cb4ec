/**
 * Watchdog timers as /sys/class/watchdog shows them, without opening one (opening starts it). A timer
 * nobody arms is no fault of the timer: that is advice. A boot that the watchdog forced is evidence
 * about the boot before, kept as a gauge and a fact; the timer itself did its work and is ok.
 *
 * Sources: Documentation/ABI/testing/sysfs-class-watchdog, drivers/watchdog/watchdog_dev.c.
 */
import { type Advice, componentId, type Observation, type Reading } from '../../rules/model.ts';
import { byNumber, devices, distinct, nothing, unreadWhy } from './class-devices.ts';
import type { Snapshot, Source } from './collector.ts';
import { bit, decimal, defined, word } from './snapshot.ts';

/** WDIOF_CARDRESET in `bootstatus`: the timer ran out and reset the machine. */
const CARD_RESET = 0x20;

function wasReset(device: Snapshot): boolean | undefined {
  const status = decimal(device, 'bootstatus');
  return status === undefined ? undefined : (status & CARD_RESET) !== 0;
}

function verdict(device: Snapshot): Pick<Reading, 'health' | 'why'> {
  const state = word(device, 'state');
  if (state !== 'active' && state !== 'inactive') {
    return { health: 'unknown', why: unreadWhy(device, 'state') };
  }
  return wasReset(device) === true
    ? { health: 'ok', why: 'the last boot was a reset by this watchdog' }
    : { health: 'ok' };
}

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function reading(parts: readonly string[], name: string, device: Snapshot): Reading {
  const reset = wasReset(device);
  const state = word(device, 'state');
  return {
    component: componentId('watchdog', ...parts),
    kind: 'watchdog',
    name: word(device, 'identity') ?? name,
    ...verdict(device),
    gauges: defined({
      active: flag(state === 'active' ? true : state === 'inactive' ? false : undefined),
      last_boot_reset: flag(reset),
      timeout_seconds: decimal(device, 'timeout'),
      pretimeout_seconds: decimal(device, 'pretimeout'),
      timeleft_seconds: decimal(device, 'timeleft'),
    }),
    facts: defined({
      device: name,
      nowayout: { true: 'yes', false: 'no', undefined: undefined }[`${bit(device, 'nowayout')}`],
      last_boot: reset === true ? 'reset by this watchdog' : undefined,
    }),
    needs: [],
  };
}

function advise(readings: readonly Reading[]): Advice[] {
  const about = readings[0]?.component ?? componentId('watchdog');
  if (readings.length === 0) {
    const text =
      'No watchdog: a node that hangs stays hung. Load the driver of the board (or softdog).';
    return [{ code: 'watchdog-missing', about, text }];
  }
  // An unknown state may be active: said only where every timer was seen at rest.
  if (!readings.every((one) => one.gauges.active === 0)) return [];
  const text = 'No watchdog is armed. Set RuntimeWatchdogSec= in systemd, or let the agent arm it.';
  return [{ code: 'watchdog-inactive', about, text }];
}

function parse(snapshot: Snapshot): Observation {
  const found = devices(snapshot, 'sys/class/watchdog');
  if (found.size === 0) {
    const empty = nothing(snapshot, 'no watchdog');
    if (empty.kind === 'blind') return empty;
    // Seen with no readings rather than `none`, because only `seen` can carry the advice.
    return { kind: 'seen', readings: [], groups: [], advice: advise([]) };
  }
  const names = [...found.keys()].sort(byNumber);
  const device = (name: string): Snapshot => found.get(name) ?? new Map();
  const parts = distinct(
    names,
    (name) => word(device(name), 'identity') ?? name,
    (name) => name,
  );
  const readings = names.map((name) => reading(parts.get(name) ?? [name], name, device(name)));
  return { kind: 'seen', readings, groups: [], advice: advise(readings) };
}

export const watchdog: Source = {
  name: 'watchdog',
  reads: [
    {
      kind: 'file',
      root: 'sys',
      // `dev` is there even without CONFIG_WATCHDOG_SYSFS: a timer that tells nothing is not no timer.
      glob: 'class/watchdog/*/{dev,identity,state,status,timeout,timeleft,bootstatus,nowayout,pretimeout}',
    },
  ],
  wakes: [],
  everyMs: 10_000,
  staleMs: 40_000,
  parse,
};
