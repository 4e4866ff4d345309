import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { IdentityChangedError, type Envelope, type Listener, type Message } from '@sealpost/client';
import { guarded } from '#client/listener.js';

const BUG = new Error('a bug of the application');
const CHANGE = new IdentityChangedError('alice', Uint8Array.of(5));

const printed = mock.method(console, 'error', () => {});
beforeEach(() => printed.mock.resetCalls());

const fails = (): never => {
  throw BUG;
};
const failing = (how: () => void): Listener => ({
  onMessage: () => {},
  onIdentityChanged: how,
  onQueueEmpty: how,
  onConnected: how,
  onDisconnected: how,
});

async function tellAll(listener: Listener): Promise<void> {
  listener.onIdentityChanged?.(CHANGE);
  listener.onQueueEmpty?.();
  listener.onConnected?.();
  listener.onDisconnected?.(1000);
  await new Promise((settled) => setImmediate(settled));
}

for (const [kind, how] of [['throws', fails], ['rejects', async () => fails()]] as const) {
  test(`a callback that ${kind} is told to onError`, async () => {
    const errors: unknown[] = [];

    await tellAll(guarded({ ...failing(how), onError: (error) => errors.push(error) }));

    assert.deepEqual(errors, [BUG, BUG, BUG, BUG]);
    assert.equal(printed.mock.callCount(), 0);
  });

  test(`an onError that ${kind} is reported, once for each error`, async () => {
    await tellAll(guarded({ ...failing(fails), onError: how }));

    assert.deepEqual(printed.mock.calls.map(({ arguments: [first] }) => first), [BUG, BUG, BUG, BUG]);
  });
}

test('a browser is told by reportError', async (t) => {
  const platform = globalThis as { reportError?: (error: unknown) => void };
  const reported: unknown[] = [];
  platform.reportError = (error) => reported.push(error);
  t.after(() => delete platform.reportError);

  guarded({ onMessage: () => {}, onError: fails }).onError?.(new Error('no answer'));

  assert.deepEqual([reported, printed.mock.callCount()], [[BUG], 0]);
});

test('handlers of messages keep their errors and their object, and are not there if the listener has none', async () => {
  class Application implements Listener {
    readonly heard: unknown[] = [];

    async onMessage(message: Message) {
      this.heard.push(message);
      throw BUG;
    }

    onUndecryptable(_: Envelope, error: unknown) {
      this.heard.push(error);
      throw BUG;
    }
  }
  const application = new Application();
  const listener = guarded(application);
  const message = {} as Message;

  await assert.rejects(async () => listener.onMessage(message), BUG);
  assert.throws(() => listener.onUndecryptable?.({} as Envelope, CHANGE), BUG);

  assert.deepEqual(application.heard, [message, CHANGE]);
  assert.equal(guarded({ onMessage: () => {} }).onUndecryptable, undefined);
});
