import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LinkCodeError } from '@sealpost/client';
import { generateKeyPair, open, seal } from '#client/hpke.js';
import { formatLinkCode, openLinkContent, parseLinkCode, sealLinkContent } from '#client/link-code.js';
import { Random } from '../harness/random.js';

const vectors = JSON.parse(readFileSync(new URL('../../../../../proto/provisioning/vectors.json', import.meta.url), 'utf8')) as {
  privateKey: string;
  publicKey: string;
  content: Record<string, string>;
  envelope: string;
  code: string;
  address: string;
  server: string;
  fingerprint: string;
};
const bytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, 'base64'));

/** PKCS#8 of X25519 (RFC 8410 §7), in front of the 32 octets. */
const PKCS8 = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20]);

async function vectorKeys() {
  const pkcs8 = Uint8Array.from([...PKCS8, ...bytes(vectors.privateKey)]);
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'X25519' }, false, ['deriveBits']);
  return { privateKey, publicKey: bytes(vectors.publicKey) };
}

test('an envelope that another implementation of HPKE has made is opened', async () => {
  const content = await openLinkContent(await vectorKeys(), bytes(vectors.envelope));

  const { identity, ...texts } = content;
  assert.deepEqual({ ...texts, identity: Buffer.from(identity).toString('base64') }, vectors.content);
});

test('what is sealed is opened by its key alone', async () => {
  const random = new Random();
  const [own, other] = [await generateKeyPair(), await generateKeyPair()];
  for (const length of [0, 1, 31, 1000]) {
    const plaintext = random.bytes(length);

    const sealed = await seal(own.publicKey, 'info', plaintext);

    assert.deepEqual(await open(own, 'info', sealed), plaintext, `seed ${random.seed}`);
    await assert.rejects(open(other, 'info', sealed));
    await assert.rejects(open(own, 'other info', sealed));
    const at = random.below(sealed.length);
    await assert.rejects(open(own, 'info', sealed.with(at, sealed[at]! ^ 1)), `octet ${at}, seed ${random.seed}`);
    await assert.rejects(open(own, 'info', sealed.slice(0, -1)));
  }
});

test('a public key of low order seals nothing', async () => {
  await assert.rejects(seal(new Uint8Array(32), 'info', new Uint8Array(1)));
  await assert.rejects(seal(Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0)), 'info', new Uint8Array(1)));
});

test('a code is read as it was written', () => {
  const { address, server, fingerprint } = vectors;
  const code = { address, server, fingerprint, publicKey: bytes(vectors.publicKey) };

  assert.equal(formatLinkCode(code), vectors.code);
  assert.deepEqual(parseLinkCode(vectors.code), code);
  assert.deepEqual(parseLinkCode(` ${vectors.code}\n`), code);
});

test('what is no code for linking is refused, however it is broken', () => {
  const random = new Random();
  const wrong = [
    '',
    'https://example.org',
    vectors.code.replace('sealpost:', 'https:'),
    vectors.code.replace('//link', '//other'),
    vectors.code.replace(/address=./, 'address='),
    vectors.code.replace(/key=./, 'key='),
    vectors.code.replace(/server=[^#]*/, 'server=x'),
  ];
  for (const text of wrong) assert.throws(() => parseLinkCode(text), LinkCodeError, text);
  for (let round = 0; round < 500; round += 1) {
    const at = random.below(vectors.code.length);
    const text = vectors.code.slice(0, at) + String.fromCharCode(random.below(256)) + vectors.code.slice(at + 1);
    try {
      assert.equal(parseLinkCode(text).publicKey.length, 32);
    } catch (error) {
      assert.ok(error instanceof LinkCodeError, `${text}, seed ${random.seed}`);
    }
  }
});

test('an envelope of something else is refused', async () => {
  const own = await generateKeyPair();
  const content = { linkToken: 't', identity: Uint8Array.of(1), accountId: 'a', server: 's' };
  const envelope = await sealLinkContent(own.publicKey, content);
  const empty = Uint8Array.from([1, ...(await seal(own.publicKey, 'sealpost link v1', new TextEncoder().encode('{}')))]);

  assert.deepEqual(await openLinkContent(own, envelope), content);
  for (const wrong of [new Uint8Array(), envelope.with(0, 2), envelope.slice(0, 20), empty]) {
    await assert.rejects(openLinkContent(own, wrong), LinkCodeError);
  }
});
