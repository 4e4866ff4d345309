// People with libsignal devices, by the TypeScript client: they register, listen, and read what comes.
// libsignal is AGPL-3.0-only: run this, do not ship it with your product.
import { randomBytes } from 'node:crypto';
import { MemoryTokenStore, Sealpost } from '../../sdk/typescript/dist/index.js';
import { LibsignalCipher } from '../../sdk/typescript/examples/libsignal/dist/index.js';

const seconds = (n) => n * 1000;
const utf8 = new TextEncoder();

export class Person {
  #tokens = new MemoryTokenStore();
  #inbox = [];
  #waiting = [];

  /** Creates an account, logs in, and registers a device with so many one-time prekeys of each kind. */
  static async register(servers, name, { oneTimeKeys = 10 } = {}) {
    const person = new Person();
    person.username = `${name}-${randomBytes(4).toString('hex')}`;
    const server = new Sealpost(servers.at('/v1/accounts').replace('/v1/accounts', ''), {
      route: (path) => servers.at(path).slice(0, -path.length),
      // The prekeys are counted here, so none are to be added in between; and the websocket is to be seen to work.
      limits: { preKeysFull: oneTimeKeys, preKeysLow: 0 },
      transport: 'websocket',
    });
    const password = randomBytes(18).toString('base64');
    const account = await server.register({ username: person.username, password, tokens: person.#tokens });
    person.device = await account.registerDevice(LibsignalCipher.create());
    person.accountId = account.accountId;
    person.servers = servers;
    return person;
  }

  /** Opens the message websocket. Resolves once the backlog has been read. */
  async listen() {
    this.listening = this.device.listen({ onMessage: ({ plaintext }) => this.#received(new TextDecoder().decode(plaintext)) });
    await within(seconds(10), 'the end of the backlog', (resolve, reject) => this.listening.ready.then(resolve, reject));
  }

  /** Encrypts `text` for every device of another person and sends it. */
  send(other, text) {
    return this.device.send(other.accountId, utf8.encode(text));
  }

  /** Resolves with the next message. */
  async receive() {
    return this.#inbox.shift() ?? within(seconds(10), 'a message', (resolve) => this.#waiting.push(resolve));
  }

  /** How many messages the server still holds for this device: asked for without the client, which would take them. */
  async queued() {
    const { accessToken } = await this.#tokens.load();
    const answer = await fetch(this.servers.at('/v1/messages'), { headers: { Authorization: `Bearer ${accessToken}` } });
    return (await answer.json()).messages.length;
  }

  /** Stops listening: what was read is acked. */
  async close() {
    await this.listening.stop();
  }

  #received(text) {
    const taker = this.#waiting.shift();
    if (taker) taker(text);
    else this.#inbox.push(text);
  }
}

/** Resolves with what `start` resolves with, or fails after `limit` milliseconds. */
export function within(limit, what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${limit / 1000} s for ${what}`)), limit);
    const settled = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    start(settled(resolve), settled(reject));
  });
}
