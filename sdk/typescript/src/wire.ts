/**
 * The bodies of the server's interface (`proto/openapi`, `proto/ws.md`) as types, and how they are read: an answer that
 * is not what the interface says ends here, as a {@link ContractError}, and goes no further.
 */
import { fromBase64 } from './base64.js';
import { ContractError } from './errors.js';

/** A device of an account. */
export interface Address {
  readonly accountId: string;
  /** 1 to 127. */
  readonly deviceId: number;
}

/** A one-time Curve25519 prekey: 33 octets. */
export interface PreKey {
  /** 1 to 2^31 - 1, chosen by its owner. */
  readonly keyId: number;
  readonly publicKey: Uint8Array;
}

/** A prekey with the identity's XEdDSA signature: Curve25519 (33 octets) or Kyber-1024 (1569 octets). */
export interface SignedPreKey extends PreKey {
  readonly signature: Uint8Array;
}

/** What is needed to begin a session with one device. */
export interface DeviceBundle extends Address {
  readonly identityKey: Uint8Array;
  readonly registrationId: number;
  readonly signedPreKey: SignedPreKey;
  /** Absent when the one-time keys have run out. */
  readonly preKey?: PreKey;
  readonly pqPreKey: SignedPreKey;
}

/** An encrypted message, as its device gets it. */
export interface Envelope {
  readonly guid: string;
  /** Its place in the mailbox; absent on what is not stored (`online`). */
  readonly seq?: number;
  /** 1 ciphertext, 3 prekey message, 6 sealed sender, 8 plaintext error. */
  readonly type: number;
  readonly source: Address;
  /** When the sender says it was sent, Unix milliseconds. */
  readonly timestamp: number;
  /** When the server stored it, Unix milliseconds. */
  readonly serverTimestamp: number;
  readonly content: Uint8Array;
  readonly urgent: boolean;
}

/** A device, as its owner sees it. */
export interface DeviceInfo {
  readonly deviceId: number;
  readonly registrationId: number;
  readonly name?: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Unix milliseconds, of the beginning of a day (UTC); missing when the server does not know. */
  readonly lastSeenAt?: number;
}

/** What a device has waiting at the server. */
export interface KeyCounts {
  readonly count: number;
  readonly pqCount: number;
  readonly lastResortServed: number;
}

/** The members of an object of an answer, each read once, as what it has to be. */
export class Fields {
  readonly #members: Record<string, unknown>;

  constructor(
    value: unknown,
    readonly place: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ContractError(place);
    this.#members = value as Record<string, unknown>;
  }

  string(name: string): string {
    const value = this.#members[name];
    return typeof value === 'string' ? value : this.#wrong(name);
  }

  /** A whole number from 0 on. */
  number(name: string): number {
    const value = this.#members[name];
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : this.#wrong(name);
  }

  boolean(name: string): boolean {
    const value = this.#members[name];
    return typeof value === 'boolean' ? value : this.#wrong(name);
  }

  bytes(name: string): Uint8Array {
    return fromBase64(this.string(name)) ?? this.#wrong(name);
  }

  object(name: string): Fields {
    return new Fields(this.#members[name], `${this.place}.${name}`);
  }

  objects(name: string): Fields[] {
    const value = this.#members[name];
    if (!Array.isArray(value)) return this.#wrong(name);
    return value.map((item, at) => new Fields(item, `${this.place}.${name}[${at}]`));
  }

  numbers(name: string): number[] {
    const value = this.#members[name];
    const whole = (item: unknown): item is number => Number.isSafeInteger(item);
    return Array.isArray(value) && value.every(whole) ? value : this.#wrong(name);
  }

  strings(name: string): string[] {
    const value = this.#members[name];
    const text = (item: unknown): item is string => typeof item === 'string';
    return Array.isArray(value) && value.every(text) ? value : this.#wrong(name);
  }

  /** Tells whether there is such a member, and it is not null. */
  has(name: string): boolean {
    return this.#members[name] !== undefined && this.#members[name] !== null;
  }

  #wrong(name: string): never {
    throw new ContractError(`${this.place}.${name}`);
  }
}

/** Reads a stored envelope, or one that is not stored (without `seq`). */
export function envelope(fields: Fields): Envelope {
  return {
    guid: fields.string('guid'),
    ...(fields.has('seq') ? { seq: fields.number('seq') } : {}),
    type: fields.number('type'),
    source: { accountId: fields.string('sourceAccount'), deviceId: fields.number('sourceDevice') },
    timestamp: fields.number('timestamp'),
    serverTimestamp: fields.number('serverTimestamp'),
    content: fields.bytes('content'),
    urgent: fields.has('urgent') && fields.boolean('urgent'),
  };
}

/** Reads the bundles of an account's devices. */
export function bundles(accountId: string, fields: Fields): DeviceBundle[] {
  const identityKey = fields.bytes('identityKey');
  return fields.objects('devices').map((device) => ({
    accountId,
    deviceId: device.number('deviceId'),
    identityKey,
    registrationId: device.number('registrationId'),
    signedPreKey: signedPreKey(device.object('signedPreKey')),
    ...(device.has('preKey') ? { preKey: preKey(device.object('preKey')) } : {}),
    pqPreKey: signedPreKey(device.object('pqPreKey')),
  }));
}

function preKey(fields: Fields): PreKey {
  return { keyId: fields.number('keyId'), publicKey: fields.bytes('publicKey') };
}

function signedPreKey(fields: Fields): SignedPreKey {
  return { ...preKey(fields), signature: fields.bytes('signature') };
}
