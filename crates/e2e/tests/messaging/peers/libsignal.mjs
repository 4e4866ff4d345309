// Two people and a crowd, all with libsignal: sessions from bundles with and without one-time keys, a backlog, a long
// conversation with its ratchet, everything acked. Exits 0 only if every message was decrypted to what was sent.
//
//   node libsignal.mjs --server URL
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { Person } from '../../../../../scripts/demo/people.mjs';
import { Servers } from '../../../../../scripts/demo/servers.mjs';

const servers = new Servers(parseArgs({ options: { server: { type: 'string' } } }).values);
const alice = await Person.register(servers, 'alice');
const bob = await Person.register(servers, 'bob', { oneTimeKeys: 3 });

// A backlog: bob is not connected yet.
for (let i = 0; i < 5; i += 1) await alice.send(bob, `backlog ${i}`);
assert.equal(await bob.queued(), 5);
await bob.listen();
for (let i = 0; i < 5; i += 1) assert.equal(await bob.receive(), `backlog ${i}`);
await alice.listen();

// A conversation.
for (let i = 0; i < 20; i += 1) {
  await bob.send(alice, `question ${i}`);
  assert.equal(await alice.receive(), `question ${i}`);
  await alice.send(bob, `answer ${i}`);
  assert.equal(await bob.receive(), `answer ${i}`);
}

// A crowd uses up the one-time keys; whoever comes after them gets the last-resort key, and is understood as well.
for (let i = 0; i < 4; i += 1) {
  const stranger = await Person.register(servers, `stranger${i}`, { oneTimeKeys: 1 });
  await stranger.send(bob, `hello from ${i}`);
  assert.equal(await bob.receive(), `hello from ${i}`);
}
const left = await bob.device.keyCounts();
assert.deepEqual([left.count, left.pqCount], [0, 0]);

for (const person of [alice, bob]) {
  for (let tries = 0; (await person.queued()) > 0; tries += 1) {
    assert.ok(tries < 500, 'acked envelopes stay');
    await new Promise((again) => setTimeout(again, 20));
  }
  await person.close();
}
console.log('every step worked');
