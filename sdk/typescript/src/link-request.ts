/**
 * The new device's half of linking: it shows a code, takes what the old device hands over, and becomes a device of the
 * account, without a password.
 *
 * What must hold: the key pair is of one request, and its private half stays here; the session is opened once, even if an
 * answer is lost.
 */
import { Account, type DeviceOptions } from './account.js';
import { fromBase64, toBase64Url } from './base64.js';
import type { Cipher } from './cipher.js';
import type { Device } from './device.js';
import { LinkCodeError } from './errors.js';
import { generateKeyPair, type KeyPair } from './hpke.js';
import type { Http } from './http.js';
import { formatLinkCode, openLinkContent } from './link-code.js';
import { receiveEnvelope } from './link-socket.js';
import { Session } from './session.js';
import { MemoryTokenStore, tokens, type TokenStore } from './tokens.js';
import { Fields } from './wire.js';

const KEY_BYTES = 32;

/** How a new device waits for the old one. */
export interface WaitOptions {
  /** Shows the code: this text as a QR code. It works for about 90 seconds. */
  readonly onCode: (text: string) => void;
  /** The code was read; the owner is being asked on the other device. */
  readonly onScanned?: () => void;
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal;
}

/** What becomes of the account's identity once it is here. */
export interface CompleteOptions extends DeviceOptions {
  /** Makes the cipher of this device from the identity that the old device exported. */
  readonly cipher: (identity: Uint8Array) => Cipher | Promise<Cipher>;
  /** Where the session's tokens are kept; in memory by default. */
  readonly tokens?: TokenStore;
}

/** A linked device, and the account that it belongs to now. */
export interface LinkedDevice {
  readonly account: Account;
  readonly device: Device;
}

/** A request to be linked. Made by `Sealpost.requestLink`; good for one link. */
export class LinkRequest {
  readonly #http: Http;
  readonly #keys: KeyPair;
  /** With it the exchange of the token may be repeated by us, and by nobody else. */
  readonly #retryKey = toBase64Url(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));

  private constructor(http: Http, keys: KeyPair) {
    this.#http = http;
    this.#keys = keys;
  }

  /** @internal */
  static async create(http: Http): Promise<LinkRequest> {
    return new LinkRequest(http, await generateKeyPair());
  }

  /** The server's page that shows the code, for an app that cannot draw one: it gives an envelope for {@link complete}. */
  get page(): string {
    const path = '/v1/provisioning/page';
    return `${this.#server(path)}${path}#key=${toBase64Url(this.#keys.publicKey)}`;
  }

  /**
   * Has a code shown, and waits for the envelope.
   *
   * @throws {LinkExpiredError} nobody read the code in time: ask again, for a fresh one
   * @throws {NoAnswerError} the server was not reached, or lost
   */
  wait({ onCode, onScanned, signal }: WaitOptions): Promise<Uint8Array> {
    const { publicKey } = this.#keys;
    const server = new URL(this.#server('/v1/provisioning/websocket')).origin;
    const onAddress = (address: string, fingerprint: string) =>
      onCode(formatLinkCode({ address, publicKey, server, fingerprint }));
    return receiveEnvelope(this.#http.environment, { onAddress, onScanned: () => onScanned?.() }, signal);
  }

  /**
   * Opens an envelope, and registers this device. After an error it may be called again with the same envelope, as long as
   * the device is not registered.
   *
   * @throws {LinkCodeError} the envelope is not for this request
   * @throws {ProblemError} `invalid-link-token`, `identity-mismatch`, `too-many-devices`
   */
  async complete(envelope: Uint8Array | string, options: CompleteOptions): Promise<LinkedDevice> {
    const { cipher, tokens: store = new MemoryTokenStore(), ...deviceOptions } = options;
    const bytes = typeof envelope === 'string' ? fromBase64(envelope.trim()) : envelope;
    if (!bytes) throw new LinkCodeError('this is no envelope');
    const content = await openLinkContent(this.#keys, bytes);
    const own = await cipher(content.identity);
    const route = '/v1/sessions/link';
    const body = { token: content.linkToken, retryKey: this.#retryKey };
    const answer = await this.#http.call({ method: 'POST', route, body, repeatable: true });
    const opened = tokens(new Fields(answer.body, `POST ${route}`), this.#http.environment.clock);
    if (opened.accountId !== content.accountId) throw new LinkCodeError('the envelope is of another account');
    await store.save(opened);
    const account = new Account(this.#http.environment, new Session(this.#http, store), opened.accountId);
    return { account, device: await account.registerDevice(own, deviceOptions) };
  }

  #server(path: string): string {
    return this.#http.environment.route(path).replace(/\/$/, '');
  }
}
