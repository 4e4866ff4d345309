/**
 * A Sealpost server, as somebody sees it who is not logged in yet.
 */
import { Account } from './account.js';
import { ContractError, ProblemError, SealpostError, SessionEndedError, TotpRequiredError } from './errors.js';
import { Http, type Call } from './http.js';
import { environment, type Environment, type Options } from './options.js';
import { LinkRequest, type CompleteOptions, type LinkedDevice, type WaitOptions } from './link-request.js';
import { Session } from './session.js';
import { MemoryTokenStore, tokens, type TokenStore } from './tokens.js';
import { Fields } from './wire.js';

/** What shows who somebody is. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** Where the session's tokens are kept; in memory by default. */
  readonly tokens?: TokenStore;
}

/** What a new account consists of. */
export interface NewAccount extends Credentials {
  /** Needed where registration is by invite. */
  readonly inviteCode?: string;
  /** Contact data. */
  readonly email?: string;
  /** Contact data, E.164. */
  readonly phone?: string;
}

/** How a new device is linked, from the code to its registration. */
export interface LinkOptions extends WaitOptions, CompleteOptions {}

/** A server. Holds no connection. */
export class Sealpost {
  readonly #environment: Environment;
  readonly #http: Http;

  /** Takes the base URL of the public interface, such as `https://sealpost.example`. */
  constructor(server: string, options: Options = {}) {
    const { protocol, username, password } = new URL(server);
    if (!/^https?:$/.test(protocol) || username || password) {
      throw new SealpostError('the server is named by an http: or https: URL without credentials');
    }
    this.#environment = environment(server, options);
    this.#http = new Http(this.#environment);
  }

  /**
   * Makes an account and logs in to it. After a {@link NoAnswerError} it may exist: try to log in.
   *
   * @throws {ProblemError} `username-taken`, `registration-closed`, `invite-needed`, or `invalid` with faults
   */
  async register(account: NewAccount): Promise<Account> {
    const { tokens: store, ...body } = account;
    await this.#http.call({ method: 'POST', route: '/v1/accounts', body });
    return this.logIn(account);
  }

  /**
   * Opens a session of an account.
   *
   * @throws {TotpRequiredError} the account has a second factor: complete the login with a code
   * @throws {ProblemError} `unauthenticated`: wrong name or password, which is not told
   */
  async logIn({ username, password, tokens: store }: Credentials): Promise<Account> {
    const call: Call = { method: 'POST', route: '/v1/sessions', body: { username, password }, repeatable: true };
    try {
      return await this.#open(call, store);
    } catch (error) {
      if (!(error instanceof ProblemError && error.slug === 'totp-required')) throw error;
      // The challenge is as good as the password: it goes no further than this function.
      const { challenge } = error.members;
      if (typeof challenge !== 'string') throw new ContractError('totp-required.challenge');
      throw new TotpRequiredError((code) =>
        this.#open({ method: 'POST', route: '/v1/sessions/challenge', body: { challenge, code } }, store),
      );
    }
  }

  /**
   * Becomes a device of an account, with the help of one that is: shows a code, and waits until the other device has read it
   * and its owner has agreed.
   *
   * @throws as {@link LinkRequest.wait} and {@link LinkRequest.complete}
   */
  async linkDevice(options: LinkOptions): Promise<LinkedDevice> {
    const request = await this.requestLink();
    return request.complete(await request.wait(options), options);
  }

  /** The same in steps, for an app that has its code shown by the server's page. */
  requestLink(): Promise<LinkRequest> {
    return LinkRequest.create(this.#http);
  }

  /** Goes on with a session whose tokens were stored by an earlier process. @throws {SessionEndedError} there are none */
  async resume(store: TokenStore): Promise<Account> {
    const stored = await store.load();
    if (!stored) throw new SessionEndedError();
    return new Account(this.#environment, new Session(this.#http, store), stored.accountId);
  }

  async #open(call: Call, store: TokenStore = new MemoryTokenStore()): Promise<Account> {
    const { body } = await this.#http.call(call);
    await store.save(tokens(new Fields(body, `${call.method} ${call.route}`), this.#environment.clock));
    return this.resume(store);
  }
}
