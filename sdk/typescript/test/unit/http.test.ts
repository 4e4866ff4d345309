import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContractError, NoAnswerError, ProblemError } from '@sealpost/client';
import { Http, type Call } from '#client/http.js';
import { environment } from '#client/options.js';
import { FakeClock } from '../harness/clock.js';

type Step = Response | Error;

/** A server that answers what it is told to, in this order. */
function scripted(steps: Step[]) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const fetch = async (url: unknown, init: unknown) => {
    asked.push(`${(init as RequestInit).method} ${String(url)}`);
    const step = steps.shift();
    if (step instanceof Error || !step) throw step ?? new Error('the script has ended');
    return step;
  };
  const http = new Http(environment('https://sealpost.example/', { clock, fetch: fetch as typeof globalThis.fetch, random: () => 0.5 }));
  return { http, clock, asked };
}

/** Makes a call, and lets the time pass that it waits for. */
async function outcome({ http, clock }: { http: Http; clock: FakeClock }, call: Call): Promise<unknown> {
  let done = false;
  const result = http.call(call).then(
    ({ body }) => body,
    (error: unknown) => error,
  );
  void result.finally(() => (done = true));
  for (let rounds = 0; !done && rounds < 100; rounds += 1) await clock.advance(1_000);
  return result;
}

const GET: Call = { method: 'GET', route: '/v1/keys' };
const POST: Call = { method: 'POST', route: '/v1/accounts', body: {} };
const ok = () => Response.json({ fine: true });
const refused = (status: number, slug: string, headers: Record<string, string> = {}) =>
  Response.json({ type: `urn:problem:${slug}`, title: '', status, instance: 'abc', limit: 7 }, { status, headers });
const lost = () => new TypeError('fetch failed');
/** The pauses between attempts; the others are deadlines. */
const pauses = ({ clock }: { clock: FakeClock }) => clock.pauses.filter((pause) => pause < 30_000);

test('a call that may be repeated is attempted until it is answered', async () => {
  const server = scripted([lost(), refused(503, 'unavailable'), ok()]);

  assert.deepEqual(await outcome(server, GET), { fine: true });

  assert.equal(server.asked.length, 3);
  assert.deepEqual(pauses(server), [125, 250]);
});

test('attempts are bounded', async () => {
  const server = scripted([lost(), lost(), lost(), lost(), ok()]);

  assert(await outcome(server, GET) instanceof NoAnswerError);

  assert.equal(server.asked.length, 4);
});

test('a call that may not be repeated is attempted once when nobody knows what became of it', async () => {
  for (const step of [lost(), refused(503, 'unavailable'), refused(504, 'timeout'), refused(502, 'bad-gateway')]) {
    const server = scripted([step, ok()]);

    assert(await outcome(server, POST) instanceof Error);

    assert.equal(server.asked.length, 1);
  }
});

test('too many requests were not done, and the server says when to come again', async () => {
  const server = scripted([refused(429, 'rate-limited', { 'Retry-After': '3' }), ok()]);

  assert.deepEqual(await outcome(server, POST), { fine: true });

  assert.deepEqual(pauses(server), [3_125]);
});

test('a longer wait than the cap is left to the application', async () => {
  const server = scripted([refused(429, 'rate-limited', { 'Retry-After': '11' }), ok()]);

  const error = await outcome(server, GET);

  assert(error instanceof ProblemError);
  assert.deepEqual([error.slug, error.retryAfterMs, server.asked.length], ['rate-limited', 11_000, 1]);
});

test('Retry-After may be a date', async () => {
  const server = scripted([]);
  const at = new Date(server.clock.now() + 60_000).toUTCString();
  const dated = scripted([refused(503, 'unavailable', { 'Retry-After': at })]);

  const error = await outcome(dated, GET);

  // Some seconds of the minute have passed before the answer came.
  assert(error instanceof ProblemError && error.retryAfterMs !== undefined);
  assert(error.retryAfterMs > 50_000 && error.retryAfterMs <= 60_000);
});

test('a refusal is not repeated, and tells what it has to', async () => {
  const server = scripted([refused(409, 'username-taken'), ok()]);

  const error = await outcome(server, GET);

  assert(error instanceof ProblemError);
  assert.equal(error.message, 'GET /v1/keys was answered 409 username-taken');
  assert.deepEqual([error.status, error.slug, error.members, error.instance], [409, 'username-taken', { limit: 7 }, 'abc']);
});

test('an answer of a proxy is a problem without a slug', async () => {
  const server = scripted([new Response('<h1>No</h1>', { status: 403 })]);

  const error = await outcome(server, GET);

  assert(error instanceof ProblemError && error.slug === '' && error.status === 403);
});

test('an answer that is no JSON breaks the contract', async () => {
  assert(await outcome(scripted([new Response('<h1>Welcome</h1>')]), GET) instanceof ContractError);
});

test('a server that does not answer is given up at the deadline', async () => {
  const clock = new FakeClock();
  const http = new Http(environment('https://sealpost.example', { clock, fetch: () => new Promise(() => {}), limits: { requestAttempts: 1 } }));
  const failed = assert.rejects(http.call(GET), NoAnswerError);

  await clock.advance(29_999);
  await clock.advance(1);

  await failed;
});

test('a call that is given up by the application is not repeated', async () => {
  const stop = new AbortController();
  const server = scripted([lost(), ok()]);
  const failed = assert.rejects(server.http.call({ ...GET, signal: stop.signal }), /enough/);
  await new Promise((settled) => setImmediate(settled));

  stop.abort(new Error('enough'));

  await failed;
  assert.equal(server.asked.length, 1);
});

test('values and queries are encoded', async () => {
  const server = scripted([ok()]);

  await outcome(server, { method: 'GET', route: '/v1/keys/{account}/{device}', values: { account: 'a/b?c', device: '*' }, query: { timeout: 3 } });

  assert.deepEqual(server.asked, ['GET https://sealpost.example/v1/keys/a%2Fb%3Fc/*?timeout=3']);
});
