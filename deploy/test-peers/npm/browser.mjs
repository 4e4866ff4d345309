// A headless Chromium whose pages are watched: whatever they complain about, and whatever they ask of other hosts, is
// printed as one line of JSON.
import { chromium } from "playwright-core";

export const say = (event, more) => console.log(JSON.stringify({ event, ...more }));

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

/** Opens an empty page. `hosts` are those that it may ask. */
export async function open(hosts, options = {}) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => message.type() === "error" && say("complaint", { text: message.text() }));
  page.on("pageerror", (error) => say("complaint", { text: String(error) }));
  page.on("dialog", (dialog) => {
    say("complaint", { text: `a dialog: ${dialog.message()}` });
    dialog.dismiss();
  });
  const asked = (url) => hosts.includes(new URL(url).host) || say("stranger", { url });
  page.on("request", (request) => asked(request.url()));
  page.on("websocket", (socket) => asked(socket.url()));
  return page;
}

/** Ends, with what went wrong if something did. */
export async function finish(work) {
  try {
    await work;
    say("done");
  } catch (error) {
    say("failed", { error: error.stack });
  }
  await browser.close();
}
