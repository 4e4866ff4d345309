// The main job, for real: two libsignal clients talk through the server, an encrypted SMS goes to the SMSC and back, and a
// client that was cut off gets the notifications that it missed.
//
//   node demo.mjs --server URL --sealpost PROGRAM --sms-client ID --sms-public-key FILE --sms-api-key FILE
//       --notify-api-key FILE
//
//   --auth URL --keystore URL --mailbox URL --sms-gateway URL --notify URL   instead of --server: each by itself
//   --brokers HOST:PORT   instead of --sms-api-key: kcat produces the SMS, the statuses are read from the topic
//
// Prints a transcript; exits 0 only if every step was seen to work.
import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs, promisify } from 'node:util';
import { randomBytes } from 'node:crypto';
import { Backend, Listener } from './notifications.mjs';
import { Person, within } from './people.mjs';
import { Servers } from './servers.mjs';

const run = promisify(execFile);
const { values: options } = parseArgs({
  options: {
    server: { type: 'string' },
    auth: { type: 'string' },
    keystore: { type: 'string' },
    mailbox: { type: 'string' },
    'sms-gateway': { type: 'string' },
    notify: { type: 'string' },
    sealpost: { type: 'string' },
    'sms-client': { type: 'string' },
    'sms-public-key': { type: 'string' },
    'sms-api-key': { type: 'string' },
    'notify-api-key': { type: 'string' },
    brokers: { type: 'string' },
  },
});

const started = process.hrtime.bigint();
const elapsed = () => `${(Number(process.hrtime.bigint() - started) / 1e9).toFixed(2).padStart(6)} s`;
const say = (text) => console.log(`  ${elapsed()}  ${text}`);
const section = (text) => console.log(`\n${text}`);

function expect(condition, what) {
  if (!condition) throw new Error(`expected ${what}`);
}

async function messages(servers) {
  section('An end-to-end-encrypted message, from one libsignal client to another');
  const [alice, bob] = [await Person.register(servers, 'alice'), await Person.register(servers, 'bob')];
  say(`${alice.username} and ${bob.username} registered, each with a device and 10 + 10 one-time prekeys`);

  await Promise.all([alice.listen(), bob.listen()]);
  say('both websockets are open and their queues are empty');

  const question = 'Is this thing on?';
  const { copies } = await alice.send(bob, question);
  const left = await bob.device.keyCounts();
  expect(copies.length === 1 && left.count === 9 && left.pqCount === 9, 'one key of each kind to be used up');
  say("alice fetched bob's bundle (PQXDH: X25519 + Kyber-1024); bob has 9 + 9 one-time keys left");
  say(`alice sent "${question}" as ciphertext for bob's device, stored durably`);
  expect((await bob.receive()) === question, 'bob to read what alice wrote');
  say('bob received it over the websocket, decrypted it and acked');

  const reply = 'Loud and clear.';
  await bob.send(alice, reply);
  expect((await alice.receive()) === reply, 'alice to read the reply');
  say(`alice received bob's reply "${reply}" and acked`);

  await within(20_000, 'the acked envelopes to be gone', async (done) => {
    while ((await alice.queued()) + (await bob.queued()) > 0) await new Promise((again) => setTimeout(again, 20));
    done();
  });
  say('the server holds nothing for either of them any more');
  await Promise.all([alice.close(), bob.close()]);
}

async function sms(servers) {
  section('An encrypted SMS, from a producer to a phone number over SMPP');
  const client = options['sms-client'];
  const correlId = `demo-${randomBytes(6).toString('hex')}`;
  const recipient = '+255712345678';
  const { stdout: payload } = await run(options.sealpost, [
    'sms', 'encrypt', '--to', recipient, '--sender', 'CLINIC', options['sms-public-key'], 'Your appointment is tomorrow at 9:00.',
  ]);
  expect(payload.startsWith('ENC'), 'an encrypted payload');
  say(`the text is encrypted to the gateway's key (${payload.trim().length} characters of base64)`);

  const request = JSON.stringify({ 'client-id': client, 'correl-id': correlId, deadline: '2100-01-01T00:00:00Z', payload: payload.trim() });
  const statuses = options.brokers ? await overKafka(request, correlId) : await overHttp(servers, request, correlId);
  for (const { status, simulated } of statuses) say(`status ${status}${simulated ? ' (from the simulator)' : ''}`);
  expect(statuses.map(({ status }) => status).join() === 'SENT,DELIVERED', 'SENT, then DELIVERED');
  expect(statuses.every(({ simulated }) => simulated), 'each status of the simulator to say so');
}

async function overHttp(servers, request, correlId) {
  const headers = { Authorization: `Bearer ${(await readFile(options['sms-api-key'], 'utf8')).trim()}` };
  const answer = await fetch(servers.at('/v1/sms'), { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: request });
  expect(answer.status === 202, `202 from POST /v1/sms, not ${answer.status} ${await answer.clone().text()}`);
  say('POST /v1/sms: accepted, durable on the bus');
  const found = [];
  const deadline = Date.now() + 20_000;
  for (let after = 0; found.length < 2 && Date.now() < deadline;) {
    const page = await (await fetch(servers.at(`/v1/sms/status?after=${after}&timeout=5`), { headers })).json();
    found.push(...page.statuses.filter((status) => status['correl-id'] === correlId).map(shortened));
    after = page.next;
  }
  return found;
}

async function overKafka(request, correlId) {
  const producer = spawn('kcat', ['-b', options.brokers, '-P', '-t', 'send-sms', '-k', correlId]);
  producer.stdin.end(request);
  const status = await new Promise((resolve) => producer.on('close', resolve));
  expect(status === 0, 'kcat to produce the record');
  say('kcat produced the record to the topic send-sms');
  const found = [];
  let consumer;
  try {
    await within(20_000, 'SENT and DELIVERED on the topic sms-status', (done) => {
      const consume = () => {
        consumer = spawn('kcat', ['-b', options.brokers, '-C', '-q', '-u', '-t', 'sms-status', '-o', 'beginning', '-f', '%s\n'], { stdio: ['ignore', 'pipe', 'ignore'] });
        createInterface({ input: consumer.stdout }).on('line', (line) => {
          const record = JSON.parse(line);
          if (record['correl-id'] === correlId) found.push(shortened(record));
          if (found.length === 2) done();
        });
        // kcat gives up on a topic that does not exist, and the gateway's first status makes it.
        consumer.on('exit', (code) => code > 0 && setTimeout(consume, 200));
      };
      consume();
    });
  } finally {
    consumer.kill();
  }
  return found;
}

async function notifications(servers) {
  section('Notifications, from a back-end to its client');
  const backend = new Backend(servers, (await readFile(options['notify-api-key'], 'utf8')).trim());
  const channel = `demo-${randomBytes(6).toString('hex')}`;
  const client = new Listener(servers, await backend.token(channel));
  await client.connect();
  say('the client listens to an event stream, with a token that the back-end got for it');

  await backend.publish(channel, 'your parcel is on its way');
  expect((await client.next()).data === 'your parcel is on its way', 'the client to hear what was published');
  say('the back-end published, the client heard it');

  client.cut();
  for (const data of ['it is next door', 'it is here']) await backend.publish(channel, data);
  say('the client was cut off; the back-end published two more');
  const { recovered } = await client.connect();
  const missed = [await client.next(), await client.next()];
  expect(recovered && missed.map(({ offset, data }) => `${offset} ${data}`).join() === '2 it is next door,3 it is here', 'both, in order');
  say('the client came back, and got both, in order and once');
  client.cut();
}

const shortened = (record) => ({ status: record['sms-status'], simulated: record.simulated === true });

try {
  const servers = new Servers(options);
  await messages(servers);
  await sms(servers);
  await notifications(servers);
  section('Every step worked.');
} catch (error) {
  console.error(`\nThe demo failed: ${error.message}`);
  // Open websockets would keep the process alive.
  process.exit(1);
}
