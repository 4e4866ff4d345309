/**
 * One device of an account: sends to all devices of others, and receives what is sent to it.
 */
import { sameBytes } from './base64.js';
import type { Cipher } from './cipher.js';
import { Delivery } from './delivery.js';
import { SealpostError } from './errors.js';
import { Identities, MemoryIdentityStore, type IdentityStore } from './identities.js';
import { MemoryInbox, type Inbox } from './inbox.js';
import { guarded, type Listener } from './listener.js';
import { Listening } from './listening.js';
import { OneAtATime } from './one-at-a-time.js';
import type { Environment } from './options.js';
import { PreKeys } from './prekeys.js';
import { Sender, type SendOptions, type SendReceipt } from './sending.js';
import type { Session } from './session.js';
import type { Address, KeyCounts } from './wire.js';

/** Where a device keeps what it has to remember. In memory by default: for tests, and for devices that do not last. */
export interface DeviceStores {
  /** Pinned identity keys. */
  readonly identities?: IdentityStore;
  /** Messages between decryption and ack. */
  readonly inbox?: Inbox;
}

/** A registered device. Made by `Account.registerDevice` and `Account.device`. */
export class Device {
  /** The account's id and the device's number. */
  readonly address: Address;
  readonly #environment: Environment;
  readonly #session: Session;
  readonly #cipher: Cipher;
  readonly #identities: Identities;
  readonly #inbox: Inbox;
  readonly #preKeys: PreKeys;
  readonly #sender: Sender;
  #listening: Listening | undefined;

  private constructor(environment: Environment, session: Session, cipher: Cipher, own: Address, stores: DeviceStores) {
    this.address = own;
    this.#environment = environment;
    this.#session = session;
    this.#cipher = new OneAtATime(cipher);
    this.#identities = new Identities(stores.identities ?? new MemoryIdentityStore());
    this.#inbox = stores.inbox ?? new MemoryInbox();
    this.#preKeys = new PreKeys(session, this.#cipher, environment.limits);
    this.#sender = new Sender({ own, session, cipher: this.#cipher, identities: this.#identities, environment });
  }

  /** @internal */
  static async of(environment: Environment, session: Session, cipher: Cipher, own: Address, stores: DeviceStores): Promise<Device> {
    const device = new Device(environment, session, cipher, own, stores);
    await device.#cipher.bind(own);
    // The other devices of the account share this key; whatever else the server may show for them is refused.
    await device.#identities.accept(own.accountId, await device.#cipher.identityKey());
    return device;
  }

  /**
   * Encrypts a message for all devices of an account and sends it. Resolves when every copy is on the server's disk.
   *
   * @throws as {@link Sender.send}
   */
  send(accountId: string, plaintext: Uint8Array, options?: SendOptions): Promise<SendReceipt> {
    return this.#sender.send(accountId, plaintext, options);
  }

  /** Receives until it is stopped, or until the session ends or the device connects elsewhere. */
  listen(listener: Listener): Listening {
    if (this.#listening) throw new SealpostError('this device listens already');
    const guard = guarded(listener);
    const [environment, cipher, identities] = [this.#environment, this.#cipher, this.#identities];
    const delivery = new Delivery({ cipher, identities, inbox: this.#inbox, listener: guard, environment });
    const [session, preKeys] = [this.#session, this.#preKeys];
    const listening = new Listening({ session, preKeys, delivery, listener: guard, environment });
    this.#listening = listening;
    void listening.ended.finally(() => (this.#listening = undefined));
    return listening;
  }

  /** Takes a changed identity key as the account's own from now on: its owner has been asked, by another way than this. */
  async acceptIdentity(accountId: string, identityKey: Uint8Array): Promise<void> {
    await this.#identities.accept(accountId, identityKey);
    await this.#sender.forget(accountId, (key) => sameBytes(key, identityKey));
  }

  /** Counts the prekeys that wait at the server. */
  keyCounts(): Promise<KeyCounts> {
    return this.#preKeys.counts();
  }

  /** Uploads one-time prekeys if few wait. A device that listens does so by itself. */
  topUpKeys(): Promise<void> {
    return this.#preKeys.topUp();
  }

  /** Replaces the signed prekey and the last-resort key; to be called about once a week. */
  rotateSignedKeys(): Promise<void> {
    return this.#preKeys.rotate();
  }
}
