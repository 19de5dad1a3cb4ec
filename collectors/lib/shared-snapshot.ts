/**
 * What a source read, as one value. Of thousands of entries a few change each second: a snapshot that
 * differs from the one before in some texts shares all else with it, and says which, so that neither
 * making nor parsing it costs more than what changed.
 */
import type { Entry, Snapshot } from './collector.ts';

export class SharedSnapshot implements Snapshot {
  readonly mark: object = {};
  readonly changes: Snapshot['changes'];
  readonly #base: ReadonlyMap<string, Entry>;
  readonly #over: ReadonlyMap<string, Entry>;
  #whole: ReadonlyMap<string, Entry> | undefined;

  constructor(
    base: ReadonlyMap<string, Entry>,
    over: ReadonlyMap<string, Entry> = new Map(),
    changes?: Snapshot['changes'],
  ) {
    this.#base = base;
    this.#over = over;
    this.changes = changes;
  }

  /** The same with other entries under keys that are there. */
  with(entries: ReadonlyMap<string, Entry>): SharedSnapshot {
    const changes = { since: this.mark, keys: [...entries.keys()] };
    return new SharedSnapshot(this.#base, new Map([...this.#over, ...entries]), changes);
  }

  get size(): number {
    return this.#base.size;
  }

  get(key: string): Entry | undefined {
    return this.#over.get(key) ?? this.#base.get(key);
  }

  has(key: string): boolean {
    return this.#base.has(key);
  }

  forEach(call: (entry: Entry, key: string, map: ReadonlyMap<string, Entry>) => void): void {
    this.#all().forEach(call);
  }

  keys(): MapIterator<string> {
    return this.#base.keys();
  }

  values(): MapIterator<Entry> {
    return this.#all().values();
  }

  entries(): MapIterator<[string, Entry]> {
    return this.#all().entries();
  }

  [Symbol.iterator](): MapIterator<[string, Entry]> {
    return this.entries();
  }

  #all(): ReadonlyMap<string, Entry> {
    if (this.#over.size === 0) return this.#base;
    // In the order of the base: replacing a value moves no key.
    this.#whole ??= new Map([...this.#base, ...this.#over]);
    return this.#whole;
  }
}
