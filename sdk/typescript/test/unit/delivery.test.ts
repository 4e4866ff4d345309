/**
 * Random walks of the delivery: connections end at any point, handlers and stores fail, acks are lost, and what was not
 * acked comes again. Each ciphertext can be decrypted once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryIdentityStore, MemoryInbox, type Cipher, type Envelope, type Message } from '@sealpost/client';
import { Delivery } from '#client/delivery.js';
import { Identities } from '#client/identities.js';
import { environment } from '#client/options.js';
import { Random } from '../harness/random.js';

const MESSAGES = 40;

/** Fails now and then, before it does anything. */
class FailingInbox extends MemoryInbox {
  constructor(readonly fails: () => void) {
    super();
  }

  override async find(guid: string) {
    this.fails();
    return super.find(guid);
  }

  override async decrypted(message: Message) {
    this.fails();
    return super.decrypted(message);
  }

  override async handled(guid: string) {
    this.fails();
    return super.handled(guid);
  }
}

async function walk(random: Random): Promise<void> {
  const handled: string[] = [];
  const decrypted = new Set<string>();
  const fails = (share: number) => {
    if (random.next() < share) throw new Error('failed by chance');
  };
  const cipher: Pick<Cipher, 'decrypt'> = {
    async decrypt(_, { content }) {
      const guid = new TextDecoder().decode(content);
      assert(!decrypted.has(guid), 'decrypted once');
      decrypted.add(guid);
      return { plaintext: content, identityKey: Uint8Array.of(5) };
    },
  };
  const delivery = new Delivery({
    cipher: cipher as Cipher,
    identities: new Identities(new MemoryIdentityStore()),
    inbox: new FailingInbox(() => fails(0.05)),
    listener: {
      onMessage: ({ guid }: Message) => {
        fails(0.2);
        handled.push(guid);
      },
      onUndecryptable: (_, error) => assert.fail(String(error)),
    },
    environment: environment('https://sealpost.example', { limits: { handlerBaseMs: 0 }, random: random.next }),
  });
  const mailbox = Array.from({ length: MESSAGES }, (_, number): Envelope => {
    const guid = `guid ${number}`;
    const source = { accountId: 'alice', deviceId: 1 };
    return { guid, seq: number + 1, type: 1, source, timestamp: 0, serverTimestamp: 0, content: new TextEncoder().encode(guid), urgent: true };
  });
  const all = mailbox.map(({ guid }) => guid);
  while (mailbox.length > 0) {
    const connection = new AbortController();
    const acked: string[] = [];
    for (const envelope of [...mailbox]) {
      if (random.next() < 0.05) connection.abort();
      if (random.next() < 0.05) setImmediate(() => connection.abort());
      try {
        await delivery.deliver(envelope, connection.signal);
      } catch (error) {
        assert(connection.signal.aborted, String(error));
        break;
      }
      if (random.next() < 0.9) acked.push(envelope.guid);
    }
    mailbox.splice(0, mailbox.length, ...mailbox.filter(({ guid }) => !acked.includes(guid)));
  }
  // A handler that succeeded is called again only if the inbox could not be told so.
  assert.deepEqual([...new Set(handled)], all, 'in order, and none is missing');
}

test('every message is handled, in order, and decrypted once', async () => {
  const random = new Random();

  for (let round = 0; round < 60; round += 1) {
    await walk(random).catch((error: unknown) => assert.fail(`SEED=${random.seed}, walk ${round}: ${String(error)}`));
  }
});
