/**
 * People with real libsignal devices, and what most tests do with them.
 */
import { randomBytes } from 'node:crypto';
import {
  MemoryTokenStore,
  Sealpost,
  type Account,
  type Device,
  type DeviceOptions,
  type Listener,
  type Listening,
  type Message,
  type Options,
} from '@sealpost/client';
import { LibsignalCipher } from '@sealpost/example-libsignal';
import { until } from './until.js';

/** Few keys, which are quick to make, and pauses that a test can wait for. */
export const QUICK = { preKeysFull: 5, preKeysLow: 0, reconnectBaseMs: 50, reconnectCapMs: 200, retryBaseMs: 20, handlerBaseMs: 10 };

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = ({ plaintext }: Message): string => new TextDecoder().decode(plaintext);

/** Somebody with a name and a password. */
export class Person {
  readonly tokens = new MemoryTokenStore();

  private constructor(
    readonly url: string,
    readonly username: string,
    readonly password: string,
    readonly account: Account,
    readonly options: Options,
  ) {}

  static async register(url: string, name: string, options: Options = {}): Promise<Person> {
    const username = `${name}-${randomBytes(5).toString('hex')}`;
    const password = randomBytes(18).toString('base64');
    const chosen = { ...options, limits: { ...QUICK, ...options.limits } };
    const account = await new Sealpost(url, chosen).register({ username, password });
    return new Person(url, username, password, account, chosen);
  }

  /** Logs in once more. */
  logIn(options: Options = this.options): Promise<Account> {
    const { username, password } = this;
    return new Sealpost(this.url, options).logIn({ username, password, tokens: new MemoryTokenStore() });
  }

  /** Links a device with the identity of `cipher`, in a session of its own. */
  async link(cipher: LibsignalCipher, options: DeviceOptions = {}): Promise<Device> {
    const account = await this.logIn();
    return account.registerDevice(LibsignalCipher.linked(cipher.exportIdentity()), options);
  }
}

/** Somebody with one device. */
export interface Owner {
  readonly person: Person;
  readonly cipher: LibsignalCipher;
  readonly device: Device;
  readonly accountId: string;
}

export async function owner(url: string, name: string, options: Options = {}): Promise<Owner> {
  const person = await Person.register(url, name, options);
  const cipher = LibsignalCipher.create();
  const device = await person.account.registerDevice(cipher);
  return { person, cipher, device, accountId: person.account.accountId };
}

/** What a device has been handed, and what happened to it. */
export class Inbound {
  readonly texts: string[] = [];
  readonly messages: Message[] = [];
  readonly events: string[] = [];
  readonly errors: unknown[] = [];
  readonly listening: Listening;

  constructor(device: Device, more: Partial<Listener> = {}) {
    const { onMessage, ...others } = more;
    this.listening = device.listen({
      onMessage: async (message) => {
        await onMessage?.(message);
        this.messages.push(message);
        this.texts.push(text(message));
      },
      onConnected: () => this.events.push('connected'),
      onDisconnected: (code) => this.events.push(`disconnected ${code}`),
      onQueueEmpty: () => this.events.push('empty'),
      onError: (error) => this.errors.push(error),
      onUndecryptable: (_, error) => {
        this.errors.push(error);
        this.events.push('undecryptable');
      },
      ...others,
    });
  }

  /** Listens, and waits until the backlog has been handled. */
  static async of(device: Device, more: Partial<Listener> = {}): Promise<Inbound> {
    const inbound = new Inbound(device, more);
    await inbound.listening.ready;
    return inbound;
  }

  /** Waits until so many messages have been handled. */
  async count(messages: number): Promise<string[]> {
    await until(() => this.texts.length >= messages, `${messages} messages, not ${JSON.stringify(this.texts)}`);
    return this.texts;
  }

  stop(): Promise<void> {
    return this.listening.stop();
  }
}
