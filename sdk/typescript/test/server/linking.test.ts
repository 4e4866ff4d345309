import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LinkCodeError, LinkExpiredError, ProblemError, Sealpost, type LinkedDevice } from '@sealpost/client';
import { LibsignalCipher } from '@sealpost/example-libsignal';
import { Inbound, owner, QUICK, utf8, type Owner } from '../harness/people.js';
import { TestServer } from '../harness/server.js';
import { gate } from '../harness/until.js';

let server: TestServer;
before(async () => void (server = await TestServer.start()));
after(() => server.stop());

const linked = (identity: Uint8Array) => LibsignalCipher.linked(identity);
const identity = ({ cipher }: Owner) => cipher.exportIdentity();

/** A new device that shows its code to `onCode`. */
function newDevice(onCode: (code: string) => void, more = {}): Promise<LinkedDevice> {
  return new Sealpost(server.url, { limits: QUICK }).linkDevice({ onCode, cipher: linked, ...more });
}

test('a new device is linked by the code that it shows, and sends and receives', async () => {
  const [alice, bob] = [await owner(server.url, 'alice'), await owner(server.url, 'bob')];
  let address: unknown;
  let scanned = 0;
  const approve = async (code: string) => {
    address = await alice.person.account.approveLink(code, { identity: identity(alice) });
    await assert.rejects(alice.person.account.approveLink(code, { identity: identity(alice) }), LinkExpiredError);
  };

  const shown = gate();
  let approval: Promise<void> | undefined;
  const onCode = (code: string) => {
    approval = approve(code);
    shown.open();
  };
  const laptop = await newDevice(onCode, { name: 'laptop', onScanned: () => (scanned += 1) });
  await shown.passed;
  await approval;

  assert.deepEqual(address, laptop.device.address);
  assert.equal(laptop.account.accountId, alice.accountId);
  assert.equal(scanned, 1);
  const listed = await alice.person.account.devices();
  assert.deepEqual(
    listed.map(({ name }) => name),
    [undefined, 'laptop'],
  );
  await bob.device.send(alice.accountId, utf8('to both'));
  await laptop.device.send(bob.accountId, utf8('from the laptop'));
  const [atLaptop, atBob] = [await Inbound.of(laptop.device), await Inbound.of(bob.device)];
  assert.deepEqual(await atLaptop.count(1), ['to both']);
  assert.deepEqual(await atBob.count(1), ['from the laptop']);
  await Promise.all([atLaptop.stop(), atBob.stop()]);
});

test('a device with another identity is not linked', async () => {
  const [alice, mallory] = [await owner(server.url, 'alice'), await owner(server.url, 'mallory')];
  const over = new AbortController();
  const onCode = (code: string) => {
    const approval = alice.person.account.approveLink(code, { identity: identity(mallory), signal: over.signal });
    approval.catch(() => {});
  };

  await assert.rejects(newDevice(onCode), (error: unknown) => error instanceof ProblemError && error.slug === 'identity-mismatch');

  over.abort();
  assert.equal((await alice.person.account.devices()).length, 1);
});

test('nothing is handed over unless the owner agrees', async () => {
  const alice = await owner(server.url, 'alice');
  const [asked, over] = [gate(), new AbortController()];
  let answer: unknown = 'none';
  const onCode = async (code: string) => {
    answer = await alice.person.account.approveLink(code, { identity: identity(alice), confirm: async () => false });
    asked.open();
  };
  const waiting = newDevice((code) => void onCode(code), { signal: over.signal });

  await asked.passed;
  over.abort();

  await assert.rejects(waiting);
  assert.equal(answer, undefined);
});

test('a code is good for nothing once the new device has gone', async () => {
  const alice = await owner(server.url, 'alice');
  const over = new AbortController();
  const shown = gate();
  let code = '';
  const waiting = newDevice(
    (text) => {
      code = text;
      shown.open();
    },
    { signal: over.signal },
  );
  await shown.passed;
  over.abort();
  await assert.rejects(waiting);

  const approved = async () => {
    for (;;) await alice.person.account.approveLink(code, { identity: identity(alice), confirm: async () => false });
  };

  await assert.rejects(approved(), LinkExpiredError);
});

test('an exchange whose answer is lost is made once more, and opens one session', async () => {
  const alice = await owner(server.url, 'alice');
  const exchanges: number[] = [];
  const lossy: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    if (!String(input).endsWith('/v1/sessions/link')) return answer;
    exchanges.push(answer.status);
    if (exchanges.length === 1) throw new TypeError('the connection was lost');
    return answer;
  };
  const onCode = (code: string) => {
    alice.person.account.approveLink(code, { identity: identity(alice) }).catch(() => {});
  };

  const client = new Sealpost(server.url, { limits: QUICK, fetch: lossy });
  const { account } = await client.linkDevice({ onCode, cipher: linked });

  assert.deepEqual(exchanges, [201, 201]);
  assert.equal((await account.devices()).length, 2);
});

test('a code of another server, or of a server with another key, is refused', async () => {
  const alice = await owner(server.url, 'alice');
  const over = new AbortController();
  const seen = await new Promise<string>((resolve) => {
    newDevice(resolve, { signal: over.signal }).catch(() => {});
  });
  over.abort();

  const elsewhere = seen.replace(/server=[^#]*/, `server=${encodeURIComponent('https://sealpost.example')}`);

  await assert.rejects(alice.person.account.approveLink(elsewhere, { identity: identity(alice) }), LinkCodeError);
  const options = { identity: identity(alice), fingerprint: 'another' };
  await assert.rejects(alice.person.account.approveLink(seen, options), LinkCodeError);
});

test('a code that nobody reads expires', async () => {
  const quick = await TestServer.start({ SEALPOST__SYNC__PROVISIONING__TTL: '500ms' });
  try {
    const waiting = new Sealpost(quick.url, { limits: QUICK }).linkDevice({ onCode: () => {}, cipher: linked });

    await assert.rejects(waiting, LinkExpiredError);
  } finally {
    await quick.stop();
  }
});
