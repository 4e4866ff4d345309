/** The page of an app that synchronizes, in a real browser: what its picture says leads an app through the whole flow. */
import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, privateDecrypt, publicEncrypt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { MemoryTokenStore, Sealpost } from '@sealpost/client';
import { launch, open, scan, state, type Browser } from '../harness/browser.js';
import { Person } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { until } from '../harness/until.js';

let server: TestServer;
let browser: Browser;
before(async () => {
  // Long enough to read a code from the screen and to use it.
  server = await TestServer.start({ SEALPOST__SYNC__SESSION_SLEEP_TIMEOUT: '6s' });
  browser = await launch();
});
after(async () => {
  await browser.close();
  await server.stop();
});

const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };

/** Starts a session of somebody who is logged in, and gives the page that shows it. */
async function pageOf({ username, password }: Person): Promise<string> {
  const tokens = new MemoryTokenStore();
  await new Sealpost(server.url).logIn({ username, password, tokens });
  const { accessToken, accountId } = (await tokens.load())!;
  const headers = { Authorization: `Bearer ${accessToken}` };
  const started = await fetch(`${server.url}/v2/sync/users/${accountId}`, { headers });
  assert.equal(started.status, 200);
  return `${server.url}/v2/sync/page#init=${encodeURIComponent(await started.text())}`;
}

/** A call of the app. */
async function post(url: string | URL, body: object): Promise<Record<string, string>> {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()) as Record<string, string>;
}

test('an app synchronizes by the picture on the page', async () => {
  const alice = await Person.register(server.url, 'alice');
  // Before there is a code to use: it may take a second.
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { page, faults } = await open(browser, await pageOf(alice));
  await page.waitForSelector(state('waiting'));
  const first = await scan(page);
  let code: URL | undefined;

  await until(async () => {
    const seen = await scan(page);
    code = seen === undefined || seen === first ? undefined : new URL(seen);
    return code !== undefined;
  }, 'the next code');
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const handshake = await post(code!, { public_key: pem });
  await page.waitForSelector(state('scanned'));
  const sealed = publicEncrypt({ key: handshake['public_key']!, ...OAEP }, Buffer.from(alice.password));
  const url = new URL(handshake['verification_url']!, server.url);
  const hashes = { decryption_hash: 'sha256', encryption_hash: 'sha256' };
  const verified = await post(url, { password: sealed.toString('base64'), ...hashes });
  await page.waitForSelector(state('done'));

  const sharedKey = privateDecrypt({ key: privateKey, ...OAEP }, Buffer.from(verified['shared_key']!, 'base64'));
  assert.match(sharedKey.toString(), /^[0-9a-f]{32}$/);
  assert.match(code!.hash, /^#fp=[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(faults, []);
  await page.close();
});

test('a session that nobody scans ends, and says so', async () => {
  const alice = await Person.register(server.url, 'alice');
  const { page } = await open(browser, await pageOf(alice));
  await page.waitForSelector(state('waiting'));

  await page.waitForSelector(state('expired'));

  assert.equal(await scan(page), undefined);
  await page.close();
});

test('without a session the page shows no code', async () => {
  for (const hash of ['', '#user=nobody']) {
    const { page } = await open(browser, `${server.url}/v2/sync/page${hash}`);

    await page.waitForSelector(state('unusable'));

    assert.equal(await scan(page), undefined);
    await page.close();
  }
});
