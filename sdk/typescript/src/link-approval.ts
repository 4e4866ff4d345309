/**
 * The old device's half of linking: it reads a code, asks its owner, and hands over the account's identity and a token.
 *
 * What must hold: nothing leaves before the owner has agreed, and what leaves can be read by whoever shows the code alone;
 * the server that the code is of is the one that this device belongs to.
 */
import { toBase64 } from './base64.js';
import { LinkCodeError, LinkExpiredError, NoAnswerError, ProblemError } from './errors.js';
import type { Environment } from './options.js';
import { parseLinkCode, sealLinkContent, type LinkCode } from './link-code.js';
import type { Session } from './session.js';
import { Fields, type Address } from './wire.js';

/** How an old device links a new one. */
export interface ApproveOptions {
  /** The identity with its private half, as the cipher exports it. */
  readonly identity: Uint8Array;
  /** Asks the owner, once the new device shows that its code was read. `false`: nothing is handed over. */
  readonly confirm?: () => Promise<boolean>;
  /** The fingerprint by which this app knows the server's key; a code with another one is refused. */
  readonly fingerprint?: string;
  /** Stops waiting for the new device when it is aborted. */
  readonly signal?: AbortSignal;
}

/** Hands over, and waits until the new device is registered. Used by `Account.approveLink`. */
export class LinkApproval {
  readonly #environment: Environment;
  readonly #session: Session;
  readonly #accountId: string;

  constructor(environment: Environment, session: Session, accountId: string) {
    this.#environment = environment;
    this.#session = session;
    this.#accountId = accountId;
  }

  /** @throws as `Account.approveLink` */
  async approve(text: string, options: ApproveOptions): Promise<Address | undefined> {
    const code = parseLinkCode(text);
    this.#check(code, options.fingerprint);
    await this.#put(code, '/v1/provisioning/{address}/scanned', {});
    if (options.confirm && !(await options.confirm())) return undefined;
    const token = await this.#token();
    const content = { linkToken: token.text, identity: options.identity, accountId: this.#accountId, server: code.server };
    const envelope = await sealLinkContent(code.publicKey, content);
    try {
      await this.#put(code, '/v1/provisioning/{address}', { body: toBase64(envelope) });
    } catch (error) {
      // It may have arrived all the same: whether the device appears will tell.
      if (!(error instanceof NoAnswerError)) throw error;
    }
    return this.#linked(token, options.signal);
  }

  #check({ server, fingerprint }: LinkCode, expected: string | undefined): void {
    if (server !== new URL(this.#environment.route('/v1/provisioning')).origin) {
      throw new LinkCodeError('the code is of another server');
    }
    if (expected !== undefined && fingerprint !== expected) throw new LinkCodeError('the server has another key than expected');
  }

  async #put({ address }: LinkCode, route: string, body: unknown): Promise<void> {
    try {
      // An address works once: a second attempt would only hide the outcome of the first.
      await this.#session.call({ method: 'PUT', route, values: { address }, body, repeatable: false });
    } catch (error) {
      if (error instanceof ProblemError && error.status === 404) throw new LinkExpiredError({ cause: error });
      throw error;
    }
  }

  async #token(): Promise<{ text: string; id: string; until: number }> {
    const route = '/v1/sessions/link-tokens';
    // One that was lost is void as soon as there is the next.
    const { body } = await this.#session.call({ method: 'POST', route, body: {}, repeatable: true });
    const fields = new Fields(body, `POST ${route}`);
    const until = this.#environment.clock.now() + fields.number('expiresIn') * 1000;
    return { text: fields.string('token'), id: fields.string('tokenId'), until };
  }

  async #linked({ id, until }: { id: string; until: number }, signal: AbortSignal | undefined): Promise<Address> {
    const { clock, limits } = this.#environment;
    const route = '/v1/sessions/link-tokens/{token}';
    const [query, extraMs] = [{ timeout: limits.pollSeconds }, limits.pollSeconds * 1000];
    while (clock.now() < until) {
      const { body } = await this.#session.call({ method: 'GET', route, values: { token: id }, query, extraMs, signal });
      if (body === undefined) continue;
      const deviceId = new Fields(body, `GET ${route}`).number('deviceId');
      return { accountId: this.#accountId, deviceId };
    }
    throw new LinkExpiredError();
  }
}
