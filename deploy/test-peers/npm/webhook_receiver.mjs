// A receiver of webhooks that verifies them with the reference library of Standard Webhooks. Its arguments are the secrets
// that it knows; a request is genuine if one of them says so. It prints one line when it is ready, { "port" }, and answers
//
//   POST /hook…       as /answer last said, 204 by default
//   GET  /received    everything that came: { "path", "id", "status", "genuine", "traceparent"?, "body" }
//   POST /answer      body { "statuses": [429, 0, …], "always"?, "retryAfter"?, "delay"? }: what to answer next, one after
//                     the other, then always; 0 resets the connection, -1 says nothing until the other side gives up,
//                     -2 until the next /answer ends it; each after so many milliseconds
import { createServer } from "node:http";
import { json, text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

const known = process.argv.slice(2).map((secret) => new Webhook(secret));
const received = [];
const silent = new Set();
let answers = { statuses: [] };

function isGenuine(body, headers) {
  return known.some((webhook) => {
    try {
      webhook.verify(body, headers);
      return true;
    } catch {
      return false;
    }
  });
}

const server = createServer(async (request, response) => {
  if (request.url === "/received") return response.end(JSON.stringify(received));
  if (request.url === "/answer") {
    answers = await json(request);
    for (const socket of silent) socket.destroy();
    silent.clear();
    return response.end();
  }
  const body = await text(request);
  const status = answers.statuses.shift() ?? answers.always ?? 204;
  const genuine = isGenuine(body, request.headers);
  const { "webhook-id": id, traceparent } = request.headers;
  received.push({ path: request.url, id, status, genuine, traceparent, body: JSON.parse(body) });
  if (answers.delay) await new Promise((done) => setTimeout(done, answers.delay));
  if (status === 0) return request.socket.resetAndDestroy();
  if (status === -1) return;
  if (status === -2) return silent.add(request.socket);
  const headers = answers.retryAfter !== undefined && status >= 400 ? { "Retry-After": String(answers.retryAfter) } : {};
  response.writeHead(status, headers).end();
});

// Else a connection is ended whose next request is on its way, if this process stalls.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
