import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import {
  MemoryTokenStore,
  NoAnswerError,
  ProblemError,
  Sealpost,
  SessionEndedError,
  TotpRequiredError,
  type Options,
} from '@sealpost/client';
import { Person, QUICK } from '../harness/people.js';
import { TestServer } from '../harness/server.js';

let server: TestServer;
before(async () => void (server = await TestServer.start()));
after(() => server.stop());

const refused = (slug: string) => (error: unknown) => error instanceof ProblemError && error.slug === slug;

/** Counts the calls of a path, and lets them through. */
function counting(path: string): { options: Options; calls: () => number } {
  let calls = 0;
  const counted: typeof fetch = (input, init) => {
    if (String(input).endsWith(path)) calls += 1;
    return fetch(input, init);
  };
  return { options: { fetch: counted }, calls: () => calls };
}

/** The code of an authenticator (RFC 6238) at a time. */
function totp(secret: string, at: number): string {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => parseInt(octet, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const hash = createHmac('sha1', key).update(counter).digest();
  const number = hash.readUInt32BE((hash.at(-1) ?? 0) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

test('an account is registered, found by its name, and logged in to', async () => {
  const alice = await Person.register(server.url, 'alice');

  const again = await alice.logIn();

  assert.equal(again.accountId, alice.account.accountId);
  assert.equal(await again.find(alice.username), alice.account.accountId);
  assert.equal(await again.find('nobody-of-that-name'), undefined);
});

test('what the server refuses is told by its slug', async () => {
  const alice = await Person.register(server.url, 'alice');
  const sealpost = new Sealpost(server.url);

  await assert.rejects(sealpost.register({ username: alice.username, password: 'another one' }), refused('username-taken'));
  await assert.rejects(sealpost.logIn({ username: alice.username, password: 'a wrong one' }), refused('unauthenticated'));
  await assert.rejects(sealpost.register({ username: '?', password: 'long enough' }), (error) => {
    return error instanceof ProblemError && error.status === 400 && error.faults.some(({ pointer }) => pointer === '/username');
  });
});

test('a second factor is asked for, and a wrong code can be put right', async () => {
  const alice = await Person.register(server.url, 'alice');
  const { secret } = await alice.account.enrolTotp(alice.password);
  await alice.account.confirmTotp(totp(secret, Date.now()));

  const required = await alice.logIn().catch((error: unknown) => error);

  assert(required instanceof TotpRequiredError);
  await assert.rejects(required.complete('000000'), refused('wrong-code'));
  // No code counts twice, and that of the next step is taken as well.
  const code = totp(secret, Date.now() + 30_000);
  const account = await (required as TotpRequiredError<typeof alice.account>).complete(code);
  assert.equal(account.accountId, alice.account.accountId);
});

test('calls at once share one refresh', async () => {
  const { options, calls } = counting('/v1/sessions/refresh');
  // Every token is too old for this margin.
  const alice = await Person.register(server.url, 'alice', { ...options, limits: { ...QUICK, refreshMarginMs: 24 * 3_600_000 } });

  await Promise.all(Array.from({ length: 20 }, () => alice.account.devices()));

  assert.equal(calls(), 1);
  await alice.account.devices();
  assert.equal(calls(), 2);
});

test('two instances on one store do not use a refresh token twice', async () => {
  const alice = await Person.register(server.url, 'alice');
  let last: Promise<unknown> = Promise.resolve();
  class Shared extends MemoryTokenStore {
    exclusive<T>(work: () => Promise<T>): Promise<T> {
      const result = last.then(work);
      last = result.catch(() => {});
      return result;
    }
  }
  const store = new Shared();
  const sealpost = new Sealpost(server.url, { limits: { refreshMarginMs: 24 * 3_600_000 } });
  const first = await sealpost.logIn({ username: alice.username, password: alice.password, tokens: store });
  const second = await sealpost.resume(store);

  await Promise.all([first.devices(), second.devices(), first.devices(), second.devices()]);

  assert.deepEqual(await second.devices(), []);
});

test('a session that was ended elsewhere asks for a new login', async () => {
  const alice = await Person.register(server.url, 'alice');
  const store = new MemoryTokenStore();
  const sealpost = new Sealpost(server.url);
  const account = await sealpost.logIn({ username: alice.username, password: alice.password, tokens: store });
  const stolen = await store.load();
  assert(stolen);
  const thief = new MemoryTokenStore();
  await thief.save(stolen);
  await (await sealpost.resume(thief)).logOut();

  await assert.rejects(account.devices(), SessionEndedError);

  assert.equal(await store.load(), undefined);
  await assert.rejects(sealpost.resume(store), SessionEndedError);
});

test('a deleted account cannot be logged in to', async () => {
  const alice = await Person.register(server.url, 'alice');
  await assert.rejects(alice.account.delete('a wrong one'), refused('unauthenticated'));

  await alice.account.delete(alice.password);

  await assert.rejects(alice.logIn(), refused('unauthenticated'));
});

test('no error shows a secret', async () => {
  const alice = await Person.register(server.url, 'alice');
  const store = new MemoryTokenStore();
  const account = await new Sealpost(server.url).logIn({ username: alice.username, password: alice.password, tokens: store });
  const tokens = await store.load();
  const { secret } = await account.enrolTotp(alice.password);
  const code = totp(secret, Date.now());
  const recovery = await account.confirmTotp(code);
  const unreachable = new Sealpost('http://127.0.0.1:1', { limits: { requestAttempts: 1 } });
  const required = (await alice.logIn().catch((error: unknown) => error)) as TotpRequiredError;

  const errors = await Promise.all([
    required,
    required.complete('123456').catch((error: unknown) => error),
    account.enrolTotp(alice.password).catch((error: unknown) => error),
    account.disableTotp(alice.password, '123456').catch((error: unknown) => error),
    unreachable.logIn(alice).catch((error: unknown) => error),
  ]);

  assert(errors[4] instanceof NoAnswerError);
  const shown = inspect([errors, account, alice.account], { depth: 20, showHidden: true });
  for (const kept of [alice.password, secret, ...recovery, tokens?.accessToken, tokens?.refreshToken]) {
    assert(kept && !shown.includes(kept));
  }
  // Ids and times have six digits in a row as well, which may be these.
  assert(!new RegExp(`(?<![0-9a-f])${code}(?![0-9a-f])`, 'i').test(shown));
  assert(!/challenge["']?: /.test(shown));
});
