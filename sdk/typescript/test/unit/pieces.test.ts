import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBase64, toBase64 } from '@sealpost/client';
import { Backoff } from '#client/backoff.js';
import { DeadlineError, within } from '#client/clock.js';
import { KeyedLock, Lock } from '#client/lock.js';
import { FakeClock } from '../harness/clock.js';
import { Random } from '../harness/random.js';
import { gate } from '../harness/until.js';

test('pauses double up to the cap, and begin anew after a success', () => {
  const longest = new Backoff({ baseMs: 100, capMs: 1_000 }, () => 0.9999999);

  const pauses = Array.from({ length: 6 }, () => longest.next());

  assert.deepEqual(pauses, [99, 199, 399, 799, 999, 999]);
  longest.reset();
  assert.equal(longest.next(), 99);
});

test('pauses are spread over the whole range', () => {
  const random = new Random();
  const counts = [0, 0, 0, 0];

  for (let round = 0; round < 4_000; round += 1) {
    const pause = new Backoff({ baseMs: 100, capMs: 100 }, random.next).next();
    counts[Math.floor(pause / 25)]! += 1;
  }

  assert(counts.every((count) => count > 800 && count < 1_200), `seed ${random.seed}: ${counts}`);
});

test('any number of failures keeps the cap', () => {
  const backoff = new Backoff({ baseMs: 1_000, capMs: 60_000 }, () => 0.5);

  for (let failures = 0; failures < 5_000; failures += 1) assert(backoff.next() <= 30_000);
});

test('base64 is what Node says it is, both ways, in either alphabet', () => {
  const random = new Random();
  for (let length = 0; length < 200; length += 1) {
    const bytes = random.bytes(length);
    const buffer = Buffer.from(bytes);

    assert.equal(toBase64(bytes), buffer.toString('base64'));
    for (const form of ['base64', 'base64url'] as const) assert.deepEqual(fromBase64(buffer.toString(form)), bytes);
  }
  const large = random.bytes(100_000);
  assert.deepEqual(fromBase64(toBase64(large)), large);
  assert.equal(fromBase64('not base64!'), undefined);
});

test('a lock lets one in at a time, in order, whatever fails', async () => {
  const lock = new Lock();
  const seen: string[] = [];
  const work = (name: string, fails: boolean) => () => {
    seen.push(`${name} in`);
    return new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        seen.push(`${name} out`);
        if (fails) reject(new Error(name));
        else resolve();
      });
    });
  };

  const results = await Promise.allSettled([lock.run(work('a', true)), lock.run(work('b', false)), lock.run(work('c', true))]);

  assert.deepEqual(seen, ['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  assert.deepEqual(results.map(({ status }) => status), ['rejected', 'fulfilled', 'rejected']);
});

test('locks of other keys do not wait', async () => {
  const locks = new KeyedLock();
  const { passed, open } = gate();
  const held = locks.run('a', () => passed);

  assert.equal(await locks.run('b', async () => 'free'), 'free');

  open();
  await held;
});

test('a deadline ends work that does not listen', async () => {
  const clock = new FakeClock();
  const result = within(clock, 1_000, undefined, () => new Promise(() => {}));
  const failed = assert.rejects(result, DeadlineError);

  await clock.advance(999);
  await clock.advance(1);

  await failed;
});

test('an outer signal ends work before its deadline', async () => {
  const stop = new AbortController();
  const result = within(new FakeClock(), 1_000, stop.signal, () => new Promise(() => {}));
  const failed = assert.rejects(result, /enough/);

  stop.abort(new Error('enough'));

  await failed;
});
