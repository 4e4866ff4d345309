/**
 * Which identity key an account is known by. The first that is seen is pinned; another one is a safety-number change,
 * which the application has to accept before anything is sent.
 */
import { sameBytes } from './base64.js';
import { IdentityChangedError } from './errors.js';

/** Where the pinned keys are kept. `set` has to be durable when it resolves. */
export interface IdentityStore {
  get(accountId: string): Promise<Uint8Array | undefined>;
  set(accountId: string, identityKey: Uint8Array): Promise<void>;
}

/** Keeps pinned keys for as long as the process lives. */
export class MemoryIdentityStore implements IdentityStore {
  readonly #keys = new Map<string, Uint8Array>();

  async get(accountId: string): Promise<Uint8Array | undefined> {
    return this.#keys.get(accountId);
  }

  async set(accountId: string, identityKey: Uint8Array): Promise<void> {
    this.#keys.set(accountId, identityKey);
  }
}

/** The rule: trust on first use, and never silently a second time. */
export class Identities {
  readonly #store: IdentityStore;

  constructor(store: IdentityStore) {
    this.#store = store;
  }

  /** Compares a key with the pinned one; pins it if there is none. @throws {IdentityChangedError} */
  async check(accountId: string, identityKey: Uint8Array): Promise<void> {
    const pinned = await this.#store.get(accountId);
    if (pinned === undefined) return this.#store.set(accountId, identityKey);
    if (!sameBytes(pinned, identityKey)) throw new IdentityChangedError(accountId, identityKey);
  }

  /** Pins a key in the place of another. */
  accept(accountId: string, identityKey: Uint8Array): Promise<void> {
    return this.#store.set(accountId, identityKey);
  }
}
