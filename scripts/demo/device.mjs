// One device of one account: registers with the server, uploads its prekeys, and talks to others over the message websocket.
import { randomBytes, randomInt } from 'node:crypto';
import * as Signal from '@signalapp/libsignal-client';
import WebSocket from 'ws';
import { Identities, KyberPreKeys, PreKeys, Sessions, SignedPreKeys } from './stores.mjs';

const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const utf8 = (text) => new Uint8Array(Buffer.from(text));
const seconds = (n) => n * 1000;

// The numbers of Signal's envelopes, as every Signal server takes them; libsignal counts its own messages otherwise.
const ENVELOPE = { ciphertext: 1, preKey: 3 };
const envelopeType = (message) => (message.type() === Signal.CiphertextMessageType.PreKey ? ENVELOPE.preKey : ENVELOPE.ciphertext);

export class Device {
  #identity = Signal.IdentityKeyPair.generate();
  #registrationId = randomInt(1, 0x3fff);
  #sessions = new Sessions();
  #identities = new Identities(this.#identity, this.#registrationId);
  #preKeys = new PreKeys();
  #signedPreKeys = new SignedPreKeys();
  #kyberPreKeys = new KyberPreKeys();
  #nextKeyId = 1;
  #inbox = [];
  #waiting = [];

  constructor(servers, name) {
    this.servers = servers;
    this.username = `${name}-${randomBytes(4).toString('hex')}`;
  }

  /** Creates the account, logs in, and registers this device with its PQXDH prekeys. */
  async register({ oneTimeKeys = 10 } = {}) {
    const password = randomBytes(18).toString('base64');
    const account = await this.#call('POST', '/v1/accounts', { username: this.username, password });
    const session = await this.#call('POST', '/v1/sessions', { username: this.username, password });
    this.accountId = account.accountId;
    this.accessToken = session.accessToken;
    const device = await this.#call('POST', '/v1/devices', {
      registrationId: this.#registrationId,
      identityKey: base64(this.#identity.publicKey.serialize()),
      signedPreKey: await this.#newSignedPreKey(),
      preKeys: await Promise.all(Array.from({ length: oneTimeKeys }, () => this.#newPreKey())),
      pqLastResortPreKey: await this.#newKyberPreKey(),
      pqPreKeys: await Promise.all(Array.from({ length: oneTimeKeys }, () => this.#newKyberPreKey())),
    });
    this.deviceId = device.deviceId;
    this.accessToken = device.accessToken;
    this.address = Signal.ProtocolAddress.new(this.accountId, this.deviceId);
  }

  /** Fetches the bundles of all devices of `accountId` and starts a session with each. Returns their device ids. */
  async connectTo(accountId) {
    const answer = await this.#call('GET', `/v1/keys/${accountId}/*`);
    for (const device of answer.devices) {
      const bundle = Signal.PreKeyBundle.new(
        device.registrationId, device.deviceId,
        device.preKey?.keyId ?? null, device.preKey ? Signal.PublicKey.deserialize(bytes(device.preKey.publicKey)) : null,
        device.signedPreKey.keyId, Signal.PublicKey.deserialize(bytes(device.signedPreKey.publicKey)), bytes(device.signedPreKey.signature),
        Signal.PublicKey.deserialize(bytes(answer.identityKey)),
        device.pqPreKey.keyId, Signal.KEMPublicKey.deserialize(bytes(device.pqPreKey.publicKey)), bytes(device.pqPreKey.signature));
      const address = Signal.ProtocolAddress.new(accountId, device.deviceId);
      await Signal.processPreKeyBundle(bundle, address, this.address, this.#sessions, this.#identities);
    }
    return answer.devices.map(({ deviceId }) => deviceId);
  }

  /** Encrypts `text` for each device and sends all copies at once. Returns the bytes of ciphertext. */
  async send(accountId, deviceIds, text) {
    const messages = await Promise.all(deviceIds.map(async (deviceId) => {
      const address = Signal.ProtocolAddress.new(accountId, deviceId);
      const registrationId = (await this.#sessions.getSession(address)).remoteRegistrationId();
      const message = await Signal.signalEncrypt(utf8(text), address, this.address, this.#sessions, this.#identities);
      return {
        destinationDeviceId: deviceId, destinationRegistrationId: registrationId,
        type: envelopeType(message), content: base64(message.serialize()),
      };
    }));
    await this.#call('PUT', `/v1/messages/${accountId}`, { messages, timestamp: Date.now() }, { 'Idempotency-Key': randomBytes(16).toString('hex') });
    return messages.reduce((sum, message) => sum + bytes(message.content).length, 0);
  }

  /** Opens the message websocket and resolves once the server says that the backlog has been delivered. */
  async listen() {
    this.socket = new WebSocket(this.servers.at('/v1/websocket').replace(/^http/, 'ws'), { headers: { Authorization: `Bearer ${this.accessToken}` } });
    await new Promise((resolve, reject) => {
      this.socket.on('error', reject);
      this.socket.on('close', (code) => reject(new Error(`the websocket closed with ${code}`)));
      this.socket.on('message', (data) => {
        const frame = JSON.parse(data);
        if (frame.type !== 'request') return;
        if (frame.path === '/v1/queue/empty') resolve();
        if (frame.path === '/v1/message') this.#received(frame);
      });
    });
  }

  /** Resolves with the next message: decrypted, and only then acked. */
  async receive() {
    const frame = this.#inbox.shift() ?? (await within(seconds(10), 'a message', (resolve) => this.#waiting.push(resolve)));
    const { sourceAccount, sourceDevice, type, content } = frame.body;
    const from = Signal.ProtocolAddress.new(sourceAccount, sourceDevice);
    const plain = type === ENVELOPE.preKey
      ? await Signal.signalDecryptPreKey(Signal.PreKeySignalMessage.deserialize(bytes(content)), from, this.address,
        this.#sessions, this.#identities, this.#preKeys, this.#signedPreKeys, this.#kyberPreKeys)
      : await Signal.signalDecrypt(Signal.SignalMessage.deserialize(bytes(content)), from, this.address, this.#sessions, this.#identities);
    this.socket.send(JSON.stringify({ type: 'response', id: frame.id, status: 200 }));
    return Buffer.from(plain).toString();
  }

  /** How many envelopes the server still holds for this device. */
  async queued() {
    return (await this.#call('GET', '/v1/messages')).messages.length;
  }

  /** How many one-time keys of each kind the server still holds. */
  keyCounts() {
    return this.#call('GET', '/v1/keys');
  }

  close() {
    this.socket?.removeAllListeners('close');
    this.socket?.close(1000);
  }

  #received(frame) {
    const taker = this.#waiting.shift();
    if (taker) taker(frame);
    else this.#inbox.push(frame);
  }

  async #newPreKey() {
    const keyId = this.#nextKeyId++;
    const key = Signal.PrivateKey.generate();
    await this.#preKeys.savePreKey(keyId, Signal.PreKeyRecord.new(keyId, key.getPublicKey(), key));
    return { keyId, publicKey: base64(key.getPublicKey().serialize()) };
  }

  async #newSignedPreKey() {
    const keyId = this.#nextKeyId++;
    const key = Signal.PrivateKey.generate();
    const signature = this.#identity.privateKey.sign(key.getPublicKey().serialize());
    await this.#signedPreKeys.saveSignedPreKey(keyId, Signal.SignedPreKeyRecord.new(keyId, Date.now(), key.getPublicKey(), key, signature));
    return { keyId, publicKey: base64(key.getPublicKey().serialize()), signature: base64(signature) };
  }

  async #newKyberPreKey() {
    const keyId = this.#nextKeyId++;
    const pair = Signal.KEMKeyPair.generate();
    const signature = this.#identity.privateKey.sign(pair.getPublicKey().serialize());
    await this.#kyberPreKeys.saveKyberPreKey(keyId, Signal.KyberPreKeyRecord.new(keyId, Date.now(), pair, signature));
    return { keyId, publicKey: base64(pair.getPublicKey().serialize()), signature: base64(signature) };
  }

  async #call(method, path, body, headers = {}) {
    const answer = await fetch(this.servers.at(path), {
      method,
      headers: {
        ...(body ? { 'Content-Type': 'application/json' } : {}),
        ...(this.accessToken ? { Authorization: `Bearer ${this.accessToken}` } : {}),
        ...headers,
      },
      body: body ? JSON.stringify(body) : undefined,
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  }
}

/** Resolves with what `start` resolves with, or fails after `limit` milliseconds. */
export function within(limit, what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${limit / 1000} s for ${what}`)), limit);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
