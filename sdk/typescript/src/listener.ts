/**
 * What an application hears while a device receives.
 *
 * What must hold: a fault in a callback that only learns of something neither ends the receiving nor holds up a message.
 */
import type { IdentityChangedError } from './errors.js';
import type { Message } from './inbox.js';
import type { Envelope } from './wire.js';

/**
 * The application's side. Handlers may be asynchronous; what they throw is told below for each. What the others throw is
 * told to `onError`, and what that throws to the platform: by `reportError`, or on the console where there is none (Node).
 */
export interface Listener {
  /** Takes a message. The server deletes it once this has resolved; if it rejects, it is called again after a pause. */
  onMessage(message: Message): void | Promise<void>;
  /** Takes a message for connected devices only: it comes once or not at all. */
  onOnlineMessage?(message: Message): void | Promise<void>;
  /**
   * Learns of each decryption that failed. The envelope is deleted once this has resolved; if it rejects, all is tried again
   * after a pause: for the application to decide when `error` is no `UndecryptableError`, and may pass (a full disk).
   *
   * Without this, an envelope is deleted only when it will never open, or after `decryptAttempts`; `onError` is told.
   */
  onUndecryptable?(envelope: Envelope, error: unknown): void | Promise<void>;
  /** Learns that an account writes under another identity key; its messages are delivered, and none are sent to it. */
  onIdentityChanged?(change: IdentityChangedError): void;
  /** Learns that everything which waited when this connection opened has been handled. */
  onQueueEmpty?(): void;
  /** Learns that a websocket is open. */
  onConnected?(): void;
  /** Learns that it is not any more, and by which close code; another is opened unless the listening has ended. */
  onDisconnected?(code: number): void;
  /** Learns of a failure that the library goes on from by itself. An `UndecryptableError` tells that an envelope is lost. */
  onError?(error: unknown): void;
}

/** The listener as this library calls it: only its handlers of messages throw, for the delivery to go by. */
export function guarded(listener: Listener): Listener {
  const onError = (error: unknown) => void attempt(() => listener.onError?.(error), report);
  const tell = (call: () => void) => void attempt(call, onError);
  const guard: Listener = {
    onMessage: (message) => listener.onMessage(message),
    onOnlineMessage: (message) => listener.onOnlineMessage?.(message),
    onIdentityChanged: (change) => tell(() => listener.onIdentityChanged?.(change)),
    onQueueEmpty: () => tell(() => listener.onQueueEmpty?.()),
    onConnected: () => tell(() => listener.onConnected?.()),
    onDisconnected: (code) => tell(() => listener.onDisconnected?.(code)),
    onError,
  };
  // A listener without it leaves the decision to the library.
  if (listener.onUndecryptable) guard.onUndecryptable = listener.onUndecryptable.bind(listener);
  return guard;
}

/** Calls at once. A callback may be an async function, though nothing waits for it: its rejection counts as well. */
async function attempt(call: () => unknown, failed: (error: unknown) => void): Promise<void> {
  try {
    await call();
  } catch (error) {
    failed(error);
  }
}

/** Makes a bug visible without ending a process. */
function report(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (reportError) reportError(error);
  else console.error(error);
}
