/**
 * From envelopes to the application's handler, whatever way they came.
 *
 * What must hold: messages reach the handler one at a time, in the order of the mailbox, each once; an envelope counts as
 * delivered when the handler has resolved, and not before.
 */
import { Backoff } from './backoff.js';
import type { Cipher, Decrypted } from './cipher.js';
import { IdentityChangedError, UndecryptableError } from './errors.js';
import type { Identities } from './identities.js';
import type { Inbox, Message } from './inbox.js';
import type { Listener } from './listener.js';
import type { Environment } from './options.js';
import type { Envelope } from './wire.js';

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
  /** What was decrypted, and cannot be again, until the inbox has it. */
  #opened: { readonly guid: string; readonly decrypted: Decrypted } | undefined;
  /** What could not be decrypted, and how often: connections may end in between. */
  #failed: { readonly guid: string; readonly attempts: number } | undefined;
  /** The identity keys that were reported, by account: each is once. */
  readonly #reported = new Map<string, string>();

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the application has the message, now or from an earlier delivery; what fails on the way is tried again
   * after a pause. Rejects when `signal` is aborted first. To be called for one envelope at a time.
   */
  async deliver(envelope: Envelope, signal: AbortSignal): Promise<void> {
    const { clock, limits, random } = this.#parts.environment;
    const backoff = new Backoff({ baseMs: limits.handlerBaseMs, capMs: limits.handlerCapMs }, random);
    for (;;) {
      signal.throwIfAborted();
      try {
        return await this.#attempt(envelope);
      } catch (error) {
        this.#parts.listener.onError?.(error);
        await clock.sleep(backoff.next(), signal);
      }
    }
  }

  /** Delivers what is stored nowhere: dropped if it cannot be decrypted or handled. */
  async deliverOnline(envelope: Envelope): Promise<void> {
    const { listener } = this.#parts;
    try {
      const decrypted = await this.#decrypt(envelope);
      await this.#watch(envelope.source.accountId, decrypted.identityKey);
      await listener.onOnlineMessage?.(messageOf(envelope, decrypted));
    } catch (error) {
      listener.onError?.(error);
    }
  }

  async #attempt(envelope: Envelope): Promise<void> {
    const { inbox, listener } = this.#parts;
    const known = await inbox.find(envelope.guid);
    if (known?.state === 'handled') return;
    const message = known ? known.message : await this.#open(envelope);
    if (message) await listener.onMessage(message);
    await inbox.handled(envelope.guid);
  }

  /** Decrypts, and keeps the message before anything else can fail. Nothing if it cannot be decrypted, which was told. */
  async #open(envelope: Envelope): Promise<Message | undefined> {
    const { inbox } = this.#parts;
    if (this.#opened?.guid !== envelope.guid) {
      try {
        this.#opened = { guid: envelope.guid, decrypted: await this.#decrypt(envelope) };
      } catch (error) {
        await this.#giveUp(envelope, error);
        return undefined;
      }
    }
    const { decrypted } = this.#opened;
    const message = messageOf(envelope, decrypted);
    await inbox.decrypted(message);
    this.#opened = undefined;
    await this.#watch(envelope.source.accountId, decrypted.identityKey);
    return message;
  }

  /** Resolves when an envelope may go, which was told; rejects when it is to be tried again. */
  async #giveUp(envelope: Envelope, error: unknown): Promise<void> {
    const { listener, environment } = this.#parts;
    if (listener.onUndecryptable) return listener.onUndecryptable(envelope, error);
    if (error instanceof UndecryptableError) return listener.onError?.(error);
    const attempts = this.#failed?.guid === envelope.guid ? this.#failed.attempts + 1 : 1;
    this.#failed = { guid: envelope.guid, attempts };
    if (attempts < environment.limits.decryptAttempts) throw error;
    // Whoever can send to this device could block it for ever, were its cipher one that marks nothing.
    listener.onError?.(new UndecryptableError(`an envelope was given up after ${attempts} attempts`, { cause: error }));
  }

  #decrypt({ source, type, content }: Envelope): Promise<Decrypted> {
    return this.#parts.cipher.decrypt(source, { type, content });
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
}

function messageOf({ guid, source, timestamp, serverTimestamp }: Envelope, { plaintext }: Decrypted): Message {
  return { guid, source, timestamp, serverTimestamp, plaintext };
}
