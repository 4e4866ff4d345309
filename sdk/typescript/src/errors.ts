/**
 * What can go wrong, by what an application can do about it. No message, name or enumerable member of these holds a
 * password, token, ticket, code or message: they can be logged as they are.
 */

/** The base of every error that this library makes itself. */
export class SealpostError extends Error {
  override name = 'SealpostError';
}

/** One fault of a request that the server refused as invalid (RFC 6901 pointer and a text for people). */
export interface FieldFault {
  readonly pointer: string;
  readonly detail: string;
}

/** The server refused: its answer, a problem of RFC 9457 §3.1. Compare `slug` and nothing else. */
export class ProblemError extends SealpostError {
  override name = 'ProblemError';

  /** `call` is method and route, without values: account ids and names are not for every log. */
  constructor(
    readonly call: string,
    /** The HTTP status. */
    readonly status: number,
    /** `type` without `urn:problem:`; stable. Empty when the answer was no problem, from a proxy for instance. */
    readonly slug: string,
    /** The faults of an invalid request. */
    readonly faults: readonly FieldFault[] = [],
    /** Members of this kind of problem, such as `fullDevices`. */
    readonly members: Readonly<Record<string, unknown>> = {},
    /** When the server wants to be asked again, in milliseconds from its answer. */
    readonly retryAfterMs?: number,
    /** The request's id, to be quoted in a report to the server's operator. */
    readonly instance?: string,
  ) {
    super(`${call} was answered ${status}${slug && ` ${slug}`}`);
  }
}

/** There was no answer: the server cannot be reached, or took too long. The request may or may not have been done. */
export class NoAnswerError extends SealpostError {
  override name = 'NoAnswerError';

  constructor(call: string, cause: unknown) {
    super(`${call} got no answer`, { cause });
  }
}

/** The server said something that its interface does not allow; `place` tells where. */
export class ContractError extends SealpostError {
  override name = 'ContractError';

  constructor(readonly place: string) {
    super(`the server's answer is not what its interface says: ${place}`);
  }
}

/** The password was right, and the account has a second factor: ask its owner, then {@link complete}. */
export class TotpRequiredError<T = unknown> extends SealpostError {
  override name = 'TotpRequiredError';
  readonly #complete: (code: string) => Promise<T>;

  constructor(complete: (code: string) => Promise<T>) {
    super('a code of the second factor is needed');
    this.#complete = complete;
  }

  /** Completes the login with a code or a recovery code. After a wrong one (`wrong-code`) it may be called again. */
  complete(code: string): Promise<T> {
    return this.#complete(code);
  }
}

/** The session, its device or its account is no longer there: the owner has to log in again. */
export class SessionEndedError extends SealpostError {
  override name = 'SessionEndedError';

  constructor(options?: ErrorOptions) {
    super('the session has ended; log in again', options);
  }
}

/** The same device is connected elsewhere. To reconnect would cut that one off, and so on for ever. */
export class DisplacedError extends SealpostError {
  override name = 'DisplacedError';

  constructor() {
    super('this device connected elsewhere');
  }
}

/**
 * An account shows another identity key than the pinned one: it was set up anew, or somebody is between. Nothing is sent
 * to it until the application accepts that very key (`Device.acceptIdentity`).
 */
export class IdentityChangedError extends SealpostError {
  override name = 'IdentityChangedError';

  constructor(
    readonly accountId: string,
    /** The key that is shown now; public. */
    readonly identityKey: Uint8Array,
  ) {
    super('the identity key of the recipient has changed');
  }
}

/** The recipient's devices changed again in each round of a send. Nothing was sent; try later. */
export class DevicesUnsettledError extends SealpostError {
  override name = 'DevicesUnsettledError';

  constructor(readonly rounds: number) {
    super(`the recipient's devices were others in each of ${rounds} rounds`);
  }
}

/**
 * A ciphertext will never open, however often it is tried. A `Cipher` throws it from `decrypt`, with its own error as
 * `cause`; the library, when it has given an envelope up.
 */
export class UndecryptableError extends SealpostError {
  override name = 'UndecryptableError';
}

/** A code or an envelope for linking cannot be used: it is broken, or meant for somebody else. */
export class LinkCodeError extends SealpostError {
  override name = 'LinkCodeError';
}

/** The code for linking has expired, was used, or the new device has gone: show a fresh one. */
export class LinkExpiredError extends SealpostError {
  override name = 'LinkExpiredError';

  constructor(options?: ErrorOptions) {
    super('the code for linking works no more', options);
  }
}
