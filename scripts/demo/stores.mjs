// What a libsignal client keeps: sessions, identities and prekeys, in memory, serialized as a real device would store them.
import * as Signal from '@signalapp/libsignal-client';

export class Sessions extends Signal.SessionStore {
  #records = new Map();
  async saveSession(address, record) {
    this.#records.set(address.toString(), record.serialize());
  }
  async getSession(address) {
    const bytes = this.#records.get(address.toString());
    return bytes ? Signal.SessionRecord.deserialize(bytes) : null;
  }
  async getExistingSessions(addresses) {
    return Promise.all(addresses.map(async (address) => {
      const session = await this.getSession(address);
      if (!session) throw new Error(`no session with ${address}`);
      return session;
    }));
  }
}

export class Identities extends Signal.IdentityKeyStore {
  #known = new Map();
  constructor(pair, registrationId) {
    super();
    this.pair = pair;
    this.registrationId = registrationId;
  }
  async getIdentityKey() {
    return this.pair.privateKey;
  }
  async getLocalRegistrationId() {
    return this.registrationId;
  }
  async saveIdentity(address, key) {
    const before = this.#known.get(address.toString());
    this.#known.set(address.toString(), key);
    const changed = before && !before.equals(key);
    return changed ? Signal.IdentityChange.ReplacedExisting : Signal.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity(address, key) {
    const known = this.#known.get(address.toString());
    return !known || known.equals(key);
  }
  async getIdentity(address) {
    return this.#known.get(address.toString()) ?? null;
  }
}

/** One map of serialized records under the names that libsignal asks for. */
const keep = (records, kind, type) => ({
  save: async (id, record) => void records.set(id, record.serialize()),
  get: async (id) => {
    const bytes = records.get(id);
    if (!bytes) throw new Error(`no ${kind} ${id}`);
    return type.deserialize(bytes);
  },
});

export class PreKeys extends Signal.PreKeyStore {
  records = new Map();
  #keep = keep(this.records, 'prekey', Signal.PreKeyRecord);
  savePreKey = this.#keep.save;
  getPreKey = this.#keep.get;
  async removePreKey(id) {
    this.records.delete(id);
  }
}

export class SignedPreKeys extends Signal.SignedPreKeyStore {
  #keep = keep(new Map(), 'signed prekey', Signal.SignedPreKeyRecord);
  saveSignedPreKey = this.#keep.save;
  getSignedPreKey = this.#keep.get;
}

export class KyberPreKeys extends Signal.KyberPreKeyStore {
  #keep = keep(new Map(), 'Kyber prekey', Signal.KyberPreKeyRecord);
  saveKyberPreKey = this.#keep.save;
  getKyberPreKey = this.#keep.get;
  async markKyberPreKeyUsed() {}
}
