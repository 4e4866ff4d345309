// A push service (RFC 8030) and the device behind it: checks who sends by VAPID (RFC 8292), and decrypts what comes
// (RFC 8291) with http_ece. It prints one line when it is ready, { "port", "keys": { "p256dh", "auth" } }, and answers
//
//   POST /push/NAME   as /answer last said, 201 by default
//   GET  /received    everything that came: { "path", "status", "headers", "claims", "key", "plain" }, or { "error" }
//   POST /answer      body { "statuses": [429, …], "retryAfter"? }: what to answer next, one after the other
import { createECDH, createPublicKey, randomBytes, verify } from "node:crypto";
import { createServer } from "node:http";
import { buffer, json } from "node:stream/consumers";
import ece from "http_ece";

const device = createECDH("prime256v1");
device.generateKeys();
const authSecret = randomBytes(16);
const received = [];
let statuses = [];
let retryAfter;

export function claimsOf(authorization) {
  const [, token, key] = /^vapid t=([^,]+), k=(\S+)$/.exec(authorization);
  const [header, claims, signature] = token.split(".");
  const point = Buffer.from(key, "base64url");
  const jwk = {
    kty: "EC",
    crv: "P-256",
    x: point.subarray(1, 33).toString("base64url"),
    y: point.subarray(33).toString("base64url"),
  };
  const publicKey = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
  const signed = Buffer.from(`${header}.${claims}`);
  if (JSON.parse(Buffer.from(header, "base64url")).alg !== "ES256") throw new Error("not ES256");
  if (!verify("sha256", signed, publicKey, Buffer.from(signature, "base64url"))) throw new Error("bad signature");
  return { claims: JSON.parse(Buffer.from(claims, "base64url")), key };
}

async function take(request) {
  const status = statuses.shift() ?? 201;
  const entry = { path: request.url, status, headers: request.headers };
  try {
    const body = await buffer(request);
    Object.assign(entry, claimsOf(request.headers.authorization));
    const plain = ece.decrypt(body, { version: "aes128gcm", privateKey: device, authSecret });
    Object.assign(entry, { size: body.length, plain: JSON.parse(plain.toString()) });
  } catch (error) {
    entry.error = String(error);
  }
  received.push(entry);
  return status;
}

const server = createServer(async (request, response) => {
  if (request.url === "/received") return response.end(JSON.stringify(received));
  if (request.url === "/answer") {
    ({ statuses, retryAfter } = await json(request));
    return response.end();
  }
  const status = await take(request);
  const headers = retryAfter !== undefined && status >= 400 ? { "Retry-After": String(retryAfter) } : {};
  if (status === 307) headers.Location = "/push/elsewhere";
  response.writeHead(status, headers).end();
});

// Else a connection is ended whose next request is on its way, if this process stalls.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => {
  const keys = { p256dh: device.getPublicKey("base64url"), auth: authSecret.toString("base64url") };
  console.log(JSON.stringify({ port: server.address().port, keys }));
});
