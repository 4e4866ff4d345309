/**
 * What the pages of QR codes share: their states, the picture, the time that is left.
 */

const main = document.querySelector('main');

/** Gives an element of the page. */
export const part = (id) => document.getElementById(id);

/** What was handed to the page behind the `#` of its address, which no server sees. */
export const handed = new URLSearchParams(location.hash.slice(1));

/** Gives the address of a websocket, of a path relative to the page's or of a whole URL. */
export function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  return url;
}

/** Has the server draw a code, and shows it. */
export async function draw(text) {
  const headers = { 'Content-Type': 'application/json' };
  const url = new URL('qr', import.meta.url);
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ text }) });
  if (!answer.ok) throw new Error(`no picture: ${answer.status}`);
  part('code').src = `data:image/svg+xml;base64,${btoa(await answer.text())}`;
}

/** The states of a page: what it says in each, and which elements it shows. */
export class Screen {
  #states;
  #elements;
  #countdown;

  constructor(states) {
    this.#states = states;
    this.#elements = new Set(Object.values(states).flatMap(({ shows = [] }) => shows));
  }

  get state() {
    return main.dataset.state;
  }

  show(state) {
    const { text, shows = [], counts = false } = this.#states[state];
    main.dataset.state = state;
    part('status').textContent = text;
    for (const id of this.#elements) part(id).hidden = !shows.includes(id);
    if (!counts) {
      clearInterval(this.#countdown);
      part('time').textContent = '';
    }
    // Whoever has no pointer goes on from here.
    if (shows.includes('again')) part('again').focus();
  }

  /** Counts down, as long as the state is one that counts. */
  count(seconds) {
    const end = performance.now() + seconds * 1000;
    const tell = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      part('time').textContent = `${left} s left`;
    };
    clearInterval(this.#countdown);
    this.#countdown = setInterval(tell, 1000);
    tell();
  }
}
