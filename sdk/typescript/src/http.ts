/**
 * One call of the server's HTTP interface: attempts under a deadline, pauses between them, and typed errors.
 *
 * What must hold: a call whose effect could happen twice is attempted once, unless the server said that nothing was done.
 */
import { Backoff } from './backoff.js';
import { within } from './clock.js';
import { ContractError, NoAnswerError, ProblemError, type FieldFault } from './errors.js';
import type { Environment } from './options.js';

/** A call, before it has a server and a token. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** The path, with `{name}` where a value belongs. */
  readonly route: string;
  readonly values?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it may be done twice without harm. By default all may but POST. */
  readonly repeatable?: boolean;
  /** How long the server may take beyond what any request may. */
  readonly extraMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What the server answered to a call that it did. */
export interface Answer {
  readonly body: unknown;
  readonly headers: Headers;
}

/** Answers after which the same request may succeed. Only the first of them says that nothing was done. */
const TOO_MANY = 429;
const TRANSIENT = [TOO_MANY, 502, 503, 504];

/** Makes calls. */
export class Http {
  constructor(readonly environment: Environment) {}

  /**
   * Makes a call, with an access token if it needs one.
   *
   * @throws {ProblemError} the server refused
   * @throws {NoAnswerError} it did not answer in time
   * @throws {ContractError} its answer is no JSON
   */
  async call(call: Call, token?: string): Promise<Answer> {
    const { clock, limits, random } = this.environment;
    const backoff = new Backoff({ baseMs: limits.retryBaseMs, capMs: limits.retryCapMs }, random);
    for (;;) {
      try {
        return await this.#attempt(call, token);
      } catch (error) {
        const last = backoff.failures + 1 >= limits.requestAttempts;
        const wait = last ? undefined : this.#wait(call, error);
        if (wait === undefined) throw error;
        await clock.sleep(wait + backoff.next(), call.signal);
      }
    }
  }

  /** How long to wait at least before the next attempt; nothing if there must be none. */
  #wait(call: Call, error: unknown): number | undefined {
    const repeatable = call.repeatable ?? call.method !== 'POST';
    if (error instanceof NoAnswerError) return repeatable ? 0 : undefined;
    if (!(error instanceof ProblemError) || !TRANSIENT.includes(error.status)) return undefined;
    if (error.status !== TOO_MANY && !repeatable) return undefined;
    const wait = error.retryAfterMs ?? 0;
    return wait <= this.environment.limits.retryCapMs ? wait : undefined;
  }

  async #attempt(call: Call, token: string | undefined): Promise<Answer> {
    const { clock, limits } = this.environment;
    const name = `${call.method} ${call.route}`;
    let answered: { response: Response; text: string };
    try {
      answered = await within(clock, limits.requestTimeoutMs + (call.extraMs ?? 0), call.signal, async (signal) => {
        const response = await this.environment.fetch(this.#url(call), { ...init(call, token), signal });
        return { response, text: await response.text() };
      });
    } catch (error) {
      if (call.signal?.aborted) throw error;
      throw new NoAnswerError(name, error);
    }
    const { response, text } = answered;
    const body = parsed(text);
    if (!response.ok) throw problem(name, response, body, clock.now());
    if (text !== '' && body === undefined) throw new ContractError(`${name}: not JSON`);
    return { body, headers: response.headers };
  }

  #url(call: Call): string {
    const path = call.route.replace(/\{(\w+)\}/g, (_, value: string) => encodeURIComponent(String(call.values?.[value])));
    const query = new URLSearchParams(Object.entries(call.query ?? {}).map(([key, value]) => [key, String(value)])).toString();
    return this.environment.route(path).replace(/\/$/, '') + path + (query && `?${query}`);
  }
}

function init(call: Call, token: string | undefined): RequestInit {
  const headers = {
    Accept: 'application/json',
    ...(call.body === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    ...call.headers,
  };
  // Nothing here is a cookie's business, and no answer may come from a cache.
  const common = { method: call.method, headers, credentials: 'omit', cache: 'no-store' } as const;
  return call.body === undefined ? common : { ...common, body: JSON.stringify(call.body) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An answer as {@link ProblemError}; from a proxy, it need not be a problem of ours. */
export function problem(call: string, response: Response, body: unknown, now: number): ProblemError {
  const { type, title, status, detail, instance, errors, ...members } = (body ?? {}) as Record<string, unknown>;
  const slug = typeof type === 'string' && type.startsWith('urn:problem:') ? type.slice('urn:problem:'.length) : '';
  const faults = Array.isArray(errors) ? errors.filter(isFault) : [];
  const retryAfter = retryAfterMs(response.headers.get('Retry-After'), now);
  const id = typeof instance === 'string' ? instance : undefined;
  return new ProblemError(call, response.status, slug, faults, slug ? members : {}, retryAfter, id);
}

function isFault(fault: unknown): fault is FieldFault {
  const { pointer, detail } = (fault ?? {}) as Record<string, unknown>;
  return typeof pointer === 'string' && typeof detail === 'string';
}

/** `Retry-After` (RFC 9110 §10.2.3), as seconds or as a date. */
function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const at = /^\d+$/.test(header) ? now + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
