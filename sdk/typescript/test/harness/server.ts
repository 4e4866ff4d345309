/**
 * A real server in a process of its own: `sealpost serve` on SQLite in a temporary folder, on free ports. It is killed with
 * this process, however that ends (setpriv of util-linux). The program is what SEALPOST names, else the workspace's debug build.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = process.env['SEALPOST'] ?? fileURLToPath(new URL('../../../../../target/debug/sealpost', import.meta.url));

/** Everything fast enough for a test, and no rate limits: many accounts come from one address. */
const SETTINGS = { SEALPOST__LIMITS__ENABLED: 'false' };

export class TestServer {
  #process: ChildProcess | undefined;
  #listen = '127.0.0.1:0';
  #url = '';
  readonly #folder: string;
  readonly #settings: Record<string, string>;

  private constructor(folder: string, settings: Record<string, string>) {
    this.#folder = folder;
    this.#settings = settings;
  }

  /** Starts a server with settings of its own, as environment variables. */
  static async start(settings: Record<string, string> = {}): Promise<TestServer> {
    const server = new TestServer(await mkdtemp(join(tmpdir(), 'sealpost-sdk-')), settings);
    await server.start();
    return server;
  }

  get url(): string {
    return this.#url;
  }

  /** Starts the process: the second time with the data and on the port of the first. */
  async start(): Promise<void> {
    const serve = [program, 'serve', '--data-dir', this.#folder, '--listen', this.#listen, '--internal', '127.0.0.1:0'];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...serve], {
      env: { PATH: process.env['PATH'], ...SETTINGS, ...this.#settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    let log = '';
    child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-4000)));
    for await (const line of createInterface({ input: child.stdout })) {
      const ready = /^ready http=(\S+)/.exec(line);
      if (!ready?.[1]) continue;
      this.#url = ready[1];
      this.#listen = new URL(this.#url).host;
      return;
    }
    throw new Error(`${program} did not start:\n${log}`);
  }

  /** Ends the process as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Stops the process where it is: its sockets stay open, and nothing answers. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
