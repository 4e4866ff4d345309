/**
 * One message websocket (`proto/ws.md`): frames in and out, and signs of life. It decides nothing about messages.
 */
import { within } from './clock.js';
import { NoAnswerError } from './errors.js';
import type { Environment, Socket } from './options.js';
import { Fields } from './wire.js';

/** What the server asks of the client. */
export interface ServerRequest {
  readonly id: number;
  readonly path: string;
  /** The frame, to read its body from. */
  readonly frame: Fields;
}

/** How a socket shows whose it is. */
export type Credential = { readonly token: string } | { readonly ticket: string };

const SUBPROTOCOL = 'json.v1';
const NORMAL = 1000;
/** What a platform reports for a socket that ended without a close frame (RFC 6455 §7.1.5). */
const LOST = 1006;

/** An open socket. */
export class MessageSocket {
  /** Resolves with the close code when the socket has ended, 1006 if it was lost. */
  readonly closed: Promise<number>;
  readonly #socket: Socket;
  readonly #environment: Environment;
  readonly #over = new AbortController();
  readonly #received: ServerRequest[] = [];
  #wake: () => void = () => {};
  #end: (code: number) => void = () => {};
  #finished = false;
  #nextRequest = 1;
  #alive: () => void = () => {};

  private constructor(socket: Socket, environment: Environment) {
    this.#socket = socket;
    this.#environment = environment;
    this.closed = new Promise((resolve) => (this.#end = resolve));
    // From the start: the server's first frames may come right behind its handshake.
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#conclude(code);
    // Node 22 does not always let a close event follow, as the standard has it.
    socket.onerror = () => this.#lose();
  }

  /** Opens a socket. @throws {NoAnswerError} it did not open; the platform does not tell why */
  static async open(environment: Environment, credential: Credential, signal: AbortSignal): Promise<MessageSocket> {
    const path = '/v1/websocket';
    const base = environment.route(path).replace(/\/$/, '').replace(/^http/, 'ws');
    const [url, options] =
      'token' in credential
        ? [base + path, { protocols: [SUBPROTOCOL], headers: { Authorization: `Bearer ${credential.token}` } }]
        : [`${base}${path}?ticket=${encodeURIComponent(credential.ticket)}`, [SUBPROTOCOL]];
    const socket = new environment.WebSocket(url, options);
    const opening = new MessageSocket(socket, environment);
    try {
      await within(environment.clock, environment.limits.connectTimeoutMs, signal, async () => {
        const refused = opening.closed.then((code) => Promise.reject(new Error(`closed with ${code}`)));
        await Promise.race([new Promise<void>((resolve) => (socket.onopen = resolve)), refused]);
      });
    } catch (error) {
      opening.#lose();
      if (signal.aborted) throw error;
      throw new NoAnswerError(`GET ${path}`, error);
    }
    void opening.#watch();
    return opening;
  }

  /** Aborted when the socket has ended. */
  get ended(): AbortSignal {
    return this.#over.signal;
  }

  /** Gives the server's requests in their order, until the socket ends or {@link finish} is called. */
  async *requests(): AsyncGenerator<ServerRequest, void> {
    for (;;) {
      if (this.#finished || this.#over.signal.aborted) return;
      const request = this.#received.shift();
      if (request) yield request;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Answers a request with 200. Lost with the socket, if that has ended: the server will ask again. */
  confirm(request: ServerRequest): void {
    if (!this.#over.signal.aborted) this.#send({ type: 'response', id: request.id, status: 200 });
  }

  /** Ends {@link requests}; the socket stays open for answers. */
  finish(): void {
    this.#finished = true;
    this.#wake();
  }

  /** Ends the socket, and gives the other side a moment to say the same: it has read every answer by then. */
  async close(): Promise<void> {
    const { clock, limits } = this.#environment;
    if (this.#over.signal.aborted) return;
    this.#socket.close(NORMAL);
    await clock.sleep(limits.closeTimeoutMs, this.#over.signal).catch(() => {});
    this.#lose();
  }

  #receive(data: unknown): void {
    try {
      const frame = new Fields(typeof data === 'string' ? JSON.parse(data) : undefined, 'websocket frame');
      this.#alive();
      if (frame.string('type') !== 'request') return;
      this.#received.push({ id: frame.number('id'), path: frame.string('path'), frame });
      this.#wake();
    } catch {
      this.#lose();
    }
  }

  /** Asks for a sign of life now and then; any frame is one. A peer that is gone without a word is found by this alone. */
  async #watch(): Promise<void> {
    const { clock, limits } = this.#environment;
    try {
      for (;;) {
        await clock.sleep(limits.keepaliveMs, this.#over.signal);
        const sign = new Promise<void>((resolve) => (this.#alive = resolve));
        this.#send({ type: 'request', id: this.#nextRequest++, verb: 'GET', path: '/v1/keepalive' });
        await within(clock, limits.keepaliveTimeoutMs, this.#over.signal, () => sign);
      }
    } catch {
      this.#lose();
    }
  }

  #send(frame: unknown): void {
    try {
      this.#socket.send(JSON.stringify(frame));
    } catch {
      this.#lose();
    }
  }

  /** Gives the socket up without waiting for the other side, which may not be there. */
  #lose(): void {
    if (this.#over.signal.aborted) return;
    // In this order: a platform may report an error from within `close`.
    this.#conclude(LOST);
    this.#socket.close();
  }

  #conclude(code: number): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#end(code);
    this.#wake();
  }
}
