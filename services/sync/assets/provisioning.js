/**
 * The page of a new device: shows a QR code, and gives the app what the other device has written.
 *
 * Comes in: the app's public key, behind the `#` of this page's address (`#key=…`). Goes out: an envelope that only the app
 * can read. What must hold: the page knows no secret, and asks nobody but the server it came from.
 */
import { draw, handed, part, Screen, socketUrl } from './code.js';

/** X25519, 32 bytes in base64url without padding. */
const KEY = /^[A-Za-z0-9_-]{43}$/;
const EXPIRED = 4408;

const key = handed.get('key') ?? '';
const screen = new Screen({
  connecting: { text: 'Connecting …' },
  waiting: { text: 'Scan this code with the app on your other device.', shows: ['code', 'here'], counts: true },
  scanned: { text: 'The code was read. Now approve this device on the other one.', shows: ['code'], counts: true },
  done: { text: 'Done. Go back to your app.', shows: ['result'] },
  expired: { text: 'The code has expired.', shows: ['again'] },
  lost: { text: 'The connection was lost.', shows: ['again'] },
  unusable: { text: 'Open this page from your app: it adds its key to the address.' },
});

/** The text of the code, as `proto/provisioning.md` has it. */
function linkText({ address, serverKeyFingerprint }) {
  const query = new URLSearchParams({ address, key, server: location.origin });
  return `sealpost://link?${query}#fp=${serverKeyFingerprint}`;
}

/** What each frame of the server leads to. */
const frames = {
  async address(frame) {
    const text = linkText(frame);
    part('open').href = text;
    await draw(text);
    // It may have been read by then, from an app that was opened by the link.
    if (screen.state !== 'connecting') return;
    screen.show('waiting');
    screen.count(frame.expiresIn);
  },
  scanned: () => screen.show('scanned'),
  envelope({ body }) {
    part('envelope').value = body;
    screen.show('done');
  },
};

function connect() {
  screen.show('connecting');
  const socket = new WebSocket(socketUrl('websocket'));
  socket.onmessage = async ({ data }) => {
    const frame = JSON.parse(data);
    try {
      await frames[frame.type]?.(frame);
    } catch {
      // Without a picture there is nothing to wait for.
      socket.close();
    }
  };
  socket.onclose = ({ code }) => {
    if (screen.state !== 'done') screen.show(code === EXPIRED ? 'expired' : 'lost');
  };
}

part('again').onclick = connect;
part('copy').onclick = async () => {
  const field = part('envelope');
  field.select();
  // Without a secure context there is no clipboard; the text is selected, and can be copied by hand.
  await navigator.clipboard?.writeText(field.value);
};

if (KEY.test(key)) connect();
else screen.show('unusable');
