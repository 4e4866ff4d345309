/**
 * A device's prekeys at the server: brought to a full stock when they run low, and the signed ones replaced in time.
 */
import { toBase64 } from './base64.js';
import type { Cipher, NewKeys, WantedKeys } from './cipher.js';
import { Lock } from './lock.js';
import type { Limits } from './options.js';
import type { Session } from './session.js';
import { Fields, type KeyCounts, type PreKey, type SignedPreKey } from './wire.js';

/** The prekeys of one device. */
export class PreKeys {
  readonly #session: Session;
  readonly #cipher: Cipher;
  readonly #limits: Limits;
  readonly #lock = new Lock();

  /** `cipher` is called one method at a time, by whoever holds it. */
  constructor(session: Session, cipher: Cipher, limits: Limits) {
    this.#session = session;
    this.#cipher = cipher;
    this.#limits = limits;
  }

  /** Counts what waits at the server. */
  async counts(): Promise<KeyCounts> {
    const { body } = await this.#session.call({ method: 'GET', route: '/v1/keys' });
    const fields = new Fields(body, 'GET /v1/keys');
    return {
      count: fields.number('count'),
      pqCount: fields.number('pqCount'),
      lastResortServed: fields.number('lastResortServed'),
    };
  }

  /** Uploads one-time keys of each kind of which fewer than `preKeysLow` wait, so that there are `preKeysFull`. */
  topUp(): Promise<void> {
    return this.#lock.run(async () => {
      const { count, pqCount } = await this.counts();
      const wanted = { signed: false, preKeys: this.#missing(count), pqPreKeys: this.#missing(pqCount) };
      if (wanted.preKeys + wanted.pqPreKeys > 0) await this.#upload(wanted);
    });
  }

  /** Replaces the signed prekey and the last-resort key: weekly is usual. The cipher keeps the old ones for late messages. */
  rotate(): Promise<void> {
    return this.#lock.run(() => this.#upload({ signed: true, preKeys: 0, pqPreKeys: 0 }));
  }

  #missing(count: number): number {
    return count < this.#limits.preKeysLow ? Math.max(0, this.#limits.preKeysFull - count) : 0;
  }

  async #upload(wanted: WantedKeys): Promise<void> {
    const body = keysBody(await this.#cipher.newKeys(wanted));
    // The same keys again change nothing, so that this may be repeated.
    await this.#session.call({ method: 'PUT', route: '/v1/keys', body });
  }
}

/** New keys as the server takes them, with an upload and with a registration. */
export function keysBody(keys: NewKeys): Record<string, unknown> {
  return {
    ...(keys.signedPreKey && { signedPreKey: signed(keys.signedPreKey) }),
    ...(keys.pqLastResortPreKey && { pqLastResortPreKey: signed(keys.pqLastResortPreKey) }),
    preKeys: keys.preKeys.map(unsigned),
    pqPreKeys: keys.pqPreKeys.map(signed),
  };
}

function unsigned(key: PreKey): Record<string, unknown> {
  return { keyId: key.keyId, publicKey: toBase64(key.publicKey) };
}

function signed(key: SignedPreKey): Record<string, unknown> {
  return { ...unsigned(key), signature: toBase64(key.signature) };
}
