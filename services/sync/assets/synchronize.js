/**
 * The page of an app that synchronizes: shows a session's QR codes, one after the other, and how it goes.
 *
 * Comes in, behind the `#` of this page's address: the session that whoever is logged in has started (`#init=` and the URL
 * of its websocket), or, where anybody may start one, `#user=` and the user's id. What must hold: the page asks nobody but
 * the server it came from.
 */
import { draw, handed, part, Screen, socketUrl } from '/v1/provisioning/code.js';

const PAUSED = '201- pause';
const ACKNOWLEDGED = '200- ack';

const screen = new Screen({
  connecting: { text: 'Connecting …' },
  waiting: { text: 'Scan this code with your app. It changes now and then.', shows: ['code', 'here'] },
  scanned: { text: 'The code was read. Now enter your password in the app.', shows: ['code'] },
  done: { text: 'Done. Your app is synchronized.' },
  expired: { text: 'The session is over.', shows: ['again'] },
  lost: { text: 'The connection was lost.', shows: ['again'] },
  unusable: { text: 'Open this page from where you are logged in: it adds your session to the address.' },
});

/** The websocket of the session, which is started if it has to be; nothing where a login is needed for that. */
async function session() {
  const init = handed.get('init');
  if (init) return socketUrl(init);
  const answer = await fetch(`users/${encodeURIComponent(handed.get('user') ?? '')}`);
  return answer.ok ? socketUrl(await answer.text()) : undefined;
}

/** What each frame of the server leads to. */
async function hear(text) {
  if (text === PAUSED) return screen.show('scanned');
  if (text === ACKNOWLEDGED) return screen.show('done');
  const { qr_url: code, mobile_url: here, server_key_fingerprint: fingerprint } = JSON.parse(text);
  part('open').href = `${here}#fp=${fingerprint}`;
  await draw(`${code}#fp=${fingerprint}`);
  // The one before may have been read by then.
  if (screen.state === 'connecting') screen.show('waiting');
}

async function connect() {
  screen.show('connecting');
  const url = await session().catch(() => undefined);
  if (!url) return screen.show('unusable');
  url.searchParams.set('format', 'json');
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => hear(data).catch(() => socket.close());
  socket.onclose = ({ code }) => {
    if (screen.state !== 'done') screen.show(code === 1000 ? 'expired' : 'lost');
  };
}

part('again').onclick = connect;
connect();
