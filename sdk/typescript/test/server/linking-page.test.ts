/** The server's page in a real browser: the picture on its screen is what links the device. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Sealpost, type Address } from '@sealpost/client';
import { LibsignalCipher } from '@sealpost/example-libsignal';
import { launch, open, PHONE, scan, state, type Browser } from '../harness/browser.js';
import { Inbound, owner, QUICK, utf8 } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { gate } from '../harness/until.js';

let server: TestServer;
let browser: Browser;
before(async () => {
  server = await TestServer.start();
  browser = await launch();
});
after(async () => {
  await browser.close();
  await server.stop();
});

for (const colorScheme of ['light', 'dark']) {
  test(`the picture on the page links a device (${colorScheme})`, async () => {
    const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
    const request = await new Sealpost(server.url, { limits: QUICK }).requestLink();
    const { page, faults } = await open(browser, request.page, { ...PHONE, colorScheme });
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
  // Long enough to read the code from the screen.
  const quick = await TestServer.start({ SEALPOST__SYNC__PROVISIONING__TTL: '8s' });
  try {
    const request = await new Sealpost(quick.url).requestLink();
    const { page, faults } = await open(browser, request.page);
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
  const { page, faults } = await open(browser, `${server.url}/v1/provisioning/page`);

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
    const { page } = await open(browser, request.page, { viewport: { width, height }, deviceScaleFactor: 2 });
    await page.waitForSelector(state('waiting'));

    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, `${width}`);
    assert.ok(await scan(page), `${width}`);
    await page.close();
  }
});
