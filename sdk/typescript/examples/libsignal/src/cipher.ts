// SPDX-License-Identifier: AGPL-3.0-only
/**
 * The real libsignal as the cipher of a device: PQXDH, the Double Ratchet, and Signal's post-quantum ratchet.
 */
import { randomInt } from 'node:crypto';
import * as Signal from '@signalapp/libsignal-client';
import {
  UndecryptableError,
  type Address,
  type Cipher,
  type Ciphertext,
  type CipherSession,
  type Decrypted,
  type DeviceBundle,
  type NewKeys,
  type WantedKeys,
} from '@sealpost/client';
import { Identities, KyberPreKeys, owned, PreKeys, Sessions, SignedPreKeys, Watch } from './stores.js';

/** Numbers of envelopes on the wire, which are not those of `CiphertextMessageType`. */
const CIPHERTEXT = 1;
const PREKEY_MESSAGE = 3;

/** The registration ids that a server takes: 1 to 16383. */
const REGISTRATION_IDS = 0x3fff;

export class LibsignalCipher implements Cipher {
  readonly #identity: Signal.IdentityKeyPair;
  readonly #registrationId = randomInt(1, REGISTRATION_IDS + 1);
  readonly #sessions = new Sessions();
  readonly #identities: Identities;
  readonly #preKeys = new PreKeys();
  readonly #signedPreKeys = new SignedPreKeys();
  readonly #kyberPreKeys = new KyberPreKeys();
  #own: Signal.ProtocolAddress | undefined;
  #nextKeyId = 1;

  private constructor(identity: Signal.IdentityKeyPair) {
    this.#identity = identity;
    this.#identities = new Identities(identity, this.#registrationId);
  }

  /** A first device, with a new identity. */
  static create(): LibsignalCipher {
    return new LibsignalCipher(Signal.IdentityKeyPair.generate());
  }

  /** A further device of the account whose identity another device gave with {@link exportIdentity}. */
  static linked(identity: Uint8Array): LibsignalCipher {
    return new LibsignalCipher(Signal.IdentityKeyPair.deserialize(owned(identity)));
  }

  /** The identity with its private half, for a new device of the same account and for nobody else: it passes through no server. */
  exportIdentity(): Uint8Array {
    return this.#identity.serialize();
  }

  async identityKey(): Promise<Uint8Array> {
    return this.#identity.publicKey.serialize();
  }

  async registrationId(): Promise<number> {
    return this.#registrationId;
  }

  async bind(own: Address): Promise<void> {
    this.#own = protocolAddress(own);
  }

  async newKeys({ signed, preKeys, pqPreKeys }: WantedKeys): Promise<NewKeys> {
    const keys = {
      preKeys: await times(preKeys, () => this.#newPreKey()),
      pqPreKeys: await times(pqPreKeys, () => this.#newKyberPreKey()),
    };
    if (!signed) return keys;
    const pqLastResortPreKey = await this.#newKyberPreKey();
    this.#kyberPreKeys.keepAsLastResort(pqLastResortPreKey.keyId);
    return { ...keys, signedPreKey: await this.#newSignedPreKey(), pqLastResortPreKey };
  }

  async sessions(accountId: string): Promise<CipherSession[]> {
    const found: CipherSession[] = [];
    for (const [deviceId, session] of this.#sessions.with(accountId)) {
      const identity = await this.#identities.getIdentity(Signal.ProtocolAddress.new(accountId, deviceId));
      if (!identity) continue;
      found.push({ deviceId, registrationId: session.remoteRegistrationId(), identityKey: identity.serialize() });
    }
    return found;
  }

  async openSession(bundle: DeviceBundle): Promise<void> {
    const { preKey, signedPreKey, pqPreKey } = bundle;
    const keys = Signal.PreKeyBundle.new(
      bundle.registrationId,
      bundle.deviceId,
      preKey?.keyId ?? null,
      preKey ? Signal.PublicKey.deserialize(owned(preKey.publicKey)) : null,
      signedPreKey.keyId,
      Signal.PublicKey.deserialize(owned(signedPreKey.publicKey)),
      owned(signedPreKey.signature),
      Signal.PublicKey.deserialize(owned(bundle.identityKey)),
      pqPreKey.keyId,
      Signal.KEMPublicKey.deserialize(owned(pqPreKey.publicKey)),
      owned(pqPreKey.signature),
    );
    await Signal.processPreKeyBundle(keys, protocolAddress(bundle), this.#bound(), this.#sessions, this.#identities);
  }

  dropSession(other: Address): Promise<void> {
    return this.#sessions.archive(protocolAddress(other));
  }

  async encrypt(to: Address, plaintext: Uint8Array): Promise<Ciphertext> {
    const [address, own] = [protocolAddress(to), this.#bound()];
    const message = await Signal.signalEncrypt(owned(plaintext), address, own, this.#sessions, this.#identities);
    const type = message.type() === Signal.CiphertextMessageType.PreKey ? PREKEY_MESSAGE : CIPHERTEXT;
    return { type, content: message.serialize() };
  }

  async decrypt(from: Address, { type, content }: Ciphertext): Promise<Decrypted> {
    const address = protocolAddress(from);
    const watch = new Watch();
    let plaintext: Uint8Array;
    try {
      plaintext = await this.#plaintext(watch, address, type, owned(content));
    } catch (error) {
      // A store may work again, and says so itself if not. Whatever else libsignal says of this ciphertext, it will say again.
      if (watch.errors.length > 0) throw watch.errors[0];
      if (error instanceof Signal.LibSignalErrorBase) throw new UndecryptableError('libsignal cannot open it', { cause: error });
      throw error;
    }
    const identity = await this.#identities.getIdentity(address);
    if (!identity) throw new Error('libsignal told no identity');
    return { plaintext, identityKey: identity.serialize() };
  }

  #plaintext(watch: Watch, from: Signal.ProtocolAddress, type: number, content: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const [own, sessions, identities] = [this.#bound(), watch.of(this.#sessions), watch.of(this.#identities)];
    switch (type) {
      case PREKEY_MESSAGE: {
        const message = Signal.PreKeySignalMessage.deserialize(content);
        const [keys, signedKeys] = [watch.of(this.#preKeys), watch.of(this.#signedPreKeys)];
        const kyberKeys = watch.of(this.#kyberPreKeys);
        return Signal.signalDecryptPreKey(message, from, own, sessions, identities, keys, signedKeys, kyberKeys);
      }
      case CIPHERTEXT: {
        const message = Signal.SignalMessage.deserialize(content);
        return Signal.signalDecrypt(message, from, own, sessions, identities);
      }
      default:
        throw new UndecryptableError(`envelopes of type ${type} are not for this cipher`);
    }
  }

  #bound(): Signal.ProtocolAddress {
    if (!this.#own) throw new Error('the device has no address yet');
    return this.#own;
  }

  async #newPreKey() {
    const keyId = this.#nextKeyId++;
    const key = Signal.PrivateKey.generate();
    await this.#preKeys.savePreKey(keyId, Signal.PreKeyRecord.new(keyId, key.getPublicKey(), key));
    return { keyId, publicKey: key.getPublicKey().serialize() };
  }

  async #newSignedPreKey() {
    const keyId = this.#nextKeyId++;
    const key = Signal.PrivateKey.generate();
    const publicKey = key.getPublicKey();
    const signature = this.#identity.privateKey.sign(publicKey.serialize());
    const record = Signal.SignedPreKeyRecord.new(keyId, Date.now(), publicKey, key, signature);
    await this.#signedPreKeys.saveSignedPreKey(keyId, record);
    return { keyId, publicKey: publicKey.serialize(), signature };
  }

  async #newKyberPreKey() {
    const keyId = this.#nextKeyId++;
    const pair = Signal.KEMKeyPair.generate();
    const publicKey = pair.getPublicKey().serialize();
    const signature = this.#identity.privateKey.sign(publicKey);
    await this.#kyberPreKeys.saveKyberPreKey(keyId, Signal.KyberPreKeyRecord.new(keyId, Date.now(), pair, signature));
    return { keyId, publicKey, signature };
  }
}

function protocolAddress({ accountId, deviceId }: Address): Signal.ProtocolAddress {
  return Signal.ProtocolAddress.new(accountId, deviceId);
}

async function times<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) made.push(await make());
  return made;
}
