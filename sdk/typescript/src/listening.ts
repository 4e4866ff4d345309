/**
 * Keeps a device connected: websocket after websocket, HTTP polls while none can be opened, until it is stopped or there
 * is nothing left to connect.
 *
 * What must hold: one connection at a time; an envelope is answered after it was delivered; whatever was not answered is
 * left to the server, which gives it again to the next connection.
 */
import { Backoff } from './backoff.js';
import type { Delivery } from './delivery.js';
import { DisplacedError, ProblemError, SealpostError, SessionEndedError } from './errors.js';
import type { Listener } from './listener.js';
import type { Environment } from './options.js';
import type { PreKeys } from './prekeys.js';
import type { Session } from './session.js';
import { MessageSocket, type Credential, type ServerRequest } from './socket.js';
import { envelope, Fields } from './wire.js';

/** What listening works with. */
export interface ListeningParts {
  readonly session: Session;
  readonly preKeys: PreKeys;
  readonly delivery: Delivery;
  readonly listener: Listener;
  readonly environment: Environment;
}

/** Close codes after which there is no reconnecting. */
const REVOKED = 4401;
const DISPLACED = 4409;

/** A device that receives. */
export class Listening {
  /** Resolves when the backlog has been handled for the first time; rejects if the listening ends before. */
  readonly ready: Promise<void>;
  /** Resolves when the listening has ended: with nothing after {@link stop}, else with why. Never rejects. */
  readonly ended: Promise<SessionEndedError | DisplacedError | undefined>;
  readonly #parts: ListeningParts;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  /** Whether the last websocket did not open. */
  #refused = false;
  /** Websockets in a row that did not open although the server could be asked by HTTP. */
  #blocked = 0;
  /** Whether the application knows that the backlog of this connection, or of all polls since the last one, is handled. */
  #toldEmpty = false;
  #caughtUp: () => void = () => {};

  constructor(parts: ListeningParts) {
    this.#parts = parts;
    const { limits, random } = parts.environment;
    this.#backoff = new Backoff({ baseMs: limits.reconnectBaseMs, capMs: limits.reconnectCapMs }, random);
    let failed: (error: unknown) => void = () => {};
    this.ready = new Promise((resolve, reject) => {
      this.#caughtUp = resolve;
      failed = reject;
    });
    // Whoever does not ask for it is not to be ended by it.
    this.ready.catch(() => {});
    this.ended = this.#run().then((reason) => {
      failed(reason ?? new SealpostError('the listening was stopped'));
      return reason;
    });
  }

  /** Stops receiving: a handler that runs is waited for, and its message acked. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async #run(): Promise<SessionEndedError | DisplacedError | undefined> {
    const { environment, listener } = this.#parts;
    for (;;) {
      try {
        if (this.#stop.signal.aborted) return undefined;
        const again = await this.#receive();
        if (again === 'at once') continue;
      } catch (error) {
        const end = ending(error);
        if (end) return end;
        if (!this.#stop.signal.aborted) listener.onError?.(error);
      }
      await environment.clock.sleep(this.#backoff.next(), this.#stop.signal).catch(() => {});
    }
  }

  /** Receives by one way until that ends. Tells whether to go on at once. */
  async #receive(): Promise<'at once' | 'after a pause'> {
    const { transport, limits } = this.#parts.environment;
    // The backlog first; only then is there something to wait for.
    if (transport === 'poll') return this.#poll(this.#toldEmpty ? limits.pollSeconds : 0);
    let socket: MessageSocket;
    try {
      socket = await MessageSocket.open(this.#parts.environment, await this.#credential(), this.#stop.signal);
    } catch (error) {
      this.#refused = true;
      if (transport === 'websocket' || this.#stop.signal.aborted || ending(error)) throw error;
      this.#parts.listener.onError?.(error);
      // A server that is back is not to be polled for long, but to be connected to.
      const [blocked, seconds] = [this.#blocked + 1, this.#blocked < limits.pollAfterFailures ? 0 : limits.pollSeconds];
      this.#blocked = 0;
      const next = await this.#poll(seconds);
      this.#blocked = blocked;
      return next;
    }
    [this.#refused, this.#blocked, this.#toldEmpty] = [false, 0, false];
    await this.#serve(socket);
    return 'after a pause';
  }

  /** A socket that does not open keeps the reason to itself; a ticket that is refused tells it. So the second try has one. */
  async #credential(): Promise<Credential> {
    const { session, environment } = this.#parts;
    if (environment.socketCredential === 'header' && !this.#refused) return { token: await session.accessToken() };
    const call = { method: 'POST', route: '/v1/websocket/ticket', repeatable: true, signal: this.#stop.signal } as const;
    const { body } = await session.call(call);
    return { ticket: new Fields(body, `POST ${call.route}`).string('ticket') };
  }

  async #serve(socket: MessageSocket): Promise<void> {
    const { listener } = this.#parts;
    const signal = AbortSignal.any([this.#stop.signal, socket.ended]);
    const stopped = () => socket.finish();
    this.#stop.signal.addEventListener('abort', stopped, { once: true });
    try {
      listener.onConnected?.();
      // A hint may have been missed while there was no socket.
      this.#topUp();
      for await (const request of socket.requests()) await this.#take(request, socket, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#stop.signal.removeEventListener('abort', stopped);
      await socket.close();
      listener.onDisconnected?.(await socket.closed);
    }
    const code = await socket.closed;
    if (code === REVOKED) throw new SessionEndedError();
    if (code === DISPLACED) throw new DisplacedError();
  }

  async #take(request: ServerRequest, socket: MessageSocket, signal: AbortSignal): Promise<void> {
    const { delivery } = this.#parts;
    switch (request.path) {
      case '/v1/message':
        await delivery.deliver(envelope(request.frame.object('body')), signal);
        socket.confirm(request);
        break;
      case '/v1/message/online':
        await delivery.deliverOnline(envelope(request.frame.object('body')));
        break;
      case '/v1/queue/empty':
        this.#backoff.reset();
        this.#emptied();
        break;
      case '/v1/keys/low':
        this.#topUp();
        break;
      default:
      // A later server may ask for what this version does not know; nothing waits for an answer.
    }
  }

  /** Fetches once, waiting up to `seconds` for a message. */
  async #poll(seconds: number): Promise<'at once' | 'after a pause'> {
    const { session, delivery, environment } = this.#parts;
    const [signal, asked] = [this.#stop.signal, environment.clock.now()];
    const query = { limit: environment.limits.pollMessages, timeout: seconds };
    const { body } = await session.call({ method: 'GET', route: '/v1/messages', query, extraMs: seconds * 1000, signal });
    const page = new Fields(body, 'GET /v1/messages');
    const envelopes = page.objects('messages').map(envelope);
    let last: number | undefined;
    try {
      for (const next of envelopes) {
        await delivery.deliver(next, signal);
        last = next.seq;
      }
    } finally {
      if (last !== undefined) {
        await session.call({ method: 'POST', route: '/v1/messages/ack', body: { ackSeq: last }, repeatable: true });
      }
    }
    const first = !this.#toldEmpty;
    if (first && !page.boolean('more')) this.#emptied();
    // No hint comes by this way.
    if (envelopes.length === 0) this.#topUp();
    const waited = seconds > 0 && environment.clock.now() - asked >= seconds * 500;
    if (envelopes.length === 0 && !first && !waited) return 'after a pause';
    this.#backoff.reset();
    return 'at once';
  }

  #emptied(): void {
    this.#toldEmpty = true;
    this.#caughtUp();
    this.#parts.listener.onQueueEmpty?.();
  }

  #topUp(): void {
    const { preKeys, listener } = this.#parts;
    preKeys.topUp().catch((error: unknown) => listener.onError?.(error));
  }
}

/** What ends the listening, if this error does. */
function ending(error: unknown): SessionEndedError | DisplacedError | undefined {
  if (error instanceof SessionEndedError || error instanceof DisplacedError) return error;
  const gone = error instanceof ProblemError && ['device-required', 'mailbox-not-found', 'device-not-found'].includes(error.slug);
  return gone ? new SessionEndedError({ cause: error }) : undefined;
}
