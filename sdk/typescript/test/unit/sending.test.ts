/**
 * Random walks of the sender: the recipient's devices come, go and are replaced between any two requests, and answers get
 * lost. The mailbox is a model of the server's rule; the real one is in test/server.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DevicesUnsettledError, MemoryIdentityStore, MemoryTokenStore, NoAnswerError, ProblemError, toBase64 } from '@sealpost/client';
import type { Cipher, DeviceBundle } from '@sealpost/client';
import { Http } from '#client/http.js';
import { Identities } from '#client/identities.js';
import { environment } from '#client/options.js';
import { Sender } from '#client/sending.js';
import { Session } from '#client/session.js';
import { Random } from '../harness/random.js';

const ACCOUNT = 'recipient';
const WALKS = 150;
const SENDS = 25;
const KEY = { keyId: 1, publicKey: '', signature: '' };

interface Copy {
  destinationDeviceId: number;
  destinationRegistrationId: number;
  content: string;
}

/** The recipient's devices, and what was stored for them. */
class Model {
  readonly devices = new Map<number, number>([[1, 1]]);
  /** By the text: who got a copy. */
  readonly stored = new Map<string, number[]>();
  readonly #keys = new Map<string, object>();
  #nextRegistration = 2;

  constructor(
    readonly random: Random,
    readonly unrest: number,
  ) {}

  fetch = async (url: unknown, init?: RequestInit): Promise<Response> => {
    if (this.random.next() < this.unrest) this.#change();
    const lost = this.random.next() < 0.1;
    if (lost && this.random.next() < 0.5) throw new TypeError('lost on the way there');
    const { pathname } = new URL(String(url));
    const answer = init?.method === 'PUT' ? this.#put(init) : this.#bundles(pathname.split('/').at(-1) ?? '');
    if (lost) throw new TypeError('lost on the way back');
    return answer;
  };

  #change(): void {
    const device = 1 + this.random.below(4);
    if (this.devices.has(device) && this.random.next() < 0.5) this.devices.delete(device);
    else this.devices.set(device, this.#nextRegistration++);
  }

  #put(init: RequestInit): Response {
    const key = new Headers(init.headers).get('Idempotency-Key') ?? '';
    const before = this.#keys.get(key);
    if (before) return Response.json(before, { headers: { 'Idempotent-Replay': 'true' } });
    const { messages } = JSON.parse(String(init.body)) as { messages: Copy[] };
    const named = new Map(messages.map((copy) => [copy.destinationDeviceId, copy.destinationRegistrationId]));
    assert.equal(named.size, messages.length, 'a device is named once');
    const missingDevices = [...this.devices.keys()].filter((device) => !named.has(device));
    const extraDevices = [...named.keys()].filter((device) => !this.devices.has(device));
    const staleDevices = [...named].filter(([device, life]) => (this.devices.get(device) ?? life) !== life).map(([device]) => device);
    const stale = missingDevices.length + extraDevices.length === 0;
    if (!stale || staleDevices.length > 0) {
      const [status, slug] = stale ? [410, 'stale-devices'] : [409, 'device-set-mismatch'];
      return Response.json({ type: `urn:problem:${slug}`, missingDevices, extraDevices, staleDevices }, { status });
    }
    const texts = messages.map(({ content, ...to }) => {
      const [device, life, text] = atob(content).split('|');
      assert.deepEqual([Number(device), Number(life)], [to.destinationDeviceId, to.destinationRegistrationId]);
      return text ?? '';
    });
    assert(new Set(texts).size <= 1, 'one text in a send');
    if (texts[0]) {
      assert(!this.stored.has(texts[0]), 'stored once');
      this.stored.set(texts[0], [...named.keys()]);
    }
    const answer = { serverTimestamp: 1, devices: messages.map((copy) => ({ deviceId: copy.destinationDeviceId, guid: 'g' })) };
    this.#keys.set(key, answer);
    return Response.json(answer);
  }

  #bundles(device: string): Response {
    const devices = [...this.devices].filter(([deviceId]) => device === '*' || Number(device) === deviceId);
    if (devices.length === 0) return Response.json({ type: 'urn:problem:keys-not-found' }, { status: 404 });
    const bundle = ([deviceId, registrationId]: [number, number]) => ({ deviceId, registrationId, signedPreKey: KEY, pqPreKey: KEY });
    return Response.json({ identityKey: toBase64(Uint8Array.of(5)), devices: devices.map(bundle) });
  }
}

/** A cipher whose ciphertexts say for which installation they are. */
class Labels implements Pick<Cipher, 'sessions' | 'openSession' | 'dropSession' | 'encrypt'> {
  readonly #sessions = new Map<number, number>();

  async sessions() {
    return [...this.#sessions].map(([deviceId, registrationId]) => ({ deviceId, registrationId, identityKey: Uint8Array.of(5) }));
  }

  async openSession({ deviceId, registrationId }: DeviceBundle) {
    this.#sessions.set(deviceId, registrationId);
  }

  async dropSession({ deviceId }: { deviceId: number }) {
    this.#sessions.delete(deviceId);
  }

  async encrypt({ deviceId }: { deviceId: number }, plaintext: Uint8Array) {
    const label = `${deviceId}|${this.#sessions.get(deviceId)}|${new TextDecoder().decode(plaintext)}`;
    return { type: 1, content: new TextEncoder().encode(label) };
  }
}

async function walk(random: Random, unrest: number): Promise<{ sent: number; unsettled: number }> {
  const model = new Model(random, unrest);
  const limits = { retryBaseMs: 0, requestAttempts: 3 };
  const world = environment('https://sealpost.example', { fetch: model.fetch as typeof fetch, limits, random: random.next });
  const tokens = new MemoryTokenStore();
  await tokens.save({ accountId: 'sender', sessionId: '', accessToken: 'a', refreshToken: 'r', expiresAt: Number.MAX_SAFE_INTEGER });
  const session = new Session(new Http(world), tokens);
  const identities = new Identities(new MemoryIdentityStore());
  const cipher = new Labels() as Partial<Cipher> as Cipher;
  const sender = new Sender({ own: { accountId: 'sender', deviceId: 1 }, session, cipher, identities, environment: world });
  const counts = { sent: 0, unsettled: 0 };
  for (let number = 0; number < SENDS; number += 1) {
    const text = `message ${number}`;
    const outcome = await sender.send(ACCOUNT, new TextEncoder().encode(text)).catch((error: unknown) => error);
    const stored = model.stored.get(text);
    if (outcome instanceof NoAnswerError) continue;
    if (outcome instanceof DevicesUnsettledError || outcome instanceof ProblemError) {
      assert(outcome instanceof DevicesUnsettledError || outcome.slug === 'keys-not-found', String(outcome));
      assert.equal(stored, undefined);
      counts.unsettled += 1;
      continue;
    }
    assert(!(outcome instanceof Error), String(outcome));
    const { copies } = outcome as Awaited<ReturnType<Sender['send']>>;
    assert.deepEqual(copies.map(({ deviceId }) => deviceId), stored ?? []);
    counts.sent += 1;
  }
  return counts;
}

for (const unrest of [0, 0.2, 0.6]) {
  test(`every send reaches exactly the devices there are, or nobody (unrest ${unrest})`, async () => {
    const random = new Random();
    let sent = 0;

    for (let round = 0; round < WALKS; round += 1) {
      await walk(random, unrest).then(
        (counts) => (sent += counts.sent),
        (error: unknown) => assert.fail(`SEED=${random.seed}, walk ${round}: ${String(error)}`),
      );
    }

    assert(sent > (WALKS * SENDS) / 4, `${sent} sends succeeded`);
  });
}
