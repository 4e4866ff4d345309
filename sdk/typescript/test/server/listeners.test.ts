import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Listener } from '@sealpost/client';
import { Inbound, owner, QUICK, text, utf8 } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { until } from '../harness/until.js';

let server: TestServer;
before(async () => void (server = await TestServer.start()));
after(() => server.stop());

test('callbacks that throw, onError among them, do not end the receiving, and the device can listen again', async (t) => {
  const printed = t.mock.method(console, 'error', () => {});
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  const fails = () => {
    throw new Error('a bug of the application');
  };
  const heard: string[] = [];
  const broken: Omit<Listener, 'onMessage'> = { onConnected: fails, onDisconnected: fails, onQueueEmpty: fails, onError: fails };

  const listening = bob.device.listen({ ...broken, onMessage: (message) => void heard.push(text(message)) });
  await listening.ready;
  await alice.device.send(bob.accountId, utf8('still there?'));
  await until(() => heard.length > 0, 'the message');
  await listening.stop();

  assert.deepEqual(heard, ['still there?']);
  assert.equal(await listening.ended, undefined);
  assert.equal(printed.mock.callCount(), 3);
  const again = await Inbound.of(bob.device);
  assert.deepEqual([again.texts, again.errors], [[], []]);
  await again.stop();
});

test('an onError that throws when keys cannot be filled up does not end the process', async (t) => {
  const printed = t.mock.method(console, 'error', () => {});
  let registered = false;
  const options = {
    limits: { ...QUICK, requestAttempts: 1 },
    fetch: async (...call: Parameters<typeof fetch>) => {
      if (registered && String(call[0]).includes('/v1/keys')) throw new TypeError('fetch failed');
      return fetch(...call);
    },
  };
  const carol = await owner(server.url, 'carol', options);
  registered = true;

  const inbound = await Inbound.of(carol.device, {
    onError: () => {
      throw new Error('a bug of the application');
    },
  });
  await until(() => printed.mock.callCount() > 0, 'a report');

  await inbound.stop();
  assert.equal(await inbound.listening.ended, undefined);
});
