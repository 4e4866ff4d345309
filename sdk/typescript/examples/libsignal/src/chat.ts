// SPDX-License-Identifier: AGPL-3.0-only
// Two people on one server: `npm start http://127.0.0.1:8080`.
import { randomBytes } from 'node:crypto';
import { Sealpost } from '@sealpost/client';
import { LibsignalCipher } from './cipher.js';

const server = new Sealpost(process.argv[2] ?? 'http://127.0.0.1:8080');

async function join(name: string) {
  const username = `${name}-${randomBytes(4).toString('hex')}`;
  const account = await server.register({ username, password: randomBytes(18).toString('base64') });
  return account.registerDevice(LibsignalCipher.create());
}

const [alice, bob] = [await join('alice'), await join('bob')];
const heard = new Promise<string>((resolve) => {
  bob.listen({ onMessage: ({ plaintext }) => resolve(new TextDecoder().decode(plaintext)) });
});
await alice.send(bob.address.accountId, new TextEncoder().encode('Hello, Bob.'));
console.log(`bob reads: ${await heard}`);
process.exit();
