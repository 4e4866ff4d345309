/**
 * HPKE (RFC 9180) with what every platform's WebCrypto has: base mode, single shot, DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, AES-256-GCM, without associated data. The suite of `proto/sms-envelope-v2.md`.
 *
 * What must hold: the private half of a key pair is used here and leaves this module in no form.
 */

/** Bytes on a buffer of their own, as WebCrypto takes them. */
type Bytes = Uint8Array<ArrayBuffer>;

const X25519 = { name: 'X25519' };
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const ascii = (text: string): Bytes => new TextEncoder().encode(text);

/** `KEM`, then the number of DHKEM(X25519, HKDF-SHA256). */
const KEM_SUITE = bytes(ascii('KEM'), [0x00, 0x20]);
/** `HPKE`, then the numbers of KEM, KDF and AEAD. */
const SUITE = bytes(ascii('HPKE'), [0x00, 0x20, 0x00, 0x01, 0x00, 0x02]);
const VERSION = ascii('HPKE-v1');
const EMPTY: Bytes = new Uint8Array();
const BASE_MODE = [0x00];

/** A key pair for one message, or a few. */
export interface KeyPair {
  readonly privateKey: CryptoKey;
  /** 32 octets. */
  readonly publicKey: Uint8Array;
}

/** Makes a key pair, whose private half cannot be taken out of it. */
export async function generateKeyPair(): Promise<KeyPair> {
  const pair = (await crypto.subtle.generateKey(X25519, false, ['deriveBits'])) as CryptoKeyPair;
  return { privateKey: pair.privateKey, publicKey: await raw(pair.publicKey) };
}

/** Encrypts for the owner of a public key: 32 octets of encapsulated key, then the ciphertext. Rejects for no valid key. */
export async function seal(publicKey: Uint8Array, info: string, plaintext: Uint8Array): Promise<Uint8Array> {
  const ephemeral = await generateKeyPair();
  const shared = await sharedSecret(ephemeral.privateKey, publicKey, bytes(ephemeral.publicKey, publicKey));
  const { key, iv } = await schedule(shared, info, 'encrypt');
  const ciphertext = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, bytes(plaintext));
  return bytes(ephemeral.publicKey, new Uint8Array(ciphertext));
}

/** Decrypts what {@link seal} made for this key pair and this `info`. Rejects for anything else. */
export async function open(own: KeyPair, info: string, sealed: Uint8Array): Promise<Uint8Array> {
  if (sealed.length < KEY_BYTES + TAG_BYTES) throw new Error('too short to be sealed');
  const encapsulated = sealed.slice(0, KEY_BYTES);
  const shared = await sharedSecret(own.privateKey, encapsulated, bytes(encapsulated, own.publicKey));
  const { key, iv } = await schedule(shared, info, 'decrypt');
  return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed.slice(KEY_BYTES)));
}

/** ExtractAndExpand of DHKEM (RFC 9180 §4.1). */
async function sharedSecret(privateKey: CryptoKey, publicKey: Uint8Array, context: Bytes): Promise<Bytes> {
  const other = await crypto.subtle.importKey('raw', bytes(publicKey), X25519, false, []);
  const dh = new Uint8Array(await crypto.subtle.deriveBits({ ...X25519, public: other }, privateKey, KEY_BYTES * 8));
  // A key of low order (RFC 9180 §7.1.4): most platforms refuse it themselves.
  if (dh.every((octet) => octet === 0)) throw new Error('not a public key');
  const prk = await labeledExtract(KEM_SUITE, EMPTY, 'eae_prk', dh);
  return labeledExpand(KEM_SUITE, prk, 'shared_secret', context, KEY_BYTES);
}

/** KeySchedule in base mode (RFC 9180 §5.1), for the first and only message of the context. */
async function schedule(shared: Bytes, info: string, usage: KeyUsage): Promise<{ key: CryptoKey; iv: Bytes }> {
  const [psk, infoHash] = [
    await labeledExtract(SUITE, EMPTY, 'psk_id_hash', EMPTY),
    await labeledExtract(SUITE, EMPTY, 'info_hash', ascii(info)),
  ];
  const context = bytes(BASE_MODE, psk, infoHash);
  const secret = await labeledExtract(SUITE, shared, 'secret', EMPTY);
  const key = await labeledExpand(SUITE, secret, 'key', context, KEY_BYTES);
  const iv = await labeledExpand(SUITE, secret, 'base_nonce', context, NONCE_BYTES);
  return { key: await crypto.subtle.importKey('raw', key, 'AES-GCM', false, [usage]), iv };
}

/** LabeledExtract (RFC 9180 §4). */
function labeledExtract(suite: Bytes, salt: Bytes, label: string, material: Bytes): Promise<Bytes> {
  return hmac(salt, bytes(VERSION, suite, ascii(label), material));
}

/** LabeledExpand for up to 32 octets: one block of HKDF-Expand (RFC 5869 §2.3). */
async function labeledExpand(suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Promise<Bytes> {
  const block = await hmac(prk, bytes([0, length], VERSION, suite, ascii(label), info, [1]));
  return block.slice(0, length);
}

async function hmac(key: Bytes, message: Bytes): Promise<Bytes> {
  // A platform may refuse an empty key; zeros are the same one (RFC 2104 §2).
  const material = key.length === 0 ? new Uint8Array(KEY_BYTES) : key;
  const imported = await crypto.subtle.importKey('raw', material, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, message));
}

async function raw(key: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey('raw', key));
}

function bytes(...parts: ArrayLike<number>[]): Bytes {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
