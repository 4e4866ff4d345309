// Opens a page as a team would serve it, from an origin of its own: node snippet.mjs '{"html":...,"port":...,"api":...}'.
//
// Task: html, port: what is served where, with the bundle of socket.io-client beside it; api: the address that the page may
// ask; waitFor: the text in #log that is waited for. Prints `open`, then `shown` with the text of #log.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { finish, open, say } from "./browser.mjs";

const { html, port, api, waitFor } = JSON.parse(process.argv[2]);
const bundle = await readFile(new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url));
const pages = {
  "/": ["text/html", `<!doctype html><link rel="icon" href="data:,"><body>${html}</body>`],
  "/socket.io.min.js": ["text/javascript", bundle],
};
const server = createServer(({ url }, answer) => {
  const [type, body] = pages[url] ?? ["text/plain", `nothing at ${url}`];
  answer.writeHead(url in pages ? 200 : 404, { "Content-Type": type }).end(body);
});
await new Promise((listening) => server.listen(port, "127.0.0.1", listening));

async function show() {
  const page = await open([`127.0.0.1:${port}`, new URL(api).host]);
  await page.goto(`http://127.0.0.1:${port}/`);
  say("open");
  await page.locator("#log", { hasText: waitFor }).waitFor();
  say("shown", { text: await page.locator("#log").textContent() });
}

await finish(show());
server.close();
