/**
 * A login session: gives calls a valid access token, and rotates the refresh token.
 *
 * What must hold: a refresh token is used by one refresh at a time, and the new pair is stored before it is used. Two at
 * once would look like theft to the server, which then ends the session.
 */
import { ProblemError, SessionEndedError } from './errors.js';
import type { Answer, Call, Http } from './http.js';
import { Lock } from './lock.js';
import { tokens, type TokenStore, type Tokens } from './tokens.js';
import { Fields } from './wire.js';

/** A session with its store. */
export class Session {
  readonly #http: Http;
  readonly #store: TokenStore;
  readonly #lock = new Lock();
  #refreshing: Promise<Tokens> | undefined;

  constructor(http: Http, store: TokenStore) {
    this.#http = http;
    this.#store = store;
  }

  /** The tokens as they are stored. @throws {SessionEndedError} there are none (any more) */
  async tokens(): Promise<Tokens> {
    const stored = await this.#store.load();
    if (!stored) throw new SessionEndedError();
    return stored;
  }

  /** An access token with some life left. */
  async accessToken(): Promise<string> {
    return (await this.#fresh()).accessToken;
  }

  /** Makes a call as this session. One that is refused for its token is made once more, with a new one. */
  async call(call: Call): Promise<Answer> {
    const token = await this.accessToken();
    try {
      return await this.#http.call(call, token);
    } catch (error) {
      if (!isUnauthenticated(error)) throw error;
      return await this.#http.call(call, (await this.refresh(token)).accessToken);
    }
  }

  /** Makes a call that carries a password or a code: refused, it is not repeated, since each wrong guess counts. */
  async callOnce(call: Call): Promise<Answer> {
    return this.#http.call(call, await this.accessToken());
  }

  /** Makes a call whose answer has this session's next tokens: no refresh may happen meanwhile. */
  async callForTokens(call: Call, deviceId: (answer: Fields) => number): Promise<Tokens> {
    await this.accessToken();
    return this.#exclusive(async () => {
      const { accessToken: token } = await this.tokens();
      const answer = await this.#http.call(call, token);
      const fields = new Fields(answer.body, `${call.method} ${call.route}`);
      const next = tokens(fields, this.#http.environment.clock, deviceId(fields));
      await this.#store.save(next);
      return next;
    });
  }

  /** Takes new tokens in the place of those with the access token `used`, unless somebody has done so already. */
  refresh(used: string): Promise<Tokens> {
    this.#refreshing ??= this.#exclusive(() => this.#rotate(used)).finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Forgets the tokens. */
  async end(): Promise<void> {
    await this.#store.clear();
  }

  async #fresh(): Promise<Tokens> {
    const stored = await this.tokens();
    const { clock, limits } = this.#http.environment;
    return stored.expiresAt - clock.now() > limits.refreshMarginMs ? stored : this.refresh(stored.accessToken);
  }

  async #rotate(used: string): Promise<Tokens> {
    const stored = await this.tokens();
    if (stored.accessToken !== used) return stored;
    try {
      const { body } = await this.#http.call({
        method: 'POST',
        route: '/v1/sessions/refresh',
        body: { refreshToken: stored.refreshToken },
        // If an answer was lost, so were the only tokens that are still good: there is nothing to lose by asking again.
        repeatable: true,
      });
      const next = tokens(new Fields(body, 'POST /v1/sessions/refresh'), this.#http.environment.clock, stored.deviceId);
      await this.#store.save(next);
      return next;
    } catch (error) {
      if (!isUnauthenticated(error)) throw error;
      await this.#store.clear();
      throw new SessionEndedError({ cause: error });
    }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run(() => (this.#store.exclusive ? this.#store.exclusive(work) : work()));
  }
}

function isUnauthenticated(error: unknown): boolean {
  return error instanceof ProblemError && error.status === 401 && error.slug === 'unauthenticated';
}
