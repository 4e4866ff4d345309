// A push service with the browsers behind it, on http_ece, an implementation of RFC 8188 and RFC 8291 independent of
// ours: node push.mjs '{"port":8081}'.
//
// Settings: port. What a sender sees is RFC 8030: POST /push/ID. What a test sees:
//   POST /subscriptions      a browser subscribes: {answers?: [{status, retryAfter?}], applicationServerKey?}; the answer
//                            is its PushSubscription, with the id beside it. The answers are given in their order, then 201.
//   GET  /subscriptions/ID   what has come: [{status, text, ttl, urgency, topic, subject, audience, at}], or with `fault`
//                            in place of the text: what was wrong, which is answered 400, 403 or 413
// Prints one line of JSON for each request to push, and when it can be used.
import crypto from 'node:crypto';
import http from 'node:http';
import ece from 'http_ece';

const settings = { port: 0, ...JSON.parse(process.argv[2] ?? '{}') };
// RFC 8030 §7.2: a push service takes at least this much.
const MOST = 4096;
// RFC 8292 §2: in seconds.
const LONGEST_LIFE = 24 * 3600;
const URGENCIES = ['very-low', 'low', 'normal', 'high'];
const subscriptions = new Map();

const say = (event) => console.log(JSON.stringify(event));
const bytes = (text) => Buffer.from(text, 'base64url');

class Refused extends Error {
  constructor(status, fault) {
    super(fault);
    this.status = status;
  }
}

function demand(holds, status, fault) {
  if (!holds) throw new Refused(status, fault);
}

function subscribe({ answers = [], applicationServerKey = null }) {
  const id = crypto.randomUUID();
  const keys = crypto.createECDH('prime256v1');
  const p256dh = keys.generateKeys().toString('base64url');
  const auth = crypto.randomBytes(16).toString('base64url');
  subscriptions.set(id, { keys, auth, answers: [...answers], applicationServerKey, received: [] });
  return { id, endpoint: `${origin()}/push/${id}`, expirationTime: null, keys: { p256dh, auth } };
}

// Gives the claims of `Authorization: vapid t=JWT, k=KEY` (RFC 8292 §3).
function vapid(authorization, applicationServerKey) {
  const [, parameters] = /^vapid +(.*)$/i.exec(authorization ?? '') ?? [];
  demand(parameters, 403, 'no vapid credentials');
  const { t: token, k: key } = Object.fromEntries(parameters.split(',').map((part) => part.trim().split(/=(.*)/s, 2)));
  demand(token && key, 403, 'vapid without t or k');
  const point = bytes(key);
  demand(point.length === 65 && point[0] === 4, 403, 'k is no uncompressed point');
  demand(applicationServerKey === null || applicationServerKey === key, 403, 'the key of another application server');
  const parts = token.split('.');
  demand(parts.length === 3, 403, 'no JWT');
  const [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(bytes(part)));
  demand(header.alg === 'ES256', 403, 'not ES256');
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  const by = { key: crypto.createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  demand(crypto.verify('sha256', Buffer.from(parts.slice(0, 2).join('.')), by, bytes(parts[2])), 403, 'a wrong signature');
  const now = Date.now() / 1000;
  demand(claims.aud === origin(), 403, 'another audience');
  demand(claims.exp > now && claims.exp <= now + LONGEST_LIFE, 403, 'expired, or valid for more than a day');
  demand(/^(mailto:.+@.+|https:\/\/.+)$/.test(claims.sub ?? ''), 403, 'no subject to complain to');
  return claims;
}

// Reads what came; what a push service could not know by itself is what the browser finds.
function accept({ keys, auth, applicationServerKey }, headers, body) {
  const claims = vapid(headers.authorization, applicationServerKey);
  const { ttl, urgency = 'normal', topic } = headers;
  demand(/^\d+$/.test(ttl ?? ''), 400, 'no TTL');
  demand(URGENCIES.includes(urgency), 400, 'no such urgency');
  demand(topic === undefined || /^[A-Za-z0-9_-]{1,32}$/.test(topic), 400, 'no topic of RFC 8030 §5.4');
  demand(body.length <= MOST, 413, 'too large');
  let text = null;
  if (body.length > 0) {
    demand(headers['content-encoding'] === 'aes128gcm', 400, 'another content encoding');
    try {
      text = ece.decrypt(body, { version: 'aes128gcm', privateKey: keys, authSecret: auth }).toString('utf8');
    } catch {
      throw new Refused(400, 'does not open');
    }
  }
  return { text, ttl: Number(ttl), urgency, topic: topic ?? null, subject: claims.sub, audience: claims.aud };
}

function push(subscription, headers, body) {
  const at = Date.now();
  try {
    const message = accept(subscription, headers, body);
    const { status, retryAfter } = { status: 201, ...subscription.answers.shift() };
    subscription.received.push({ status, ...message, at });
    return { status, headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) } };
  } catch (error) {
    const status = error instanceof Refused ? error.status : 400;
    subscription.received.push({ status, fault: error.message, at });
    return { status, headers: {} };
  }
}

function answer(request, body) {
  const [, kind, id] = /^\/(push|subscriptions)(?:\/([^/]+))?$/.exec(request.url) ?? [];
  const found = subscriptions.get(id);
  if (request.method === 'POST' && kind === 'subscriptions' && id === undefined) {
    return { status: 201, json: subscribe(body.length > 0 ? JSON.parse(body) : {}) };
  }
  if (request.method === 'GET' && kind === 'subscriptions' && found) return { status: 200, json: found.received };
  if (request.method === 'POST' && kind === 'push') {
    const done = found ? push(found, request.headers, body) : { status: 404, headers: {} };
    say({ event: 'push', id, status: done.status });
    return done;
  }
  return { status: 404 };
}

const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const { status, headers = {}, json } = answer(request, Buffer.concat(chunks));
    response.writeHead(status, headers).end(json === undefined ? undefined : JSON.stringify(json));
  } catch (error) {
    response.writeHead(500).end(error.message);
  }
});

const origin = () => `http://127.0.0.1:${server.address().port}`;
server.listen(settings.port, '127.0.0.1', () => say({ event: 'ready', url: origin() }));
