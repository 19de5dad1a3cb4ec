/**
 * What a step came to, in words for a tired operator: one line for each change and each decision. The
 * same words are used by why, whatif and replay. Nothing is judged here.
 */
import { timeText } from '../../exporters/status/words.ts';
import type { Because, Decision, Order, Outcome } from '../../rules/decision.ts';
import { assertNever } from '../../rules/model.ts';
import type { GroupChange, HealthChange, SightChange, Verdicts } from '../../rules/verdicts.ts';

/** `2026-11-23T03:40:00.123Z`. */
export function momentText(unixMs: number): string {
  if (!Number.isFinite(unixMs)) return timeText(unixMs);
  const millis = String(Math.floor(unixMs) % 1000).padStart(3, '0');
  return timeText(unixMs).replace(/Z$/u, `.${millis}Z`);
}

/** A length of time as exact as it matters: `2.3 ms`, `4.02 s`, `12 min 5 s`. */
export function spanText(ms: number): string {
  if (ms < 1000) return `${Number(ms.toFixed(ms < 10 ? 1 : 0))} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(2))} s`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.round((ms % 60_000) / 1000);
  if (minutes < 120) return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`;
  return minutes % 60 === 0
    ? `${minutes / 60} h`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function marginText(low: number, high: number, limitedBy: string): string {
  const margin = low === high ? `margin ${low}` : `margin ${low} to ${high}`;
  return limitedBy === '' ? margin : `${margin}, limited by ${limitedBy}`;
}

export function orderText(order: Order): string {
  switch (order.kind) {
    case 'notify':
      return 'notify';
    case 'restart':
    case 'start':
    case 'stop':
    case 'kill':
      return `${order.kind} ${order.service}`;
    case 'shed-power':
      return `shed-power (${order.knobs.join(', ')})`;
    case 'run':
      return `run ${order.argv.join(' ')}`;
    case 'handover':
      return `handover of ${order.hierarchy}`;
    case 'fence':
      return `fence ${order.node}`;
    case 'undo':
      return `undo ${orderText(order.deed)} of action ${order.action}`;
    default:
      return assertNever(order);
  }
}

export function outcomeText({ result, evidence }: Outcome): string {
  return evidence === '' ? result : `${result}: ${evidence}`;
}

export function valuesText({ values }: Because): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ');
}

function because(reason: Because): string {
  return reason.text === '' ? '' : ` (${reason.text})`;
}

function ladderText(reason: Because): string {
  if (reason.alarm === undefined) return '';
  return ` for ${reason.alarm}${reason.rung === undefined ? '' : `, rung ${reason.rung + 1}`}`;
}

export function decisionText(decision: Decision): string {
  switch (decision.kind) {
    case 'alarm': {
      const { id, state, severity, summary, mutedBy } = decision.alarm;
      const muted = mutedBy === undefined ? '' : `, explained by ${mutedBy}`;
      return `alarm ${id}: ${decision.from} -> ${state} [${severity}${muted}] ${summary}`;
    }
    case 'action': {
      const { id, order, because: reason, at, deadlineAt } = decision.action;
      const deadline = spanText(deadlineAt - at);
      return `action ${id}: ${orderText(order)}${ladderText(reason)}${because(reason)}, deadline ${deadline}`;
    }
    case 'refusal':
      return `refused by guard ${decision.guard}: ${orderText(decision.order)}${ladderText(decision.because)}${because(decision.because)}`;
    case 'outcome':
      return `outcome of ${decision.action}: ${outcomeText(decision.outcome)}`;
    case 'service':
      return `${decision.service}: ${decision.from} -> ${decision.to}${because(decision.because)}`;
    case 'maintenance': {
      const { scope, owner, reason } = decision.lease;
      const by = decision.by === undefined ? '' : ` by ${decision.by}`;
      return `maintenance of ${scope} ${decision.change}${by} (of ${owner}: ${reason})`;
    }
    default:
      return assertNever(decision);
  }
}

export function healthText([id, from, to, why]: HealthChange): string {
  return `${id}: ${from} -> ${to}${why === '' ? '' : ` (${why})`}`;
}

export function groupText([id, from, to, low, high, limitedBy]: GroupChange): string {
  return `group ${id}: ${from} -> ${to}, ${marginText(low, high, limitedBy)}`;
}

export function sightText([id, from, to, why]: SightChange): string {
  return `source ${id}: ${from} -> ${to}${why === '' ? '' : ` (${why})`}`;
}

export function verdictLines(verdicts: Verdicts): readonly string[] {
  return [
    ...(verdicts.s ?? []).map(sightText),
    ...(verdicts.h ?? []).map(healthText),
    ...(verdicts.g ?? []).map(groupText),
    ...(verdicts.d ?? []).map(decisionText),
  ];
}
