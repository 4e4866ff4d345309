import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SessionEndedError, type Options, type SocketConstructor } from '@sealpost/client';
import { Inbound, owner, utf8 } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { until } from '../harness/until.js';

let server: TestServer;
before(async () => void (server = await TestServer.start()));
after(() => server.stop());

/** The platform's socket as a browser has it: without a way to set headers. Keeps the addresses it was opened with. */
function browser(): { options: Options; opened: string[] } {
  const opened: string[] = [];
  class BrowserSocket extends WebSocket {
    constructor(url: string, protocols: string[] | object) {
      assert(Array.isArray(protocols), 'a browser takes subprotocols, and nothing else');
      super(url, protocols);
      opened.push(url);
    }
  }
  return { options: { socketCredential: 'ticket', WebSocket: BrowserSocket as unknown as SocketConstructor }, opened };
}

/** A network that lets no websocket through. */
const NO_SOCKETS = {
  WebSocket: class {
    onclose: ((event: { code: number }) => void) | null = null;
    constructor() {
      queueMicrotask(() => this.onclose?.({ code: 1006 }));
    }
    close(): void {}
  } as unknown as SocketConstructor,
} satisfies Options;

test('a browser connects with a ticket, and with another one each time', async () => {
  const { options, opened } = browser();
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob', options)];
  const inbound = await Inbound.of(bob.device);
  await alice.device.send(bob.accountId, utf8('one'));
  await inbound.count(1);

  await server.kill();
  await server.start();
  await until(() => inbound.events.filter((event) => event === 'connected').length === 2, 'another connection');
  await alice.device.send(bob.accountId, utf8('two'));

  assert.deepEqual(await inbound.count(2), ['one', 'two']);
  assert(opened.length >= 2 && opened.every((url) => /\/v1\/websocket\?ticket=.+/.test(url)));
  assert.equal(new Set(opened).size, opened.length);
  assert(!JSON.stringify(inbound.errors.map(String)).includes('ticket='));
  await inbound.stop();
});

for (const [how, options] of [
  ['HTTP is polled while no websocket opens', NO_SOCKETS],
  ['HTTP alone is enough', { transport: 'poll' }],
] as const) {
  test(how, async () => {
    const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob', options)];
    await alice.device.send(bob.accountId, utf8('backlog'));
    const inbound = await Inbound.of(bob.device);
    const texts = ['one', 'two', 'three'];

    for (const each of texts) await alice.device.send(bob.accountId, utf8(each));

    assert.deepEqual(await inbound.count(4), ['backlog', ...texts]);
    await inbound.stop();
    const later = await Inbound.of(await bob.person.account.device(bob.cipher));
    assert.deepEqual([later.texts, later.errors.filter((error) => !/websocket/.test(String(error)))], [[], []]);
    await later.stop();
  });
}

test('a poller whose device is removed stops', async () => {
  const bob = await owner(server.url, 'bob', { transport: 'poll', limits: { pollSeconds: 1 } });
  const inbound = await Inbound.of(bob.device);

  await (await bob.person.logIn()).removeDevice(bob.device.address.deviceId);

  assert((await inbound.listening.ended) instanceof SessionEndedError);
});
