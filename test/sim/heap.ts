/** What is to happen, by virtual time in microseconds, and in the order of asking where times are equal. */

export interface Event {
  readonly us: number;
  readonly order: number;
  readonly run: () => void;
}

export class Heap {
  #events: Event[] = [];
  #order = 0;

  get size(): number {
    return this.#events.length;
  }

  push(us: number, run: () => void): void {
    const events = this.#events;
    this.#order += 1;
    const event = { us, order: this.#order, run };
    let at = events.length;
    events.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = events[up];
      if (parent === undefined || parent.us <= us) break;
      events[at] = parent;
      at = up;
    }
    events[at] = event;
  }

  /** The first event at or before this time, taken out. */
  pop(untilUs: number): Event | undefined {
    const events = this.#events;
    const [first] = events;
    if (first === undefined || first.us > untilUs) return undefined;
    const last = events.pop();
    if (last !== undefined && events.length > 0) this.#sink(last);
    return first;
  }

  #sink(event: Event): void {
    const events = this.#events;
    const { length } = events;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      let child = events[down];
      if (child === undefined) break;
      const right = events[down + 1];
      if (down + 1 < length && right !== undefined && isBefore(right, child)) {
        down += 1;
        child = right;
      }
      if (!isBefore(child, event)) break;
      events[at] = child;
      at = down;
    }
    events[at] = event;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.us < other.us || (one.us === other.us && one.order < other.order);
}
