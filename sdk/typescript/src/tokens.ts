/**
 * What a session consists of at the client, and where it is kept.
 */
import type { Clock } from './clock.js';
import type { Fields } from './wire.js';

/** The tokens of a session. Whoever has them is the session: keep them as one keeps a password. */
export interface Tokens {
  readonly accountId: string;
  readonly sessionId: string;
  /** The device that the session is bound to, once it is. */
  readonly deviceId?: number;
  readonly accessToken: string;
  /** Works once; to use it a second time ends the session. */
  readonly refreshToken: string;
  /** When the access token expires by this machine's clock, Unix milliseconds. */
  readonly expiresAt: number;
}

/** Where the tokens of one session are kept. `save` has to be durable when it resolves: the server has forgotten the old ones. */
export interface TokenStore {
  load(): Promise<Tokens | undefined>;
  save(tokens: Tokens): Promise<void>;
  /** Forgets them: the session has ended. */
  clear(): Promise<void>;
  /**
   * Runs `work` while nobody else who has the same store does: needed where tabs or processes share one, with
   * `navigator.locks` for instance. Without it, one instance of this library may use a store.
   */
  exclusive?<T>(work: () => Promise<T>): Promise<T>;
}

/** Keeps tokens for as long as the process lives. */
export class MemoryTokenStore implements TokenStore {
  #tokens: Tokens | undefined;

  async load(): Promise<Tokens | undefined> {
    return this.#tokens;
  }

  async save(tokens: Tokens): Promise<void> {
    this.#tokens = tokens;
  }

  async clear(): Promise<void> {
    this.#tokens = undefined;
  }
}

/** Reads the tokens of an answer to a login, a refresh or a registration of a device. */
export function tokens(fields: Fields, clock: Clock, deviceId?: number): Tokens {
  return {
    accountId: fields.string('accountId'),
    sessionId: fields.string('sessionId'),
    ...(deviceId === undefined ? {} : { deviceId }),
    accessToken: fields.string('accessToken'),
    refreshToken: fields.string('refreshToken'),
    expiresAt: clock.now() + fields.number('expiresIn') * 1000,
  };
}
