/**
 * Mutual exclusion between asynchronous pieces of work: what reads state, waits, and writes it back must not interleave.
 */

/** Runs one piece of work at a time, in the order in which they came. */
export class Lock {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` after all that came before it, whether that succeeded or not. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** A {@link Lock} for each key, kept for as long as somebody holds it or waits. */
export class KeyedLock {
  readonly #locks = new Map<string, { lock: Lock; users: number }>();

  /** Runs `work` after all that came before it under the same key. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const entry = this.#locks.get(key) ?? { lock: new Lock(), users: 0 };
    this.#locks.set(key, entry);
    entry.users += 1;
    try {
      return await entry.lock.run(work);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) this.#locks.delete(key);
    }
  }
}
