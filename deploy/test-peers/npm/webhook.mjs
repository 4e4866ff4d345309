// A back-end that takes webhooks, on standardwebhooks, the reference library: node webhook.mjs '{"port":8082,"secret":"whsec_..."}'.
//
// Settings: port; secret: what signatures are checked with; answers: statuses given in their order, then 204.
// GET / tells what has come, in order: [{status, id, event}], or with `fault` in place of the event: what was wrong, which
// is answered 401. Prints one line of JSON for each webhook, and when it can be used.
import http from 'node:http';
import { Webhook } from 'standardwebhooks';

const settings = { port: 0, answers: [], ...JSON.parse(process.argv[2]) };
const webhook = new Webhook(settings.secret);
const answers = [...settings.answers];
const received = [];

const say = (event) => console.log(JSON.stringify(event));

function take(headers, body) {
  const id = headers['webhook-id'];
  try {
    // Throws, too, when the timestamp is more than five minutes away.
    return { status: answers.shift() ?? 204, id, event: webhook.verify(body, headers) };
  } catch (error) {
    return { status: 401, id, fault: error.message };
  }
}

const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  if (request.method === 'GET') {
    response.writeHead(200).end(JSON.stringify(received));
    return;
  }
  const taken = take(request.headers, Buffer.concat(chunks).toString('utf8'));
  received.push(taken);
  say({ event: 'webhook', id: taken.id, status: taken.status });
  response.writeHead(taken.status).end();
});

server.listen(settings.port, '127.0.0.1', () => say({ event: 'ready', url: `http://127.0.0.1:${server.address().port}` }));
