import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { DisplacedError, SessionEndedError } from '@sealpost/client';
import { Inbound, owner, text, utf8, type Owner } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { gate, until } from '../harness/until.js';

let server: TestServer;
let alice: Owner;
let bob: Owner;
beforeEach(async () => {
  server = await TestServer.start();
  // A send outlasts a restart of the server.
  alice = await owner(server.url, 'alice', { limits: { requestAttempts: 100, retryCapMs: 2_000 } });
  bob = await owner(server.url, 'bob');
});
afterEach(() => server.stop());

const numbered = (count: number) => Array.from({ length: count }, (_, number) => `message ${number}`);

test('nothing is lost and nothing comes twice, however often the server is killed', async () => {
  const texts = numbered(60);
  const carol = await owner(server.url, 'carol', { transport: 'websocket' });
  const inbound = await Inbound.of(carol.device);
  const connections = () => inbound.events.filter((event) => event === 'connected').length;
  const sending = (async () => {
    for (const each of texts) await alice.device.send(carol.accountId, utf8(each));
  })();

  for (const after of [10, 25, 40]) {
    await inbound.count(after);
    const before = connections();
    await server.kill();
    await server.start();
    await until(() => connections() > before, 'a connection to the server that is back');
  }

  await sending;
  assert.deepEqual(await inbound.count(texts.length), texts);
  assert.equal(new Set(inbound.messages.map(({ guid }) => guid)).size, texts.length);
  await inbound.stop();
});

test('a message whose ack was lost with the server is not handed over again', async () => {
  const handling = gate();
  const handle = gate();
  const inbound = new Inbound(bob.device, {
    onMessage: async () => {
      handling.open();
      await handle.passed;
    },
  });
  await alice.device.send(bob.accountId, utf8('once'));
  await handling.passed;

  await server.kill();
  handle.open();
  await server.start();

  await inbound.listening.ready;
  assert.deepEqual(inbound.texts, ['once']);
  await inbound.stop();
  const later = await Inbound.of(bob.device);
  assert.deepEqual(later.texts, []);
  await later.stop();
});

test('a server that has fallen silent is left, and found again', async () => {
  const limits = { keepaliveMs: 100, keepaliveTimeoutMs: 300, connectTimeoutMs: 500 };
  const carol = await owner(server.url, 'carol', { limits });
  const inbound = await Inbound.of(carol.device);
  const times = (event: string) => inbound.events.filter((each) => each === event).length;
  const connected = () => times('connected') > times('disconnected 1006');

  // A server on a busy machine may be taken for a silent one before it is: then there is another connection already.
  await until(connected, 'a connection');
  server.freeze();
  await until(() => !connected(), 'the end of the connection');
  server.thaw();

  await until(connected, 'another connection');
  await alice.device.send(carol.accountId, utf8('back again'));
  assert.deepEqual(await inbound.count(1), ['back again']);
  await inbound.stop();
});

test('a handler that fails is called again with the same message, and the next waits', async () => {
  let failures = 3;
  const order: string[] = [];
  const inbound = new Inbound(bob.device, {
    onMessage: (message) => {
      order.push(text(message));
      if (failures-- > 0) throw new Error('the disk is full');
    },
  });
  await alice.device.send(bob.accountId, utf8('one'));
  await alice.device.send(bob.accountId, utf8('two'));

  await inbound.count(2);

  assert.deepEqual(order, ['one', 'one', 'one', 'one', 'two']);
  assert.equal(inbound.errors.length, 3);
  await inbound.stop();
});

test('a message that was not handled comes again to the next listener', async () => {
  const first = new Inbound(bob.device, {
    onMessage: () => {
      throw new Error('not now');
    },
  });
  await alice.device.send(bob.accountId, utf8('patience'));
  await until(() => first.errors.length > 0, 'a failure');
  await first.stop();

  const second = await Inbound.of(bob.device);

  assert.deepEqual(second.texts, ['patience']);
  await second.stop();
});

test('what cannot be decrypted is reported, and does not hold up the rest', async () => {
  await alice.device.send(bob.accountId, utf8('for a cipher that is gone'));
  const amnesiac = await owner(server.url, 'amnesiac');
  await amnesiac.cipher.bind(bob.device.address);
  const device = await bob.person.account.device(amnesiac.cipher);

  const inbound = await Inbound.of(device);

  assert.deepEqual(inbound.events.slice(0, 3), ['connected', 'undecryptable', 'empty']);
  await inbound.stop();
  const again = await Inbound.of(device);
  assert.deepEqual(again.events, ['connected', 'empty']);
  await again.stop();
});

test('a stop lets the handler finish, and acks its message', async () => {
  const [handling, handle] = [gate(), gate()];
  const inbound = new Inbound(bob.device, {
    onMessage: async () => {
      handling.open();
      await handle.passed;
    },
  });
  await alice.device.send(bob.accountId, utf8('the last'));
  await handling.passed;

  const stopping = inbound.stop();
  handle.open();
  await stopping;

  assert.equal(await inbound.listening.ended, undefined);
  const fresh = await bob.person.account.device(bob.cipher);
  const later = await Inbound.of(fresh);
  assert.deepEqual([later.texts, later.errors], [[], []]);
  await later.stop();
});

test('a stop ends once the server has read the ack', async () => {
  const [handling, handle] = [gate(), gate()];
  const inbound = new Inbound(bob.device, {
    onMessage: async () => {
      handling.open();
      await handle.passed;
    },
  });
  await alice.device.send(bob.accountId, utf8('on its way'));
  await handling.passed;
  let stopped = false;

  server.freeze();
  const stopping = inbound.stop().then(() => (stopped = true));
  handle.open();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const early = stopped;
  server.thaw();
  await stopping;

  assert(!early, 'it ended while nobody could have read the ack');
  const later = await Inbound.of(await bob.person.account.device(bob.cipher));
  assert.deepEqual([later.texts, later.errors], [[], []]);
  await later.stop();
});

test('a stop does not wait for long for a server that has fallen silent', async () => {
  const carol = await owner(server.url, 'carol', { limits: { closeTimeoutMs: 100 } });
  const inbound = await Inbound.of(carol.device);

  server.freeze();
  await inbound.stop();
  server.thaw();

  assert.equal(inbound.events.at(-1), 'disconnected 1006');
});

test('the connection that is displaced by another of the same device ends', async () => {
  const first = await Inbound.of(bob.device);
  const elsewhere = await bob.person.account.device(bob.cipher);

  const second = await Inbound.of(elsewhere);

  assert((await first.listening.ended) instanceof DisplacedError);
  await alice.device.send(bob.accountId, utf8('to the second'));
  assert.deepEqual(await second.count(1), ['to the second']);
  assert.deepEqual(first.texts, []);
  await second.stop();
});

test('a device that is removed stops listening', async () => {
  const inbound = await Inbound.of(bob.device);
  const account = await bob.person.logIn();

  await account.removeDevice(bob.device.address.deviceId);

  assert((await inbound.listening.ended) instanceof SessionEndedError);
  await assert.rejects(Inbound.of(bob.device), SessionEndedError);
});
