// Makes the test vectors of proto/provisioning.md by that contract alone, over the HPKE of @hpke/core:
// `node link-envelope.mjs > proto/provisioning/vectors.json`. Everything in them is fixed, so it prints the same each time.
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";

const VERSION = Buffer.from([1]);
const info = new TextEncoder().encode("sealpost link v1");
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** 32 octets that begin with `first` and go up by one. */
const counted = (first) => Uint8Array.from({ length: 32 }, (_, at) => first + at);
const base64 = (octets) => Buffer.from(octets).toString("base64");
const base64url = (octets) => Buffer.from(octets).toString("base64url");

const own = await suite.kem.deriveKeyPair(counted(1).buffer);
const privateKey = await suite.kem.serializePrivateKey(own.privateKey);
const publicKey = await suite.kem.serializePublicKey(own.publicKey);
const content = {
  linkToken: `11111111-2222-4333-8444-555555555555.${base64url(counted(33))}`,
  identity: base64(counted(65)),
  accountId: "11111111-2222-4333-8444-555555555555",
  server: "https://sealpost.example",
};
const sender = await suite.createSenderContext({ recipientPublicKey: own.publicKey, info, ekm: counted(97).buffer });
const ciphertext = await sender.seal(new TextEncoder().encode(JSON.stringify(content)).buffer);
const [address, fingerprint] = [base64url(counted(129)), base64url(counted(161))];
const query = new URLSearchParams({ address, key: base64url(publicKey), server: content.server });

const vectors = {
  privateKey: base64(privateKey),
  publicKey: base64(publicKey),
  content,
  envelope: base64(Buffer.concat([VERSION, Buffer.from(sender.enc), Buffer.from(ciphertext)])),
  address,
  server: content.server,
  fingerprint,
  code: `sealpost://link?${query}#fp=${fingerprint}`,
};
process.stdout.write(`${JSON.stringify(vectors, null, 2)}\n`);
