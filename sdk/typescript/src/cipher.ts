/**
 * The seam to the cryptography: what this library needs of an implementation of the Signal protocol. The library calls
 * one method at a time, and never reads a key's private half; those stay behind this interface.
 */
import type { Address, DeviceBundle, PreKey, SignedPreKey } from './wire.js';

/** What prekeys are wanted. */
export interface WantedKeys {
  /** A new signed Curve25519 prekey, and a new last-resort Kyber prekey. */
  readonly signed: boolean;
  /** One-time Curve25519 prekeys. */
  readonly preKeys: number;
  /** One-time Kyber prekeys. */
  readonly pqPreKeys: number;
}

/** The public halves of new prekeys. */
export interface NewKeys {
  /** Present when `signed` was wanted, as is the next. */
  readonly signedPreKey?: SignedPreKey;
  readonly pqLastResortPreKey?: SignedPreKey;
  readonly preKeys: readonly PreKey[];
  readonly pqPreKeys: readonly SignedPreKey[];
}

/** A session with a device: which installation it is with, and under which identity. */
export interface CipherSession {
  readonly deviceId: number;
  readonly registrationId: number;
  readonly identityKey: Uint8Array;
}

/** A ciphertext for, or from, one device. */
export interface Ciphertext {
  /** The number on the wire: 1 ciphertext, 3 prekey message. */
  readonly type: number;
  readonly content: Uint8Array;
}

/** What a ciphertext held, and who made it. */
export interface Decrypted {
  readonly plaintext: Uint8Array;
  /** The identity key of the account that it comes from, by its session. */
  readonly identityKey: Uint8Array;
}

/**
 * One device's half of the Signal protocol, with its storage. What a method changes has to be stored durably before it
 * resolves. Whom to trust is not its business: it takes every identity, and this library compares those of `sessions`
 * and `decrypt` with what the application has accepted.
 */
export interface Cipher {
  /** The serialized public identity key of the account, 33 octets. All devices of an account have the same. */
  identityKey(): Promise<Uint8Array>;
  /** Tells this installation from others: 1 to 16383, random. */
  registrationId(): Promise<number>;
  /** Learns the address that the server has given to this device. Called again, with the same, by each start. */
  bind(own: Address): Promise<void>;
  /** Makes prekeys under ids that were not used before; one-time and last-resort Kyber ids from one sequence. */
  newKeys(wanted: WantedKeys): Promise<NewKeys>;
  /** The devices of an account with whom there is a session to encrypt with. */
  sessions(accountId: string): Promise<readonly CipherSession[]>;
  /** Begins a session, in the place of one that there may be. Rejects if a signature of the bundle is not valid. */
  openSession(bundle: DeviceBundle): Promise<void>;
  /** Forgets the session with a device; that there is none is fine. */
  dropSession(other: Address): Promise<void>;
  encrypt(to: Address, plaintext: Uint8Array): Promise<Ciphertext>;
  /**
   * Decrypts; works once for each ciphertext. A rejection leaves everything as it was, as the same is tried again: after any
   * error but an `UndecryptableError`, which says that this ciphertext will never open.
   *
   * @throws {UndecryptableError} it was decrypted before, is damaged, or there is no session or key for it
   */
  decrypt(from: Address, ciphertext: Ciphertext): Promise<Decrypted>;
}
