/**
 * The websocket on which a new device waits for its envelope (`proto/provisioning.md`).
 */
import { within } from './clock.js';
import { LinkExpiredError, NoAnswerError } from './errors.js';
import type { Environment } from './options.js';
import { Fields } from './wire.js';

const PATH = '/v1/provisioning/websocket';
const NORMAL = 1000;
const EXPIRED = 4408;

/** What a new device hears while it waits. */
export interface LinkFrames {
  /** There is an address: show the code. */
  readonly onAddress: (address: string, fingerprint: string) => void;
  /** The code was read. */
  readonly onScanned: () => void;
}

/**
 * Waits for an envelope.
 *
 * @throws {LinkExpiredError} nobody wrote in time
 * @throws {NoAnswerError} the server was not reached, or lost
 */
export async function receiveEnvelope(environment: Environment, frames: LinkFrames, signal?: AbortSignal): Promise<Uint8Array> {
  signal?.throwIfAborted();
  const base = environment.route(PATH).replace(/\/$/, '').replace(/^http/, 'ws');
  const socket = new environment.WebSocket(base + PATH, []);
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      const lost = (cause?: unknown) => reject(new NoAnswerError(`GET ${PATH}`, cause));
      const opened = new Promise<void>((open) => (socket.onopen = open));
      within(environment.clock, environment.limits.connectTimeoutMs, signal, () => opened).catch(lost);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      socket.onerror = lost;
      socket.onclose = ({ code }) => (code === EXPIRED ? reject(new LinkExpiredError()) : lost(new Error(`closed with ${code}`)));
      socket.onmessage = ({ data }) => {
        try {
          const frame = new Fields(typeof data === 'string' ? JSON.parse(data) : undefined, 'provisioning frame');
          const type = frame.string('type');
          if (type === 'address') frames.onAddress(frame.string('address'), frame.string('serverKeyFingerprint'));
          else if (type === 'scanned') frames.onScanned();
          else if (type === 'envelope') resolve(frame.bytes('body'));
        } catch (error) {
          reject(error);
        }
      };
    });
  } finally {
    socket.onclose = socket.onerror = socket.onmessage = null;
    socket.close(NORMAL);
  }
}
