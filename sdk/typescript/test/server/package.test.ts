/** The package as it is published: packed, installed in a project of its own, checked by its compiler and run. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TestServer } from '../harness/server.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));

let server: TestServer;
let project: string;
before(async () => {
  server = await TestServer.start();
  project = await mkdtemp(join(tmpdir(), 'sealpost-package-'));
});
after(async () => {
  await server.stop();
  await rm(project, { recursive: true, force: true });
});

const CONSUMER = `
import { ProblemError, Sealpost, type Cipher, type Listener, type Options } from '@sealpost/client';

const options: Options = { limits: { requestAttempts: 2 } };
const listener: Listener = { onMessage: ({ plaintext }) => console.log(plaintext.length) };
export const join = async (cipher: Cipher) => {
  const account = await new Sealpost('https://sealpost.example', options).register({ username: 'alice', password: 'a long one' });
  return (await account.registerDevice(cipher)).listen(listener);
};

const account = await new Sealpost(process.argv[2] ?? '').register({ username: 'package', password: 'a long one' });
const again = await new Sealpost(process.argv[2] ?? '').register({ username: 'package', password: 'a long one' }).catch((error) => error);
console.log(JSON.stringify([await account.devices(), again instanceof ProblemError && again.slug]));
`;

test('the packed library is installed, type-checked and used', async () => {
  const packed = await run('npm', ['pack', '--json', '--loglevel=silent', '--pack-destination', project], { cwd: root });
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  const strange = files.filter(({ path }) => !/^(dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/.test(path));
  assert.deepEqual(strange, []);
  assert(['LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts'].every((wanted) => files.some(({ path }) => path === wanted)));

  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(project, filename)], { cwd: project });
  await writeFile(join(project, 'consumer.ts'), CONSUMER);
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  const strict = ['--strict', '--target', 'ES2023', '--module', 'NodeNext', '--lib', 'ES2023,DOM', '--exactOptionalPropertyTypes'];
  await run(join(root, 'node_modules/.bin/tsc'), [...types, ...strict, 'consumer.ts'], { cwd: project }).catch(({ stdout }) => assert.fail(stdout));

  const { stdout } = await run(process.execPath, ['consumer.js', server.url], { cwd: project });
  assert.deepEqual(JSON.parse(stdout), [[], 'username-taken']);
});
