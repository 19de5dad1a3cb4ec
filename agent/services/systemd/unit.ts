/** What the properties of a unit say of a service. Source: org.freedesktop.systemd1(5). */
import type { Exit, ServiceSeen } from '../../../rules/service.ts';

export type UnitProperties = Readonly<Record<string, unknown>>;

/** waitid(2): CLD_EXITED, CLD_KILLED, CLD_DUMPED. */
const EXITED = 1;
const KILLED = 2;
const DUMPED = 3;

/** A variant as the library gives it: its type and its value. */
function plain(variant: unknown): unknown {
  if (!Array.isArray(variant)) return variant;
  const value: unknown = (variant as readonly unknown[])[1];
  return Array.isArray(value) ? value[0] : value;
}

/** `a{sv}` as an object. */
export function propertiesOf(body: readonly unknown[]): UnitProperties {
  const [entries] = body;
  const found = Object.create(null) as Record<string, unknown>;
  if (!Array.isArray(entries)) return found;
  for (const entry of entries as readonly unknown[]) {
    if (!Array.isArray(entry)) continue;
    const [name, variant] = entry as readonly unknown[];
    if (typeof name === 'string') found[name] = plain(variant);
  }
  return found;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  const number = Number(value);
  return Number.isFinite(number) ? number : 0;
}

/** The invocation id, 16 bytes: another one is another run. */
function runOf({ InvocationID: id }: UnitProperties): string {
  if (Buffer.isBuffer(id)) return id.toString('hex');
  return Array.isArray(id) ? Buffer.from(id as number[]).toString('hex') : '';
}

function exitOf(properties: UnitProperties): Exit | undefined {
  const { ExecMainCode: code, ExecMainStatus: status, Result: result } = properties;
  const ended = numberOf(properties.ExecMainExitTimestampMonotonic);
  const started = numberOf(properties.ExecMainStartTimestampMonotonic);
  if (ended === 0 && numberOf(code) === 0) return undefined;
  const how =
    code === EXITED ? 'status' : code === KILLED || code === DUMPED ? 'signal' : 'unknown';
  return {
    run: runOf(properties) || `${ended}`,
    how,
    value: numberOf(status),
    afterStartMs: Math.max(0, Math.round((ended - started) / 1000)),
    lastLine: textOf(properties.StatusText) || (result === 'success' ? '' : textOf(result)),
  };
}

/** What cannot be started at all, however often. */
function unusable({ LoadState: load, Id: id }: UnitProperties): ServiceSeen | undefined {
  if (load === 'loaded' || load === 'merged' || load === undefined) return undefined;
  return { kind: 'failed', why: `${textOf(id)} is ${textOf(load)}`, lasting: true };
}

export function seenOf(properties: UnitProperties): ServiceSeen {
  const wrong = unusable(properties);
  if (wrong !== undefined) return wrong;
  const run = runOf(properties);
  const exit = exitOf(properties);
  const ended = exit === undefined ? {} : { exit };
  switch (properties.ActiveState) {
    case 'active':
    case 'reloading':
    case 'refreshing': {
      const pid = numberOf(properties.MainPID);
      return { kind: 'running', run, ...(pid > 0 ? { pid } : {}) };
    }
    case 'activating':
      return { kind: 'starting', run };
    case 'deactivating':
      return { kind: 'stopping', run };
    case 'inactive':
    case 'maintenance':
      return { kind: 'stopped', ...ended };
    case 'failed':
      return { kind: 'failed', why: `systemd says ${textOf(properties.Result)}`, ...ended };
    default:
      return { kind: 'unknown', why: `its state is '${textOf(properties.ActiveState)}'` };
  }
}
