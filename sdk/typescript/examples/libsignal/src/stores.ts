// SPDX-License-Identifier: AGPL-3.0-only
/**
 * What libsignal wants kept: sessions, identities and prekeys, as serialized records in memory. A device that outlives its
 * process keeps the same records in a database, and commits what one method of the cipher changed at once, or nothing of it:
 * a decryption that failed is tried again.
 */
import { UndecryptableError } from '@sealpost/client';
import * as Signal from '@signalapp/libsignal-client';

/** Bytes as libsignal takes them: on a buffer of their own. */
export const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);

/** Gives the stores to libsignal, and keeps their errors: of those, it passes on the text alone. */
export class Watch {
  /** The errors of the stores, in their order. */
  readonly errors: unknown[] = [];

  of<S extends object>(store: S): S {
    const get = (target: S, name: string | symbol): unknown => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]): unknown => {
        const result: unknown = member.apply(target, given);
        if (result instanceof Promise) result.catch((error: unknown) => this.errors.push(error));
        return result;
      };
    };
    return new Proxy(store, { get });
  }
}

/** Sessions, by account and device. */
export class Sessions extends Signal.SessionStore {
  readonly #records = new Map<string, Map<number, Uint8Array<ArrayBuffer>>>();

  async saveSession(address: Signal.ProtocolAddress, record: Signal.SessionRecord): Promise<void> {
    const devices = this.#records.get(address.name()) ?? new Map<number, Uint8Array<ArrayBuffer>>();
    this.#records.set(address.name(), devices.set(address.deviceId(), record.serialize()));
  }

  async getSession(address: Signal.ProtocolAddress): Promise<Signal.SessionRecord | null> {
    const record = this.#records.get(address.name())?.get(address.deviceId());
    return record ? Signal.SessionRecord.deserialize(record) : null;
  }

  async getExistingSessions(addresses: Signal.ProtocolAddress[]): Promise<Signal.SessionRecord[]> {
    const sessions = await Promise.all(addresses.map((address) => this.getSession(address)));
    return sessions.filter((session) => session !== null);
  }

  /** The sessions with an account that can be encrypted with. */
  with(accountId: string): [deviceId: number, session: Signal.SessionRecord][] {
    return [...(this.#records.get(accountId) ?? [])]
      .map(([deviceId, record]): [number, Signal.SessionRecord] => [deviceId, Signal.SessionRecord.deserialize(record)])
      .filter(([, session]) => session.hasCurrentState());
  }

  /**
   * Takes a session out of use for sending. Late messages of it can still be read: the other side may have written them
   * before it knew.
   */
  async archive(address: Signal.ProtocolAddress): Promise<void> {
    const session = await this.getSession(address);
    if (!session) return;
    session.archiveCurrentState();
    await this.saveSession(address, session);
  }
}

/** The own identity, and the identity of each session. It trusts everybody: `@sealpost/client` holds the pinned keys. */
export class Identities extends Signal.IdentityKeyStore {
  readonly #own: Signal.IdentityKeyPair;
  readonly #registrationId: number;
  readonly #keys = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(own: Signal.IdentityKeyPair, registrationId: number) {
    super();
    this.#own = own;
    this.#registrationId = registrationId;
  }

  async getIdentityKey(): Promise<Signal.PrivateKey> {
    return this.#own.privateKey;
  }

  override async getIdentityKeyPair(): Promise<Signal.IdentityKeyPair> {
    return this.#own;
  }

  async getLocalRegistrationId(): Promise<number> {
    return this.#registrationId;
  }

  async saveIdentity(address: Signal.ProtocolAddress, key: Signal.PublicKey): Promise<Signal.IdentityChange> {
    const before = await this.getIdentity(address);
    this.#keys.set(address.toString(), key.serialize());
    const replaced = before !== null && !before.equals(key);
    return replaced ? Signal.IdentityChange.ReplacedExisting : Signal.IdentityChange.NewOrUnchanged;
  }

  async isTrustedIdentity(): Promise<boolean> {
    return true;
  }

  async getIdentity(address: Signal.ProtocolAddress): Promise<Signal.PublicKey | null> {
    const key = this.#keys.get(address.toString());
    return key ? Signal.PublicKey.deserialize(key) : null;
  }
}

/** One-time Curve25519 prekeys: libsignal removes each when it is used. */
export class PreKeys extends Signal.PreKeyStore {
  readonly #records = new Map<number, Uint8Array<ArrayBuffer>>();

  async savePreKey(id: number, record: Signal.PreKeyRecord): Promise<void> {
    this.#records.set(id, record.serialize());
  }

  async getPreKey(id: number): Promise<Signal.PreKeyRecord> {
    return Signal.PreKeyRecord.deserialize(found(this.#records, id));
  }

  async removePreKey(id: number): Promise<void> {
    this.#records.delete(id);
  }
}

/** Signed prekeys; replaced ones stay for messages that are on their way. */
export class SignedPreKeys extends Signal.SignedPreKeyStore {
  readonly #records = new Map<number, Uint8Array<ArrayBuffer>>();

  async saveSignedPreKey(id: number, record: Signal.SignedPreKeyRecord): Promise<void> {
    this.#records.set(id, record.serialize());
  }

  async getSignedPreKey(id: number): Promise<Signal.SignedPreKeyRecord> {
    return Signal.SignedPreKeyRecord.deserialize(found(this.#records, id));
  }
}

/** Kyber prekeys: one-time ones go when they are used; last-resort ones stay, and remember with what they were used. */
export class KyberPreKeys extends Signal.KyberPreKeyStore {
  readonly #records = new Map<number, Uint8Array<ArrayBuffer>>();
  /** By the id of a last-resort key. */
  readonly #uses = new Map<number, Set<string>>();

  /** Says that the key of this id is a last-resort one. */
  keepAsLastResort(id: number): void {
    this.#uses.set(id, new Set());
  }

  async saveKyberPreKey(id: number, record: Signal.KyberPreKeyRecord): Promise<void> {
    this.#records.set(id, record.serialize());
  }

  async getKyberPreKey(id: number): Promise<Signal.KyberPreKeyRecord> {
    return Signal.KyberPreKeyRecord.deserialize(found(this.#records, id));
  }

  async markKyberPreKeyUsed(id: number, signedPreKeyId: number, baseKey: Signal.PublicKey): Promise<void> {
    const uses = this.#uses.get(id);
    const use = `${signedPreKeyId} ${Buffer.from(baseKey.serialize()).toString('base64')}`;
    if (!uses) this.#records.delete(id);
    else if (uses.has(use)) throw new UndecryptableError('this prekey message was used before');
    else uses.add(use);
  }
}

function found(records: Map<number, Uint8Array<ArrayBuffer>>, id: number): Uint8Array<ArrayBuffer> {
  const record = records.get(id);
  if (!record) throw new UndecryptableError(`no prekey ${id}`);
  return record;
}
