/**
 * From envelopes to the application's handler, whatever way they came.
 *
 * What must hold: messages reach the handler one at a time, in the order of the mailbox, each once; an envelope counts as
 * delivered when the handler has resolved, and not before.
 */
import { Backoff } from './backoff.js';
import type { Cipher } from './cipher.js';
import { IdentityChangedError } from './errors.js';
import type { Identities } from './identities.js';
import type { Inbox, Message } from './inbox.js';
import type { Environment } from './options.js';
import type { Envelope } from './wire.js';

/** The application's side. Handlers may be asynchronous; what they throw is told below for each. */
export interface Listener {
  /** Takes a message. The server deletes it once this has resolved; if it rejects, it is called again after a pause. */
  onMessage(message: Message): void | Promise<void>;
  /** Takes a message for connected devices only: it comes once or not at all. */
  onOnlineMessage?(message: Message): void | Promise<void>;
  /** Learns of an envelope that cannot be decrypted, and is deleted once this has resolved, as with `onMessage`. */
  onUndecryptable?(envelope: Envelope, error: unknown): void | Promise<void>;
  /** Learns that an account writes under another identity key; its messages are delivered, and none are sent to it. */
  onIdentityChanged?(change: IdentityChangedError): void;
  /** Learns that everything which waited when this connection opened has been handled. */
  onQueueEmpty?(): void;
  /** Learns that a websocket is open. */
  onConnected?(): void;
  /** Learns that it is not any more, and by which close code; another is opened unless the listening has ended. */
  onDisconnected?(code: number): void;
  /** Learns of a failure that the library goes on from by itself. */
  onError?(error: unknown): void;
}

/** What a delivery works with. */
export interface DeliveryParts {
  readonly cipher: Cipher;
  readonly identities: Identities;
  readonly inbox: Inbox;
  readonly listener: Listener;
  readonly environment: Environment;
}

/** Delivers the envelopes of one device. */
export class Delivery {
  readonly #parts: DeliveryParts;
  /** The identity keys that were reported, by account: each is once. */
  readonly #reported = new Map<string, string>();

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the application has the message, now or from an earlier delivery. Rejects when `signal` is aborted first.
   * To be called for one envelope at a time.
   */
  async deliver(envelope: Envelope, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { inbox, listener } = this.#parts;
    const known = await inbox.find(envelope.guid);
    if (known?.state === 'handled') return;
    let handle: () => void | Promise<void>;
    if (known) {
      handle = () => listener.onMessage(known.message);
    } else {
      try {
        const message = await this.#decrypt(envelope);
        await inbox.decrypted(message);
        handle = () => listener.onMessage(message);
      } catch (error) {
        handle = () => listener.onUndecryptable?.(envelope, error);
      }
    }
    await this.#insist(handle, signal);
    await inbox.handled(envelope.guid);
  }

  /** Delivers what is stored nowhere: dropped if it cannot be decrypted or handled. */
  async deliverOnline(envelope: Envelope): Promise<void> {
    const { listener } = this.#parts;
    try {
      await listener.onOnlineMessage?.(await this.#decrypt(envelope));
    } catch (error) {
      listener.onError?.(error);
    }
  }

  async #decrypt({ guid, type, content, source, timestamp, serverTimestamp }: Envelope): Promise<Message> {
    const { plaintext, identityKey } = await this.#parts.cipher.decrypt(source, { type, content });
    await this.#watch(source.accountId, identityKey);
    return { guid, source, timestamp, serverTimestamp, plaintext };
  }

  async #watch(accountId: string, identityKey: Uint8Array): Promise<void> {
    try {
      await this.#parts.identities.check(accountId, identityKey);
      this.#reported.delete(accountId);
    } catch (error) {
      if (!(error instanceof IdentityChangedError)) throw error;
      const key = identityKey.join();
      if (this.#reported.get(accountId) === key) return;
      this.#reported.set(accountId, key);
      this.#parts.listener.onIdentityChanged?.(error);
    }
  }

  /** Calls a handler until it succeeds. */
  async #insist(handle: () => void | Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, limits, random } = this.#parts.environment;
    const backoff = new Backoff({ baseMs: limits.handlerBaseMs, capMs: limits.handlerCapMs }, random);
    for (;;) {
      try {
        return await handle();
      } catch (error) {
        this.#parts.listener.onError?.(error);
        await clock.sleep(backoff.next(), signal);
      }
    }
  }
}
