/** Which failures the example with libsignal calls final, and which may pass. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { UndecryptableError, type Address, type Ciphertext } from '@sealpost/client';
import { LibsignalCipher } from '@sealpost/example-libsignal';
import * as Signal from '@signalapp/libsignal-client';
import { utf8 } from '../harness/people.js';

const ALICE: Address = { accountId: 'alice', deviceId: 1 };
const BOB: Address = { accountId: 'bob', deviceId: 1 };

let alice: LibsignalCipher;
let bob: LibsignalCipher;
beforeEach(async () => {
  [alice, bob] = [await bound(ALICE), await bound(BOB)];
  const keys = await bob.newKeys({ signed: true, preKeys: 1, pqPreKeys: 1 });
  const [preKey, pqPreKey, signedPreKey] = [keys.preKeys[0]!, keys.pqPreKeys[0]!, keys.signedPreKey!];
  const [registrationId, identityKey] = [await bob.registrationId(), await bob.identityKey()];
  await alice.openSession({ ...BOB, registrationId, identityKey, signedPreKey, preKey, pqPreKey });
});

async function bound(own: Address): Promise<LibsignalCipher> {
  const cipher = LibsignalCipher.create();
  await cipher.bind(own);
  return cipher;
}

/** A message in a session that both sides know. */
async function later(): Promise<Ciphertext> {
  await bob.decrypt(ALICE, await alice.encrypt(BOB, utf8('first')));
  await alice.decrypt(BOB, await bob.encrypt(ALICE, utf8('answer')));
  return alice.encrypt(BOB, utf8('later'));
}

function damaged({ type, content }: Ciphertext): Ciphertext {
  const middle = Math.floor(content.length / 2);
  return { type, content: content.with(middle, content[middle]! ^ 1) };
}

test('a message that was decrypted before will never open', async () => {
  for (const message of [await alice.encrypt(BOB, utf8('once')), await later()]) {
    await bob.decrypt(ALICE, message).catch(() => {});

    await assert.rejects(bob.decrypt(ALICE, message), UndecryptableError);
  }
});

test('a damaged message will never open', async () => {
  const message = damaged(await alice.encrypt(BOB, utf8('first')));

  await assert.rejects(bob.decrypt(ALICE, message), UndecryptableError);
});

test('a damaged message of a session will never open', async () => {
  const message = damaged(await later());

  await assert.rejects(bob.decrypt(ALICE, message), UndecryptableError);
});

test('noise will never open, whatever its type', async () => {
  for (const type of [1, 3, 7]) {
    for (const content of [Uint8Array.of(), Uint8Array.of(1, 2, 3), new Uint8Array(100).fill(0x44)]) {
      await assert.rejects(bob.decrypt(ALICE, { type, content }), UndecryptableError);
    }
  }
});

test('a message without a session, or to prekeys that are not there, will never open', async () => {
  const toNobodysKeys = await alice.encrypt(BOB, utf8('first'));
  const withoutSession = await later();
  const amnesiac = await bound(BOB);

  await assert.rejects(amnesiac.decrypt(ALICE, toNobodysKeys), UndecryptableError);
  await assert.rejects(amnesiac.decrypt(ALICE, withoutSession), UndecryptableError);
});

test('a store that fails is not the end of a message: its own error is told, and the message opens later', async (t) => {
  const message = await later();
  const closing = new DOMException('the database connection is closing', 'InvalidStateError');
  const records = t.mock.method(Signal.SessionRecord, 'deserialize', () => {
    throw closing;
  });

  await assert.rejects(bob.decrypt(ALICE, message), (error) => error === closing);

  records.mock.restore();
  const { plaintext } = await bob.decrypt(ALICE, message);
  assert.equal(new TextDecoder().decode(plaintext), 'later');
});
