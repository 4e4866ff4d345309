/**
 * Base64 (RFC 4648 §4) with what every platform has: the standard alphabet, padded on the way out; padded or not, and in
 * the URL-safe alphabet too, on the way in (the rule of the server's interface).
 */

/** Bytes given to `String.fromCharCode` at once: engines limit the number of arguments. */
const CHUNK = 0x2000;

/** Gives bytes as text. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

/** Gives bytes as text that needs no escapes in a URL, without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Gives the bytes of a text, or nothing if it is not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Tells whether two sequences of bytes are the same. For public values: it takes no care of timing. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
