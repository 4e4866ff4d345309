/**
 * A message to all devices of an account, whatever they turn out to be.
 *
 * In: a plaintext. Out: a receipt, once every copy is on the server's disk. The server refuses a send that does not name
 * the account's devices as they are (409 or 410, with the differences); the sender then drops and opens sessions, and
 * tries again, a bounded number of times. What must hold: a device is never left out, an identity that was not accepted
 * is never encrypted to, and a repeated request is stored once.
 */
import { toBase64 } from './base64.js';
import type { Cipher } from './cipher.js';
import { DevicesUnsettledError, ProblemError } from './errors.js';
import type { Identities } from './identities.js';
import { KeyedLock } from './lock.js';
import type { Environment } from './options.js';
import type { Session } from './session.js';
import { bundles, Fields, type Address } from './wire.js';

/** What a send may say beside the message. */
export interface SendOptions {
  /** Whether the recipient should be woken for it (true). */
  readonly urgent?: boolean;
  /** Only for devices that are connected now, stored nowhere: a typing indicator (false). */
  readonly online?: boolean;
  /** When it was sent, Unix milliseconds (now). */
  readonly timestamp?: number;
  /**
   * 1 to 128 visible ASCII characters. A message that is sent under the same key within a day is stored once, even if
   * this process ended in between: keep the key with the message. Random by default. Not for `online`.
   */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** What became of a send. */
export interface SendReceipt {
  /** The copies, by device. Empty when there is no other device, or when the message had been sent before. */
  readonly copies: readonly { readonly deviceId: number; readonly guid: string }[];
  /** When the server stored it, Unix milliseconds; absent when an earlier process of this device sent it. */
  readonly serverTimestamp?: number;
  /** Whether an earlier request with this key had stored the message already: one of this send whose answer was lost, too. */
  readonly before: boolean;
}

/** A copy for one device, and the installation it is for. */
interface Copy {
  readonly destinationDeviceId: number;
  readonly destinationRegistrationId: number;
  readonly type: number;
  readonly content: string;
}

/** How the devices that a send named differ from those there are. */
interface Mismatch {
  readonly missing: readonly number[];
  readonly extra: readonly number[];
  readonly stale: readonly number[];
}

/** What a sender works with. */
export interface SenderParts {
  readonly own: Address;
  readonly session: Session;
  readonly cipher: Cipher;
  readonly identities: Identities;
  readonly environment: Environment;
}

/** Sends from one device. */
export class Sender {
  readonly #parts: SenderParts;
  /** Messages to one account leave in the order in which they were encrypted. */
  readonly #order = new KeyedLock();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /**
   * Sends to all devices of an account; to the own one, to all but this device.
   *
   * @throws {IdentityChangedError} accept the key first
   * @throws {DevicesUnsettledError} the devices changed in each round
   * @throws {ProblemError} `keys-not-found` or `mailbox-not-found`: the account has no device; `mailbox-full`
   * @throws {NoAnswerError} whether it was stored is not known: send it again under the same key
   */
  send(accountId: string, plaintext: Uint8Array, options: SendOptions = {}): Promise<SendReceipt> {
    return this.#order.run(accountId, () => this.#rounds(accountId, plaintext, options));
  }

  /** Drops the sessions of an account that are not with its present identity. */
  forget(accountId: string, but: (identityKey: Uint8Array) => boolean): Promise<void> {
    return this.#order.run(accountId, async () => {
      for (const { deviceId, identityKey } of await this.#parts.cipher.sessions(accountId)) {
        if (!but(identityKey)) await this.#parts.cipher.dropSession({ accountId, deviceId });
      }
    });
  }

  async #rounds(accountId: string, plaintext: Uint8Array, options: SendOptions): Promise<SendReceipt> {
    const { clock, limits } = this.#parts.environment;
    const key = options.idempotencyKey ?? crypto.randomUUID();
    const timestamp = options.timestamp ?? clock.now();
    const copies = new Map<number, Copy>();
    // For the own account, the first answer tells what is missing: all bundles would have one of this device among them,
    // and cost it its one-time keys.
    const strangers = accountId !== this.#parts.own.accountId && (await this.#sessions(accountId)).length === 0;
    if (strangers) await this.#open(accountId, '*', options.signal);
    for (let round = 1; ; round += 1) {
      await this.#encrypt(accountId, plaintext, copies);
      const outcome = await this.#put(accountId, [...copies.values()], { ...options, timestamp, idempotencyKey: key });
      if (!('missing' in outcome)) return outcome;
      if (round === limits.sendRounds) throw new DevicesUnsettledError(round);
      await this.#adjust(accountId, outcome, copies, options.signal);
    }
  }

  /** Encrypts for each device with a session that has no copy yet. */
  async #encrypt(accountId: string, plaintext: Uint8Array, copies: Map<number, Copy>): Promise<void> {
    const { cipher, identities } = this.#parts;
    const sessions = await this.#sessions(accountId);
    for (const { identityKey } of sessions) await identities.check(accountId, identityKey);
    for (const { deviceId, registrationId } of sessions) {
      if (copies.get(deviceId)?.destinationRegistrationId === registrationId) continue;
      const { type, content } = await cipher.encrypt({ accountId, deviceId }, plaintext);
      copies.set(deviceId, {
        destinationDeviceId: deviceId,
        destinationRegistrationId: registrationId,
        type,
        content: toBase64(content),
      });
    }
  }

  async #put(accountId: string, messages: readonly Copy[], options: SendOptions): Promise<SendReceipt | Mismatch> {
    const { urgent = true, online = false, timestamp, idempotencyKey = '', signal } = options;
    try {
      const answer = await this.#parts.session.call({
        method: 'PUT',
        route: '/v1/messages/{account}',
        values: { account: accountId },
        headers: { 'Idempotency-Key': idempotencyKey },
        body: { messages, timestamp, urgent, online },
        signal,
      });
      const fields = new Fields(answer.body, 'PUT /v1/messages/{account}');
      return {
        serverTimestamp: fields.number('serverTimestamp'),
        copies: fields.objects('devices').map((copy) => ({ deviceId: copy.number('deviceId'), guid: copy.string('guid') })),
        before: answer.headers.get('Idempotent-Replay') === 'true',
      };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      // Ciphertexts are never the same twice, so this key's message was stored as another request of ours.
      if (error.slug === 'idempotency-key-reused') return { copies: [], before: true };
      if (error.slug !== 'device-set-mismatch' && error.slug !== 'stale-devices') throw error;
      const fields = new Fields(error.members, error.slug);
      return {
        missing: fields.numbers('missingDevices'),
        extra: fields.numbers('extraDevices'),
        stale: fields.numbers('staleDevices'),
      };
    }
  }

  /** Makes the sessions and the copies fit what the server has told. */
  async #adjust(
    accountId: string,
    { missing, extra, stale }: Mismatch,
    copies: Map<number, Copy>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (const deviceId of [...extra, ...stale]) {
      copies.delete(deviceId);
      await this.#parts.cipher.dropSession({ accountId, deviceId });
    }
    for (const deviceId of [...missing, ...stale]) await this.#open(accountId, deviceId, signal);
  }

  /** Fetches bundles and opens sessions. A device that has gone since is left to the server's next answer. */
  async #open(accountId: string, device: number | '*', signal: AbortSignal | undefined): Promise<void> {
    const { session, cipher, identities } = this.#parts;
    const call = { method: 'GET', route: '/v1/keys/{account}/{device}', values: { account: accountId, device }, signal } as const;
    const answer = await session.call(call).catch((error: unknown) => {
      if (device !== '*' && error instanceof ProblemError && error.slug === 'keys-not-found') return undefined;
      throw error;
    });
    if (!answer) return;
    for (const bundle of bundles(accountId, new Fields(answer.body, `GET ${call.route}`))) {
      await identities.check(accountId, bundle.identityKey);
      await cipher.openSession(bundle);
    }
  }

  async #sessions(accountId: string) {
    const { own, cipher } = this.#parts;
    const sessions = await cipher.sessions(accountId);
    return sessions.filter(({ deviceId }) => accountId !== own.accountId || deviceId !== own.deviceId);
  }
}
