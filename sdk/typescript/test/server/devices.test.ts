import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DevicesUnsettledError, ProblemError, type Device } from '@sealpost/client';
import { LibsignalCipher } from '@sealpost/example-libsignal';
import { Inbound, owner, text, utf8 } from '../harness/people.js';
import { TestServer } from '../harness/server.js';

let server: TestServer;
before(async () => void (server = await TestServer.start()));
after(() => server.stop());

const refused = (slug: string) => (error: unknown) => error instanceof ProblemError && error.slug === slug;
const devicesOf = ({ copies }: { copies: readonly { deviceId: number }[] }) => copies.map(({ deviceId }) => deviceId);

/** What waits for a device, handled. */
async function backlog(device: Device): Promise<string[]> {
  const inbound = await Inbound.of(device);
  await inbound.stop();
  return inbound.texts;
}

test('a second device is linked by the identity of the first', async () => {
  const alice = await owner(server.url, 'alice');

  const second = await alice.person.link(alice.cipher, { name: 'laptop' });

  const listed = await alice.person.account.devices();
  assert.deepEqual(
    listed.map(({ deviceId, name }) => [deviceId, name]),
    [
      [alice.device.address.deviceId, undefined],
      [second.address.deviceId, 'laptop'],
    ],
  );
});

test('a device with an identity of its own is not linked', async () => {
  const alice = await owner(server.url, 'alice');
  const account = await alice.person.logIn();

  await assert.rejects(account.registerDevice(LibsignalCipher.create()), refused('identity-mismatch'));
});

test('devices are renamed and removed', async () => {
  const alice = await owner(server.url, 'alice');
  const second = await alice.person.link(alice.cipher);

  await alice.person.account.renameDevice(second.address.deviceId, 'tablet');

  const [, renamed] = await alice.person.account.devices();
  assert.equal(renamed?.name, 'tablet');
  await alice.person.account.removeDevice(second.address.deviceId);
  await alice.person.account.removeDevice(second.address.deviceId);
  assert.equal((await alice.person.account.devices()).length, 1);
});

test('a session that has a device goes on with it after a restart', async () => {
  const alice = await owner(server.url, 'alice');

  const again = await alice.person.account.device(alice.cipher);

  assert.deepEqual(again.address, alice.device.address);
});

test('a message reaches all devices of an account', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  const second = await bob.person.link(bob.cipher);

  const receipt = await alice.device.send(bob.accountId, utf8('hello'));

  assert.deepEqual(devicesOf(receipt), [bob.device.address.deviceId, second.address.deviceId]);
  assert.deepEqual(await backlog(bob.device), ['hello']);
  assert.deepEqual(await backlog(second), ['hello']);
});

test('a message to the own account reaches the other devices alone', async () => {
  const alice = await owner(server.url, 'alice');
  const keys = await alice.device.keyCounts();
  assert.deepEqual(devicesOf(await alice.device.send(alice.accountId, utf8('nobody is there'))), []);
  assert.deepEqual(await alice.device.keyCounts(), keys, 'no key of its own is used up');
  const second = await alice.person.link(alice.cipher);

  const receipt = await alice.device.send(alice.accountId, utf8('sent from the first'));

  assert.deepEqual(devicesOf(receipt), [second.address.deviceId]);
  assert.deepEqual(await backlog(second), ['sent from the first']);
  assert.deepEqual(await backlog(alice.device), []);
});

test('a device that was added between two sends gets the second', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  await alice.device.send(bob.accountId, utf8('one'));
  const second = await bob.person.link(bob.cipher);

  const receipt = await alice.device.send(bob.accountId, utf8('two'));

  assert.deepEqual(devicesOf(receipt), [bob.device.address.deviceId, second.address.deviceId]);
  assert.deepEqual(await backlog(bob.device), ['one', 'two']);
  assert.deepEqual(await backlog(second), ['two']);
});

test('a device that was removed between two sends is left out of the second', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  const second = await bob.person.link(bob.cipher);
  await alice.device.send(bob.accountId, utf8('one'));
  await bob.person.account.removeDevice(second.address.deviceId);

  const receipt = await alice.device.send(bob.accountId, utf8('two'));

  assert.deepEqual(devicesOf(receipt), [bob.device.address.deviceId]);
  assert.deepEqual(await backlog(bob.device), ['one', 'two']);
});

test('a device that was replaced between two sends reads the second', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  const second = await bob.person.link(bob.cipher);
  await alice.device.send(bob.accountId, utf8('one'));
  const replacement = await bob.person.link(bob.cipher, { replaceDeviceId: second.address.deviceId });
  assert.deepEqual(replacement.address, second.address);

  const receipt = await alice.device.send(bob.accountId, utf8('two'));

  assert.equal(receipt.copies.length, 2);
  assert.deepEqual(await backlog(replacement), ['two']);
  assert.deepEqual(await backlog(bob.device), ['one', 'two']);
});

test('added, removed and replaced at once is put right in one send', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  const [gone, old] = [await bob.person.link(bob.cipher), await bob.person.link(bob.cipher)];
  await alice.device.send(bob.accountId, utf8('one'));
  await bob.person.account.removeDevice(gone.address.deviceId);
  const replacement = await bob.person.link(bob.cipher, { replaceDeviceId: old.address.deviceId });
  const added = await bob.person.link(bob.cipher);

  await alice.device.send(bob.accountId, utf8('two'));

  for (const device of [replacement, added]) assert.deepEqual(await backlog(device), ['two']);
  assert.deepEqual(await backlog(bob.device), ['one', 'two']);
});

test('a send gives up after its rounds', async () => {
  const alice = await owner(server.url, 'alice', { limits: { sendRounds: 1 } });
  const bob = await owner(server.url, 'bob');
  await alice.device.send(bob.accountId, utf8('one'));
  await bob.person.link(bob.cipher);

  const sent = alice.device.send(bob.accountId, utf8('two'));

  await assert.rejects(sent, DevicesUnsettledError);
  assert.deepEqual(await backlog(bob.device), ['one']);
});

test('an account without a device cannot be sent to', async () => {
  const alice = await owner(server.url, 'alice');
  const stranger = '00000000-0000-4000-8000-000000000000';

  await assert.rejects(alice.device.send(stranger, utf8('hello')), refused('keys-not-found'));
});

test('a message under one key is stored once, whatever process sends it', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  await alice.device.send(bob.accountId, utf8('once'), { idempotencyKey: 'draft-1' });
  const restarted = await alice.person.account.device(alice.cipher);

  const receipt = await restarted.send(bob.accountId, utf8('once'), { idempotencyKey: 'draft-1' });

  assert.equal(receipt.before, true);
  assert.deepEqual(await backlog(bob.device), ['once']);
});

test('a send whose answer was lost is repeated, and stored once', async () => {
  let lost = 0;
  const losing: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    const isSend = init?.method === 'PUT' && String(input).includes('/v1/messages/');
    if (isSend && lost++ === 0) throw new TypeError('the answer was lost');
    return answer;
  };
  const [alice, bob] = [await owner(server.url, 'alice', { fetch: losing }), await owner(server.url, 'bob')];

  const receipt = await alice.device.send(bob.accountId, utf8('once'));

  assert.deepEqual([lost, receipt.before, devicesOf(receipt)], [2, true, [bob.device.address.deviceId]]);
  assert.deepEqual(await backlog(bob.device), ['once']);
});

test('messages of many sends at once arrive in the order of the calls', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  const texts = Array.from({ length: 20 }, (_, number) => `message ${number}`);

  await Promise.all(texts.map((each) => alice.device.send(bob.accountId, utf8(each))));

  assert.deepEqual(await backlog(bob.device), texts);
});

test('a message for connected devices comes at once, and is not stored', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  const typing: string[] = [];
  const inbound = await Inbound.of(bob.device, { onOnlineMessage: (message) => void typing.push(text(message)) });

  await alice.device.send(bob.accountId, utf8('typing'), { online: true });
  await alice.device.send(bob.accountId, utf8('done'));

  await inbound.count(1);
  assert.deepEqual([typing, inbound.texts], [['typing'], ['done']]);
  await inbound.stop();
});
