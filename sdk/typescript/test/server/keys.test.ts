import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Inbound, owner, utf8, type Owner } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { until } from '../harness/until.js';

/** Below so many one-time keys the server tells the owner. */
const LOW = 3;
const FULL = 5;

let server: TestServer;
before(async () => void (server = await TestServer.start({ SEALPOST__KEYSTORE__LOW_WATER: String(LOW) })));
after(() => server.stop());

/** Strangers who each begin a session with somebody, and so take a key of each kind. */
async function strangers(count: number, to: Owner): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    const stranger = await owner(server.url, 'stranger', { limits: { preKeysFull: 1 } });
    await stranger.device.send(to.accountId, utf8(`hello from ${number}`));
  }
}

test('a registration brings a full stock of one-time keys', async () => {
  const bob = await owner(server.url, 'bob', { limits: { preKeysFull: FULL } });

  assert.deepEqual(await bob.device.keyCounts(), { count: FULL, pqCount: FULL, lastResortServed: 0 });
});

test('who comes after the last one-time key gets the last-resort key, and is understood', async () => {
  const bob = await owner(server.url, 'bob', { limits: { preKeysFull: 2 } });

  await strangers(4, bob);

  assert.deepEqual(await bob.device.keyCounts(), { count: 0, pqCount: 0, lastResortServed: 2 });
  const inbound = await Inbound.of(bob.device);
  assert.deepEqual(inbound.texts, [0, 1, 2, 3].map((number) => `hello from ${number}`));
  await inbound.stop();
});

test('the stock is filled up when the server says that it runs low', async () => {
  const bob = await owner(server.url, 'bob', { limits: { preKeysFull: FULL, preKeysLow: LOW } });
  const inbound = await Inbound.of(bob.device);

  await strangers(FULL - LOW, bob);
  assert.equal((await bob.device.keyCounts()).count, LOW);
  await strangers(1, bob);

  await until(async () => (await bob.device.keyCounts()).count === FULL, 'a full stock');
  assert.deepEqual(await bob.device.keyCounts(), { count: FULL, pqCount: FULL, lastResortServed: 0 });
  await inbound.count(FULL - LOW + 1);
  await strangers(1, bob);
  assert.equal((await inbound.count(FULL - LOW + 2)).at(-1), 'hello from 0');
  await inbound.stop();
});

test('a stock that ran low while nobody was connected is filled up by the next connection', async () => {
  const bob = await owner(server.url, 'bob', { limits: { preKeysFull: FULL, preKeysLow: LOW } });
  await strangers(FULL, bob);

  const inbound = await Inbound.of(bob.device);

  await until(async () => (await bob.device.keyCounts()).pqCount === FULL, 'a full stock');
  await inbound.stop();
});

test('signed keys are replaced, and messages to the old ones are still read', async () => {
  const [alice, bob, carol] = [await owner(server.url, 'alice'), await owner(server.url, 'bob'), await owner(server.url, 'carol')];
  await alice.device.send(bob.accountId, utf8('to the old key'));

  await bob.device.rotateSignedKeys();

  await carol.device.send(bob.accountId, utf8('to the new key'));
  const inbound = await Inbound.of(bob.device);
  assert.deepEqual(inbound.texts, ['to the old key', 'to the new key']);
  await inbound.stop();
});
