/**
 * What has come in and is not acked yet. A ciphertext can be decrypted once, but may have to be handed to the application
 * again; and an envelope may come again after the application has had it.
 */
import type { Address } from './wire.js';

/** A decrypted message. */
export interface Message {
  /** The envelope's id: the same, should it come again. */
  readonly guid: string;
  readonly source: Address;
  /** When the sender says it was sent, Unix milliseconds. */
  readonly timestamp: number;
  /** When the server stored it, Unix milliseconds. */
  readonly serverTimestamp: number;
  readonly plaintext: Uint8Array;
}

/** How far a message has come. */
export type InboxEntry = { readonly state: 'decrypted'; readonly message: Message } | { readonly state: 'handled' };

/**
 * Where that is kept. The library calls `decrypted` directly after the cipher has decrypted, and the application's handler
 * after that. A process that ends between the two loses the message, unless the inbox is in one database with the cipher's
 * sessions: then commit the sessions with `decrypted`. Durable when they resolve, if messages are to survive this process.
 */
export interface Inbox {
  find(guid: string): Promise<InboxEntry | undefined>;
  /** Keeps a message until it is handled. */
  decrypted(message: Message): Promise<void>;
  /** Forgets the message and keeps its guid: for as long as its ack may be on its way. */
  handled(guid: string): Promise<void>;
}

/** Keeps messages for as long as the process lives. */
export class MemoryInbox implements Inbox {
  readonly #entries = new Map<string, InboxEntry>();
  readonly #handled: string[] = [];
  readonly #remembered: number;

  /**
   * `remembered`: handled guids that are kept. Only those can come again whose ack was lost with a connection: no more
   * than the server's window (256) for each.
   */
  constructor(remembered = 1024) {
    this.#remembered = remembered;
  }

  async find(guid: string): Promise<InboxEntry | undefined> {
    return this.#entries.get(guid);
  }

  async decrypted(message: Message): Promise<void> {
    this.#entries.set(message.guid, { state: 'decrypted', message });
  }

  async handled(guid: string): Promise<void> {
    this.#entries.set(guid, { state: 'handled' });
    this.#handled.push(guid);
    if (this.#handled.length <= this.#remembered) return;
    const oldest = this.#handled.shift();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
