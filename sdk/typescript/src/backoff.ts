/**
 * How long to wait before trying again: exponential with full jitter, so that clients that lost the same server do not
 * come back to it at the same moment.
 */

/** The bounds of a {@link Backoff}. */
export interface BackoffLimits {
  /** The longest first pause, in milliseconds. */
  readonly baseMs: number;
  /** The longest pause there is, in milliseconds. */
  readonly capMs: number;
}

/** Counts failures, and tells the pause after each. */
export class Backoff {
  #failures = 0;
  readonly #limits: BackoffLimits;
  readonly #random: () => number;

  /** `random` gives numbers from 0 up to, but without, 1. */
  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts one more failure. Gives milliseconds from 0 up to min(cap, base * 2^n), n failures having gone before. */
  next(): number {
    const { baseMs, capMs } = this.#limits;
    const longest = Math.min(capMs, baseMs * 2 ** this.#failures);
    this.#failures += 1;
    return Math.floor(this.#random() * longest);
  }

  /** Begins anew: something succeeded. */
  reset(): void {
    this.#failures = 0;
  }
}
