/**
 * A cipher whose methods never overlap: sessions are read, changed and written back, and two such at once lose one.
 */
import type { Cipher, Ciphertext, CipherSession, Decrypted, NewKeys, WantedKeys } from './cipher.js';
import { Lock } from './lock.js';
import type { Address, DeviceBundle } from './wire.js';

/** Passes every call on when the one before it has ended. */
export class OneAtATime implements Cipher {
  readonly #cipher: Cipher;
  readonly #lock = new Lock();

  constructor(cipher: Cipher) {
    this.#cipher = cipher;
  }

  identityKey(): Promise<Uint8Array> {
    return this.#lock.run(() => this.#cipher.identityKey());
  }

  registrationId(): Promise<number> {
    return this.#lock.run(() => this.#cipher.registrationId());
  }

  bind(own: Address): Promise<void> {
    return this.#lock.run(() => this.#cipher.bind(own));
  }

  newKeys(wanted: WantedKeys): Promise<NewKeys> {
    return this.#lock.run(() => this.#cipher.newKeys(wanted));
  }

  sessions(accountId: string): Promise<readonly CipherSession[]> {
    return this.#lock.run(() => this.#cipher.sessions(accountId));
  }

  openSession(bundle: DeviceBundle): Promise<void> {
    return this.#lock.run(() => this.#cipher.openSession(bundle));
  }

  dropSession(other: Address): Promise<void> {
    return this.#lock.run(() => this.#cipher.dropSession(other));
  }

  encrypt(to: Address, plaintext: Uint8Array): Promise<Ciphertext> {
    return this.#lock.run(() => this.#cipher.encrypt(to, plaintext));
  }

  decrypt(from: Address, ciphertext: Ciphertext): Promise<Decrypted> {
    return this.#lock.run(() => this.#cipher.decrypt(from, ciphertext));
  }
}
