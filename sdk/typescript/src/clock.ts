/**
 * Time as the library sees it, so that tests can hold it still: the present, pauses, and deadlines made of pauses.
 */

/** Where the library's time comes from. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when that comes first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The clock and the timers of the platform. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const aborted = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      }, ms);
      signal?.addEventListener('abort', aborted, { once: true });
    }),
};

/** What {@link within} aborts with at its deadline. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * Runs `work` with a signal that is aborted after `ms`, or as soon as `outer` is, and settles then at the latest, even
 * if `work` does not listen.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const finished = new AbortController();
  const signal = outer ? AbortSignal.any([outer, deadline.signal]) : deadline.signal;
  signal.throwIfAborted();
  clock.sleep(ms, finished.signal).then(
    () => deadline.abort(new DeadlineError(`no end within ${ms} ms`)),
    () => {},
  );
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: finished.signal });
  });
  try {
    return await Promise.race([work(signal), aborted]);
  } finally {
    finished.abort();
  }
}
