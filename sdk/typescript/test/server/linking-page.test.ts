/** The server's page in a real browser: the picture on its screen is what links the device. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { Sealpost, type Address } from '@sealpost/client';
import { LibsignalCipher } from '@sealpost/example-libsignal';
import { Inbound, owner, QUICK, utf8 } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { gate } from '../harness/until.js';

/** Packages of the test peers, as far as they are used here. */
const peers = createRequire(new URL('../../../../../deploy/test-peers/npm/', import.meta.url));
const { chromium } = peers('playwright-core') as { chromium: { launch(options: object): Promise<Browser> } };
const { PNG } = peers('pngjs') as { PNG: { sync: { read(png: Uint8Array): { data: Uint8Array; width: number; height: number } } } };
const { default: jsQR } = peers('jsqr') as {
  default: (data: Uint8ClampedArray, width: number, height: number) => { data: string } | null;
};

interface Browser {
  newPage(options: object): Promise<Page>;
  close(): Promise<void>;
}

interface Page {
  on(event: string, listener: (event: { text?(): string; url?(): string; type?(): string }) => void): void;
  goto(url: string): Promise<{ headers(): Record<string, string> } | null>;
  waitForSelector(selector: string): Promise<unknown>;
  screenshot(): Promise<Uint8Array>;
  click(selector: string): Promise<void>;
  inputValue(selector: string): Promise<string>;
  textContent(selector: string): Promise<string | null>;
  evaluate<T>(script: string): Promise<T>;
  close(): Promise<void>;
}

const PHONE = { viewport: { width: 375, height: 740 }, deviceScaleFactor: 2 };
const state = (name: string) => `main[data-state="${name}"]`;

let server: TestServer;
let browser: Browser;
before(async () => {
  server = await TestServer.start();
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
});
after(async () => {
  await browser.close();
  await server.stop();
});

/** A page, and what went wrong or to another server while it was open. */
async function open(url: string, options: object = PHONE): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage(options);
  const faults: string[] = [];
  page.on('console', (event) => event.type?.() === 'error' && faults.push(event.text?.() ?? ''));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const asked = request.url?.() ?? '';
    if (!asked.startsWith(new URL(url).origin) && !asked.startsWith('data:')) faults.push(asked);
  });
  const answer = await page.goto(url);
  assert.match(answer?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  return { page, faults };
}

/** What a camera sees. */
async function scan(page: Page): Promise<string | undefined> {
  const { data, width, height } = PNG.sync.read(await page.screenshot());
  return jsQR(new Uint8ClampedArray(data), width, height)?.data;
}

for (const colorScheme of ['light', 'dark']) {
  test(`the picture on the page links a device (${colorScheme})`, async () => {
    const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
    const request = await new Sealpost(server.url, { limits: QUICK }).requestLink();
    const { page, faults } = await open(request.page, { ...PHONE, colorScheme });
    await page.waitForSelector(state('waiting'));
    const code = (await scan(page)) ?? '';
    assert.ok(code.startsWith('sealpost://link?'), `no code in the picture: ${code}`);

    const [asked, agreed] = [gate(), gate()];
    const confirm = async () => {
      asked.open();
      await agreed.passed;
      return true;
    };
    const approval = alice.person.account.approveLink(code, { identity: alice.cipher.exportIdentity(), confirm });
    await asked.passed;
    await page.waitForSelector(state('scanned'));
    agreed.open();
    await page.waitForSelector(state('done'));
    const envelope = await page.inputValue('#envelope');
    const { device } = await request.complete(envelope, { cipher: LibsignalCipher.linked });

    const address: Address | undefined = await approval;
    assert.deepEqual(address, device.address);
    await bob.device.send(alice.accountId, utf8('to the page'));
    const inbound = await Inbound.of(device);
    assert.deepEqual(await inbound.count(1), ['to the page']);
    await inbound.stop();
    assert.deepEqual(faults, []);
    await page.close();
  });
}

test('a code that has expired says so, and another one is a press away', async () => {
  const quick = await TestServer.start({ SEALPOST__SYNC__PROVISIONING__TTL: '2s' });
  try {
    const request = await new Sealpost(quick.url).requestLink();
    const { page, faults } = await open(request.page);
    await page.waitForSelector(state('waiting'));
    const first = await scan(page);

    await page.waitForSelector(state('expired'));
    assert.equal(await scan(page), undefined);
    assert.equal(await page.evaluate('document.activeElement.id'), 'again');
    await page.click('#again');
    await page.waitForSelector(state('waiting'));

    const second = await scan(page);
    assert.ok(first && second && first !== second);
    assert.deepEqual(faults, []);
    await page.close();
  } finally {
    await quick.stop();
  }
});

test('without the key of an app the page shows no code', async () => {
  const { page, faults } = await open(`${server.url}/v1/provisioning/page`);

  await page.waitForSelector(state('unusable'));

  assert.match((await page.textContent('#status')) ?? '', /from your app/);
  assert.equal(await scan(page), undefined);
  assert.deepEqual(faults, []);
  await page.close();
});

test('the page fits a small screen, and fills no large one', async () => {
  const request = await new Sealpost(server.url).requestLink();
  for (const [width, height] of [
    [320, 568],
    [1600, 900],
  ]) {
    const { page } = await open(request.page, { viewport: { width, height }, deviceScaleFactor: 2 });
    await page.waitForSelector(state('waiting'));

    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, `${width}`);
    assert.ok(await scan(page), `${width}`);
    await page.close();
  }
});
