/**
 * What a QR code for linking says, and what goes back (`proto/provisioning.md`): the same for apps of different makers.
 */
import { fromBase64, toBase64, toBase64Url } from './base64.js';
import { LinkCodeError } from './errors.js';
import { open, seal, type KeyPair } from './hpke.js';

const SCHEME = 'sealpost:';
const PLACE = 'link';
const KEY_BYTES = 32;
const ADDRESS = /^[A-Za-z0-9_-]{43}$/;
const INFO = 'sealpost link v1';
const VERSION = 1;

/** What the code says. */
export interface LinkCode {
  /** Where the new device waits at the server. */
  readonly address: string;
  /** Its public key, X25519. */
  readonly publicKey: Uint8Array;
  /** The server that it waits at, as an origin. */
  readonly server: string;
  /** The fingerprint of that server's key, as the new device was told it. */
  readonly fingerprint: string;
}

/** What the old device hands over. */
export interface LinkContent {
  readonly linkToken: string;
  /** The account's identity with its private half, in the form of the cipher. */
  readonly identity: Uint8Array;
  readonly accountId: string;
  readonly server: string;
}

/** Writes a code. */
export function formatLinkCode({ address, publicKey, server, fingerprint }: LinkCode): string {
  const query = new URLSearchParams({ address, key: toBase64Url(publicKey), server });
  return `${SCHEME}//${PLACE}?${query}#fp=${fingerprint}`;
}

/** Reads a code. @throws {LinkCodeError} it is of something else, or broken */
export function parseLinkCode(text: string): LinkCode {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch (error) {
    throw new LinkCodeError('this is no code for linking', { cause: error });
  }
  const publicKey = fromBase64(url.searchParams.get('key') ?? '');
  const address = url.searchParams.get('address') ?? '';
  const server = url.searchParams.get('server') ?? '';
  const wellFormed = url.protocol === SCHEME && url.host === PLACE && ADDRESS.test(address) && URL.canParse(server);
  if (!wellFormed || publicKey?.length !== KEY_BYTES) throw new LinkCodeError('this is no code for linking');
  const fingerprint = new URLSearchParams(url.hash.slice(1)).get('fp') ?? '';
  return { address, publicKey, server: new URL(server).origin, fingerprint };
}

/** Seals the content for whoever shows the code. */
export async function sealLinkContent(publicKey: Uint8Array, content: LinkContent): Promise<Uint8Array> {
  const json = JSON.stringify({ ...content, identity: toBase64(content.identity) });
  const sealed = await seal(publicKey, INFO, new TextEncoder().encode(json));
  return Uint8Array.from([VERSION, ...sealed]);
}

/** Opens an envelope. @throws {LinkCodeError} it is not for this key, or of another version */
export async function openLinkContent(own: KeyPair, envelope: Uint8Array): Promise<LinkContent> {
  if (envelope[0] !== VERSION) throw new LinkCodeError('the envelope is of another version');
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(await open(own, INFO, envelope.slice(1))));
    const { linkToken, identity, accountId, server } = json as Record<string, unknown>;
    const texts = [linkToken, identity, accountId, server];
    const key = typeof identity === 'string' ? fromBase64(identity) : undefined;
    if (!texts.every((text) => typeof text === 'string') || !key) throw new Error('a member is missing');
    return { linkToken, identity: key, accountId, server } as LinkContent;
  } catch (error) {
    throw new LinkCodeError('the envelope is not for this device', { cause: error });
  }
}
