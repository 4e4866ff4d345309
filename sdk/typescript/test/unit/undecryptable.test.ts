/** What becomes of an envelope whose decryption fails: told to a listener, tried again, or given up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryIdentityStore, MemoryInbox, UndecryptableError, type Cipher, type Envelope, type Listener } from '@sealpost/client';
import { Delivery } from '#client/delivery.js';
import { Identities } from '#client/identities.js';
import { environment } from '#client/options.js';

const ATTEMPTS = 4;
const FULL = new Error('the disk is full');
const FINAL = new UndecryptableError('decrypted before');

const envelopeOf = (guid: string, seq: number): Envelope => {
  const [source, content] = [{ accountId: 'alice', deviceId: 1 }, new TextEncoder().encode(guid)];
  return { guid, seq, type: 1, source, timestamp: 0, serverTimestamp: 0, content, urgent: true };
};

/** A mailbox of two envelopes; the first fails to decrypt with each of `failures` in turn, and then opens. */
class Mailbox {
  readonly envelopes = [envelopeOf('first', 1), envelopeOf('second', 2)];
  readonly acked: string[] = [];
  readonly handled: string[] = [];
  readonly errors: unknown[] = [];
  readonly #delivery: Delivery;
  #told: () => void = () => {};

  constructor(failures: unknown[], onUndecryptable?: Listener['onUndecryptable']) {
    const cipher: Pick<Cipher, 'decrypt'> = {
      async decrypt(_, { content }) {
        if (new TextDecoder().decode(content) === 'first' && failures.length > 0) throw failures.shift();
        return { plaintext: content, identityKey: Uint8Array.of(5) };
      },
    };
    this.#delivery = new Delivery({
      cipher: cipher as Cipher,
      identities: new Identities(new MemoryIdentityStore()),
      inbox: new MemoryInbox(),
      listener: {
        onMessage: ({ guid }) => void this.handled.push(guid),
        onError: (error) => {
          this.errors.push(error);
          this.#told();
        },
        ...(onUndecryptable && { onUndecryptable }),
      },
      environment: environment('https://sealpost.example', { limits: { handlerBaseMs: 0, decryptAttempts: ATTEMPTS } }),
    });
  }

  /** Delivers and acks as a connection does, until it is cut: when so many errors have been told. */
  async connect(cutAt = Infinity): Promise<void> {
    const connection = new AbortController();
    this.#told = () => this.errors.length >= cutAt && connection.abort();
    for (const envelope of this.envelopes.filter(({ guid }) => !this.acked.includes(guid))) {
      await this.#delivery.deliver(envelope, connection.signal);
      this.acked.push(envelope.guid);
    }
  }
}

test('a decryption that fails for now is tried again, and the next message waits', async () => {
  const mailbox = new Mailbox([FULL, FULL]);

  await mailbox.connect();

  assert.deepEqual(mailbox.handled, ['first', 'second']);
  assert.deepEqual(mailbox.errors, [FULL, FULL]);
});

test('a message that could not be decrypted yet is not acked when the connection ends', async () => {
  const mailbox = new Mailbox([FULL, FULL]);

  await assert.rejects(mailbox.connect(1));

  assert.deepEqual([mailbox.acked, mailbox.handled], [[], []]);
  await mailbox.connect();
  assert.deepEqual(mailbox.handled, ['first', 'second']);
});

test('a message that will never open is told, and let go at once', async () => {
  const mailbox = new Mailbox([FINAL]);

  await mailbox.connect();

  assert.deepEqual(mailbox.errors, [FINAL]);
  assert.deepEqual([mailbox.acked, mailbox.handled], [['first', 'second'], ['second']]);
});

test('a message that fails again and again is given up, which is told, with its attempts counted across connections', async () => {
  const mailbox = new Mailbox(Array.from({ length: ATTEMPTS }, () => FULL));

  await assert.rejects(mailbox.connect(2));
  await mailbox.connect();

  const told = mailbox.errors.pop();
  assert(told instanceof UndecryptableError && told.cause === FULL, String(told));
  assert.deepEqual(mailbox.errors, Array.from({ length: ATTEMPTS - 1 }, () => FULL));
  assert.deepEqual([mailbox.acked, mailbox.handled], [['first', 'second'], ['second']]);
});

test('whoever has onUndecryptable learns of every failure, and decides: a rejection keeps the message, without limit', async () => {
  const failures = Array.from({ length: ATTEMPTS * 2 }, () => FULL);
  const told: unknown[] = [];
  const mailbox = new Mailbox([...failures, FINAL], (_, error) => {
    told.push(error);
    if (!(error instanceof UndecryptableError)) throw error;
  });

  await mailbox.connect();

  assert.deepEqual(told, [...failures, FINAL]);
  assert.deepEqual([mailbox.acked, mailbox.handled], [['first', 'second'], ['second']]);
});
