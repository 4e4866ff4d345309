import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IdentityChangedError, type Device } from '@sealpost/client';
import { LibsignalCipher } from '@sealpost/example-libsignal';
import { Inbound, owner, utf8, type Owner } from '../harness/people.js';
import { TestServer } from '../harness/server.js';

let server: TestServer;
before(async () => void (server = await TestServer.start()));
after(() => server.stop());

/** Sets somebody up anew, who has lost everything but the password. */
async function reinstall({ person }: Owner): Promise<{ device: Device; identityKey: Uint8Array }> {
  const account = await person.logIn();
  for (const { deviceId } of await account.devices()) await account.removeDevice(deviceId);
  const cipher = LibsignalCipher.create();
  const device = await account.registerDevice(cipher);
  return { device, identityKey: await cipher.identityKey() };
}

/** Two people who know each other. */
async function acquainted(): Promise<[Owner, Owner]> {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  await alice.device.send(bob.accountId, utf8('before'));
  await (await Inbound.of(bob.device)).stop();
  return [alice, bob];
}

test('nothing is sent to a new identity until it is accepted', async () => {
  const [alice, bob] = await acquainted();
  const anew = await reinstall(bob);

  const change = await alice.device.send(bob.accountId, utf8('secret')).catch((error: unknown) => error);

  assert(change instanceof IdentityChangedError);
  assert.equal(change.accountId, bob.accountId);
  assert.deepEqual(change.identityKey, anew.identityKey);
  await assert.rejects(alice.device.send(bob.accountId, utf8('secret')), IdentityChangedError);
  await alice.device.acceptIdentity(bob.accountId, change.identityKey);
  await alice.device.send(bob.accountId, utf8('after'));
  const inbound = await Inbound.of(anew.device);
  assert.deepEqual(inbound.texts, ['after']);
  await inbound.stop();
});

test('a message of a new identity is delivered and reported once, and not answered until it is accepted', async () => {
  const [alice, bob] = await acquainted();
  const anew = await reinstall(bob);
  const changes: IdentityChangedError[] = [];
  const inbound = await Inbound.of(alice.device, { onIdentityChanged: (change) => void changes.push(change) });

  await anew.device.send(alice.accountId, utf8('it is me'));
  await anew.device.send(alice.accountId, utf8('really'));

  assert.deepEqual(await inbound.count(2), ['it is me', 'really']);
  assert.deepEqual(changes.map(({ accountId, identityKey }) => [accountId, identityKey]), [[bob.accountId, anew.identityKey]]);
  await assert.rejects(alice.device.send(bob.accountId, utf8('who are you?')), IdentityChangedError);
  await alice.device.acceptIdentity(bob.accountId, anew.identityKey);
  await alice.device.send(bob.accountId, utf8('fine'));
  const answered = await Inbound.of(anew.device);
  assert.deepEqual(answered.texts, ['fine']);
  await Promise.all([inbound.stop(), answered.stop()]);
});

test('another key than the one that is shown cannot be accepted in its place', async () => {
  const [alice, bob] = await acquainted();
  await reinstall(bob);

  await alice.device.acceptIdentity(bob.accountId, await LibsignalCipher.create().identityKey());

  await assert.rejects(alice.device.send(bob.accountId, utf8('secret')), IdentityChangedError);
});
