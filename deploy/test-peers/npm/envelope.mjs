// Seals and opens SMS envelopes of version 2 by their contract (proto/sms-envelope-v2.md) alone, over the HPKE of
// @hpke/core. Reads a JSON array of tasks on stdin, writes one of results on stdout. Octets are hexadecimal.
//
//   { "do": "seal", "publicKey", "clientId", "correlId", "deadline", "message", "ikmE"? }  ->  { "payload" }
//   { "do": "open", "privateKey", "clientId", "correlId", "deadline", "payload" }          ->  { "message" } | { "error" }
//
// `ikmE` fixes what the ephemeral key is derived from (RFC 9180 §7.1.3), for test vectors.
import { text } from "node:stream/consumers";
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";

const HEADER = Buffer.from([0x10, 0xdd, 0x80]);
const ENCAPSULATED = 32;
const info = new TextEncoder().encode("sealpost sms envelope v2");
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

const octets = (hex) => new Uint8Array(Buffer.from(hex, "hex")).buffer;

export function binding({ clientId, correlId, deadline }) {
  const parts = [clientId, correlId, deadline].flatMap((field) => {
    const utf8 = Buffer.from(field, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(utf8.length);
    return [length, utf8];
  });
  return new Uint8Array(Buffer.concat(parts));
}

export async function seal(task) {
  const recipientPublicKey = await suite.kem.deserializePublicKey(octets(task.publicKey));
  const ekm = task.ikmE === undefined ? undefined : octets(task.ikmE);
  const sender = await suite.createSenderContext({ recipientPublicKey, info, ekm });
  const ciphertext = await sender.seal(octets(task.message), binding(task));
  const envelope = Buffer.concat([HEADER, Buffer.from(sender.enc), Buffer.from(ciphertext)]);
  return { payload: envelope.toString("base64") };
}

export async function open(task) {
  const envelope = new Uint8Array(Buffer.from(task.payload, "base64"));
  if (!HEADER.equals(envelope.subarray(0, HEADER.length))) return { error: "not an envelope" };
  const enc = envelope.slice(HEADER.length, HEADER.length + ENCAPSULATED).buffer;
  const ciphertext = envelope.slice(HEADER.length + ENCAPSULATED).buffer;
  try {
    const recipientKey = await suite.kem.deserializePrivateKey(octets(task.privateKey));
    const recipient = await suite.createRecipientContext({ recipientKey, enc, info });
    const message = await recipient.open(ciphertext, binding(task));
    return { message: Buffer.from(message).toString("hex") };
  } catch (error) {
    return { error: error.constructor.name };
  }
}

if (process.argv[1] === import.meta.filename) {
  const results = [];
  for (const task of JSON.parse(await text(process.stdin))) {
    results.push(await (task.do === "seal" ? seal(task) : open(task)));
  }
  process.stdout.write(JSON.stringify(results));
}
