/**
 * Client of a Sealpost server: accounts, devices, and end-to-end-encrypted messages.
 *
 * Comes in: an implementation of the Signal protocol ({@link Cipher}) and, for what has to outlive the process, stores. Goes
 * out: messages to all devices of an account, and those of others in their order, each once. The server sees ciphertext.
 */
export { Account, type DeviceOptions } from './account.js';
export { Backoff, type BackoffLimits } from './backoff.js';
export { fromBase64, sameBytes, toBase64 } from './base64.js';
export type { Cipher, Ciphertext, CipherSession, Decrypted, NewKeys, WantedKeys } from './cipher.js';
export { systemClock, type Clock } from './clock.js';
export { Device, type DeviceStores } from './device.js';
export {
  ContractError,
  DevicesUnsettledError,
  DisplacedError,
  IdentityChangedError,
  LinkCodeError,
  LinkExpiredError,
  NoAnswerError,
  ProblemError,
  SealpostError,
  SessionEndedError,
  TotpRequiredError,
  UndecryptableError,
  type FieldFault,
} from './errors.js';
export { MemoryIdentityStore, type IdentityStore } from './identities.js';
export { MemoryInbox, type Inbox, type InboxEntry, type Message } from './inbox.js';
export type { ApproveOptions } from './link-approval.js';
export { LinkRequest, type CompleteOptions, type LinkedDevice, type WaitOptions } from './link-request.js';
export type { Listener } from './listener.js';
export type { Listening } from './listening.js';
export {
  DEFAULT_LIMITS,
  type Limits,
  type Options,
  type Socket,
  type SocketConstructor,
  type SocketCredential,
  type Transport,
} from './options.js';
export { Sealpost, type Credentials, type LinkOptions, type NewAccount } from './sealpost.js';
export type { SendOptions, SendReceipt } from './sending.js';
export { MemoryTokenStore, type TokenStore, type Tokens } from './tokens.js';
export type { Address, DeviceBundle, DeviceInfo, Envelope, KeyCounts, PreKey, SignedPreKey } from './wire.js';
