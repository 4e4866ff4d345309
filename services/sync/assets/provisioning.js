/**
 * The page of a new device: shows a QR code, and gives the app what the other device has written.
 *
 * Comes in: the app's public key, behind the `#` of this page's address (`#key=…`). Goes out: an envelope that only the app
 * can read. What must hold: the page knows no secret, and asks nobody but the server it came from.
 */

/** X25519, 32 bytes in base64url without padding. */
const KEY = /^[A-Za-z0-9_-]{43}$/;
const NORMAL = 1000;
const EXPIRED = 4408;

const part = (id) => document.getElementById(id);
const main = document.querySelector('main');
const key = new URLSearchParams(location.hash.slice(1)).get('key') ?? '';
let countdown;

/** What the page says in each state, and what it offers. */
const STATES = {
  connecting: { text: 'Connecting …' },
  waiting: { text: 'Scan this code with the app on your other device.', shows: ['code', 'here'] },
  scanned: { text: 'The code was read. Now approve this device on the other one.', shows: ['code'] },
  done: { text: 'Done. Go back to your app.', shows: ['result'] },
  expired: { text: 'The code has expired.', shows: ['again'] },
  lost: { text: 'The connection was lost.', shows: ['again'] },
  unusable: { text: 'Open this page from your app: it adds its key to the address.' },
};

function show(state) {
  const { text, shows = [] } = STATES[state];
  main.dataset.state = state;
  part('status').textContent = text;
  for (const id of ['code', 'here', 'result', 'again']) part(id).hidden = !shows.includes(id);
  if (state !== 'waiting' && state !== 'scanned') {
    clearInterval(countdown);
    part('time').textContent = '';
  }
  if (state === 'expired' || state === 'lost') part('again').focus();
}

/** Counts down what is left of the address. */
function count(seconds) {
  const end = performance.now() + seconds * 1000;
  const tell = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    part('time').textContent = `${left} s left`;
  };
  clearInterval(countdown);
  countdown = setInterval(tell, 1000);
  tell();
}

/** The text of the code, as `proto/provisioning.md` has it. */
function linkText({ address, serverKeyFingerprint }) {
  const query = new URLSearchParams({ address, key, server: location.origin });
  return `sealpost://link?${query}#fp=${serverKeyFingerprint}`;
}

/** Has the server draw a code. */
async function picture(text) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch('qr', { method: 'POST', headers, body: JSON.stringify({ text }) });
  if (!answer.ok) throw new Error(`no picture: ${answer.status}`);
  return `data:image/svg+xml;base64,${btoa(await answer.text())}`;
}

function connect() {
  show('connecting');
  const url = new URL('websocket', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  const socket = new WebSocket(url);
  const frames = {
    async address(frame) {
      const text = linkText(frame);
      part('open').href = text;
      part('code').src = await picture(text);
      // It may have been read by then, from an app that was opened by the link.
      if (main.dataset.state !== 'connecting') return;
      count(frame.expiresIn);
      show('waiting');
    },
    scanned: () => show('scanned'),
    envelope({ body }) {
      part('envelope').value = body;
      show('done');
    },
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    // Without a picture there is nothing to wait for.
    Promise.resolve(frames[frame.type]?.(frame)).catch(() => socket.close());
  };
  socket.onclose = ({ code }) => {
    if (main.dataset.state === 'done') return;
    show(code === EXPIRED || code === NORMAL ? 'expired' : 'lost');
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
else show('unusable');
