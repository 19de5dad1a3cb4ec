/**
 * A rule as the operator writes it, checked and in units: a condition held for a time, and the ladder of
 * remedies it climbs. The shape is that of a Prometheus alerting rule. Nothing here evaluates or decides;
 * YAML, the schema and messages with line and caret are `agent/config`'s.
 */

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a rule looks at: each thing that the glob names is judged by itself and has an alarm of its own. */
export type Subject =
  | { readonly kind: 'component'; readonly glob: string }
  | { readonly kind: 'group'; readonly glob: string }
  | { readonly kind: 'source'; readonly glob: string }
  | { readonly kind: 'service'; readonly glob: string }
  /** The node and the agent themselves: one alarm. */
  | { readonly kind: 'node' };

/** At most `count` of it within `withinMs`; one more is refused by the guard `budget`. */
export interface Budget {
  readonly count: number;
  readonly withinMs: number;
}

/** What a remedy does. `$subject` in a target stands for the subject of the alarm. */
export type Deed =
  /**
   * Told to people through every sink; succeeds when one of them took it. The ladder does not wait for it.
   * Undone (`undo`) when the alarm clears: people are told that it is over.
   */
  | { readonly kind: 'notify' }
  | { readonly kind: 'restart'; readonly service: string }
  /** Less power drawn; undone when the alarm clears. The values are what the machine offers, best first. */
  | { readonly kind: 'shed-power'; readonly knobs: readonly PowerKnob[] }
  /** Absolute path and arguments; never a shell. */
  | { readonly kind: 'run'; readonly argv: readonly string[] }
  | { readonly kind: 'handover'; readonly hierarchy: string }
  | { readonly kind: 'fence'; readonly node: string };

export type PowerKnob = 'governor' | 'energy-preference' | 'platform-profile' | 'rapl-limit';

/** One rung of a ladder. */
export interface Remedy {
  readonly deed: Deed;
  /** An action without an outcome by then is `unknown`. */
  readonly deadlineMs: number;
  /** After a verified outcome the alarm has so long to clear before the next rung. */
  readonly settleMs: number;
  readonly budget: Budget;
}

export interface Rule {
  /** Kebab-case and unique: the file's name for catalog rules. */
  readonly name: string;
  readonly on: Subject;
  /** CEL, of type bool. */
  readonly condition: string;
  /** The condition must hold so long before the alarm is raised. */
  readonly forMs: number;
  /**
   * CEL whose value must stay the same meanwhile: when it changes, the hold begins anew. For what ought to
   * move, such as the progress of a rebuild. Not known counts as one more value.
   */
  readonly unchanged?: string;
  /** And must be false so long before it is cleared. */
  readonly keepForMs: number;
  /** Raised only when the condition became true so often within the time. */
  readonly times?: { readonly count: number; readonly withinMs: number };
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  /** Text with `{{ CEL }}` in it: the values of the moment it was raised, renewed while it holds. */
  readonly summary: string;
  /** What it means and what to do, for the one who is woken. */
  readonly about: string;
  /**
   * `doubt`: the condition may hold on what is not known, so its ladder may only notify (and, once there
   * are peers, act on peers). `certain`: even the hopeful end is bad, local remedies are allowed.
   */
  readonly certainty: 'certain' | 'doubt';
  /** Rules whose alarm on something this subject needs explains this one: muted, not hidden. */
  readonly explainedBy: readonly string[];
  /** `shadow`: everything is decided and written down, nothing is done. */
  readonly mode: 'armed' | 'shadow';
  readonly ladder: readonly Remedy[];
  /** `catalog` or the file it came from: said wherever the rule is named to people. */
  readonly origin: string;
}
