// A back-end that publishes, and a client of it that listens to an event stream (proto/notify.md).
import { within } from './people.mjs';

export class Backend {
  constructor(servers, key) {
    this.servers = servers;
    this.headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  }

  /** Gives a token that opens a channel. */
  async token(channel) {
    return (await this.call('/v1/notify/tokens', { channel })).token;
  }

  async publish(channel, data) {
    await this.call('/v1/notify/messages', { channel, data });
  }

  async call(path, body) {
    const answer = await fetch(this.servers.at(path), { method: 'POST', headers: this.headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}

export class Listener {
  constructor(servers, token) {
    this.url = servers.at('/v1/notify/sse');
    this.headers = { Authorization: `Bearer ${token}` };
  }

  /** Opens the stream where it was left; gives what the server says to that. */
  async connect() {
    this.cutting = new AbortController();
    const answer = await fetch(this.url, { headers: this.headers, signal: this.cutting.signal });
    if (!answer.ok) throw new Error(`GET ${this.url}: ${answer.status} ${await answer.text()}`);
    this.events = read(answer.body.pipeThrough(new TextDecoderStream()));
    return this.next();
  }

  /** Gives the next event. */
  async next() {
    const { value } = await within(20_000, 'an event', (resolve, reject) => this.events.next().then(resolve, reject));
    this.headers['Last-Event-ID'] = value.id;
    return value.data;
  }

  /** Loses the connection. */
  cut() {
    this.cutting.abort();
  }
}

/** Reads events of a stream; all of ours have an id and data in JSON. */
async function* read(chunks) {
  let text = '';
  for await (const chunk of chunks) {
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop();
    for (const block of blocks.filter((block) => !block.startsWith(':'))) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)));
      yield { id: fields.id, data: JSON.parse(fields.data) };
    }
  }
}
