/**
 * What is asked of a switch and what it answers, whatever carries the question: the contract between
 * plans, interpreters and transports. An answer has three values, and `unknown` is one of them: only
 * what was read and is listed as off may be called off. Nothing here knows a device or a wire.
 */
import type { Ms } from '../rules/model.ts';

/**
 * `read` looks and changes nothing. `off` and `on` order the state and end when it was seen, or at the
 * deadline. There is no `cycle`: a device that switches off and on by itself proves nothing.
 */
export type Want = 'read' | 'off' | 'on';

export type OutletState = 'on' | 'off' | 'unknown';

/** One outlet as the operator names it. */
export interface OutletRef {
  /** Its number on the device (`3`, `1.3` where units are chained) or its label (`AA1`). */
  readonly id: string;
  /** The name the device must show for it. Another name refuses the order: cables may have moved. */
  readonly name?: string;
}

export interface SwitchRequest {
  readonly want: Want;
  /** All of them belong to one device; they are read at one time where the device allows it. */
  readonly outlets: readonly OutletRef[];
}

/** What was found of one outlet. */
export interface OutletReply {
  readonly outlet: string;
  readonly state: OutletState;
  /** One short sentence of evidence, always: raw value, or what stood in the way. */
  readonly why: string;
  /**
   * The state held at some time between these two: when the question that saw it was sent and when
   * its answer had come.
   */
  readonly from: Ms;
  readonly to: Ms;
}

export interface SwitchReply {
  /** In the order of the request, one each. */
  readonly outlets: readonly OutletReply[];
  /** An order was sent, or may have been: the relays may have moved whatever the states say. */
  readonly ordered: boolean;
}

/** The answer when nothing could be learned of any outlet. */
export function allUnknown(
  request: SwitchRequest,
  why: string,
  now: Ms,
  ordered = false,
): SwitchReply {
  return {
    outlets: request.outlets.map(({ id }) => ({
      outlet: id,
      state: 'unknown',
      why,
      from: now,
      to: now,
    })),
    ordered,
  };
}

/** What was wanted was seen for every outlet. A request without outlets proves nothing. */
export function seenAll(reply: SwitchReply, state: 'on' | 'off'): boolean {
  return reply.outlets.length > 0 && reply.outlets.every((outlet) => outlet.state === state);
}
