/**
 * What an application can choose: the platform's parts, and every limit with its default.
 */
import { systemClock, type Clock } from './clock.js';

/** Every bound of the library. Times are in milliseconds. */
export interface Limits {
  /** How long one attempt of a request may take (30 s); a long poll may take `pollSeconds` more. */
  readonly requestTimeoutMs: number;
  /** How often a request is attempted (4), if repeating it is harmless. */
  readonly requestAttempts: number;
  /** The longest pause before the second attempt (250 ms); later ones double. */
  readonly retryBaseMs: number;
  /** The longest pause between attempts (10 s). A server that wants more, by `Retry-After`, is not asked again. */
  readonly retryCapMs: number;
  /** An access token that lives no longer than this is refreshed before it is used (30 s; the server's live 15 min). */
  readonly refreshMarginMs: number;
  /** How often a send is put right after the recipient's devices turned out to be others (5). */
  readonly sendRounds: number;
  /** How long the opening of a websocket may take (15 s). */
  readonly connectTimeoutMs: number;
  /** How long the server may take to answer the end of a websocket (2 s). */
  readonly closeTimeoutMs: number;
  /** The longest pause before the first reconnection (1 s); later ones double. */
  readonly reconnectBaseMs: number;
  /** The longest pause between reconnections (60 s). */
  readonly reconnectCapMs: number;
  /** How often an open websocket is asked for a sign of life (30 s). */
  readonly keepaliveMs: number;
  /** How long that sign may take until the websocket is given up (10 s). */
  readonly keepaliveTimeoutMs: number;
  /** Websockets that fail to open, while HTTP works, until HTTP is polled with a wait (3); before, it is asked once for each. */
  readonly pollAfterFailures: number;
  /** How long one poll waits for a message, in seconds (30, the server's most). */
  readonly pollSeconds: number;
  /** Messages that one poll fetches (100, the server's most). */
  readonly pollMessages: number;
  /** The longest first pause before a message goes again to a handler that failed (1 s); later ones double. */
  readonly handlerBaseMs: number;
  /** The longest pause before a handler is called again (60 s). */
  readonly handlerCapMs: number;
  /**
   * How often an envelope is decrypted in vain during one `listen` (16: about five minutes), if the listener has no
   * `onUndecryptable` and the cipher does not say that it will never open; then it is given up, as it holds up all behind it.
   */
  readonly decryptAttempts: number;
  /** Below so many one-time keys of a kind at the server, more are uploaded (20). */
  readonly preKeysLow: number;
  /** One-time keys of each kind that a registration and a top-up bring the server to (100, its most at once). */
  readonly preKeysFull: number;
}

/** The defaults of {@link Limits}. */
export const DEFAULT_LIMITS: Limits = {
  requestTimeoutMs: 30_000,
  requestAttempts: 4,
  retryBaseMs: 250,
  retryCapMs: 10_000,
  refreshMarginMs: 30_000,
  sendRounds: 5,
  connectTimeoutMs: 15_000,
  closeTimeoutMs: 2_000,
  reconnectBaseMs: 1_000,
  reconnectCapMs: 60_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  pollAfterFailures: 3,
  pollSeconds: 30,
  pollMessages: 100,
  handlerBaseMs: 1_000,
  handlerCapMs: 60_000,
  decryptAttempts: 16,
  preKeysLow: 20,
  preKeysFull: 100,
};

/** The part of a browser's `WebSocket` that is used. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** A browser's `WebSocket`, or Node's, which takes headers as well. */
export type SocketConstructor = new (
  url: string,
  options: string[] | { protocols: string[]; headers: Record<string, string> },
) => Socket;

/** How a websocket shows who it is: browsers cannot send a header, and fetch a ticket for each socket. */
export type SocketCredential = 'header' | 'ticket';

/** How messages arrive: by websocket, with HTTP polled while none can be opened; or by one of the two alone. */
export type Transport = 'auto' | 'websocket' | 'poll';

/** What an application can choose when it names its server. */
export interface Options {
  /** Bounds that differ from {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<Limits>;
  /** `auto` by default. */
  readonly transport?: Transport;
  /** `header` on Node, `ticket` elsewhere. */
  readonly socketCredential?: SocketCredential;
  /** Where a path is served, when not all are by the one server: gives the base URL. */
  readonly route?: (path: string) => string;
  /** `fetch` of the platform by default. */
  readonly fetch?: typeof fetch;
  /** `WebSocket` of the platform by default. */
  readonly WebSocket?: SocketConstructor;
  /** Time; for tests. */
  readonly clock?: Clock;
  /** Numbers from 0 up to, but without, 1, for jitter; for tests. Never used for keys. */
  readonly random?: () => number;
}

/** {@link Options} with everything filled in. */
export interface Environment {
  readonly limits: Limits;
  readonly transport: Transport;
  readonly socketCredential: SocketCredential;
  readonly route: (path: string) => string;
  readonly fetch: typeof fetch;
  readonly WebSocket: SocketConstructor;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Fills in what an application did not choose. */
export function environment(server: string, options: Options): Environment {
  const platform = globalThis as { process?: { versions?: { node?: string } } };
  return {
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    transport: options.transport ?? 'auto',
    socketCredential: options.socketCredential ?? (platform.process?.versions?.node ? 'header' : 'ticket'),
    route: options.route ?? (() => server),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    WebSocket: options.WebSocket ?? (globalThis.WebSocket as unknown as SocketConstructor),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}
