// Uses the page where channels of notify can be tried out, as people do: node page.mjs '{"url":...,"key":...}'.
//
// Task: url; key: an API key; history: how many notifications a channel keeps. Prints, for each door, one line of JSON for
// each step, with the state and the log that the page shows then.
import { finish, open, say } from "./browser.mjs";

const { url, key, history } = JSON.parse(process.argv[2]);
// What the page waits then, in milliseconds.
const AWAY = 3000;
const INJECTION = '<img src="x" onerror="alert(1)">';

async function publish(channel, data) {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const answer = await fetch(`${url}/v1/notify/messages`, { method: "POST", headers, body: JSON.stringify({ channel, data }) });
  if (!answer.ok) throw new Error(await answer.text());
}

async function tryOut(label, options) {
  const page = await open([new URL(url).host], options);
  // Until when it stays away after a cut is said here, however long it takes to publish something.
  await page.addInitScript((away) => {
    const { setTimeout } = window;
    window.setTimeout = (act, wait) => {
      if (wait !== away) return setTimeout(act, wait);
      window.comeBack = act;
    };
  }, AWAY);
  const comeBack = () => page.evaluate(() => window.comeBack());
  await page.goto(`${url}/v1/notify/page`);
  const channel = `for ${label}`;
  const state = (state) => page.locator(`#state[data-state="${state}"]`).waitFor();
  const entry = (kind, nth = 0) => page.locator(`#log .${kind}`).nth(nth).waitFor();
  const step = async (name) => {
    const log = await page.locator("#log li").evaluateAll((items) =>
      items.map((item) => [item.className, item.querySelector(".offset")?.textContent, item.querySelector(".data").textContent]));
    say(name, { door: label, state: await page.locator("#state").textContent(), log });
  };

  // Everything is found by its label, and done by keyboard.
  await page.getByLabel("API key").fill(key);
  await page.getByLabel("Channel", { exact: true }).fill(channel);
  await page.getByLabel("Member").fill("somebody");
  await page.getByRole("button", { name: "Make a token" }).press("Enter");
  await page.getByText("made a token").waitFor();
  await page.getByLabel(label).check();
  await page.getByLabel("Token of a channel").press("Enter");
  await state("on");
  await page.locator("#present", { hasText: /^1$/ }).waitFor();
  await step("joined");

  await page.getByRole("textbox", { name: "Notification" }).fill(INJECTION);
  await page.getByRole("button", { name: "Publish" }).press("Enter");
  await page.locator("#log .data", { hasText: "onerror" }).waitFor();
  await step("shown");

  const cut = page.getByRole("button", { name: "Cut the connection" });
  await cut.press("Enter");
  await state("waiting");
  for (const number of [2, 3]) await publish(channel, number);
  await comeBack();
  await entry("resumed");
  await step("resumed");

  await cut.press("Enter");
  await state("waiting");
  for (let number = 0; number <= history; number += 1) await publish(channel, number);
  await comeBack();
  await entry("lost");
  await publish(channel, "goes on");
  await page.locator("#log .data", { hasText: "goes on" }).waitFor();
  await step("overflown");

  await page.getByRole("button", { name: "Disconnect" }).press("Enter");
  await page.getByLabel("Token of a channel").fill("none of ours");
  await page.getByLabel("Token of a channel").press("Enter");
  await state("refused");
  await step("refused");
  const { wider, images, scripts } = await page.evaluate(() => ({
    wider: document.documentElement.scrollWidth - innerWidth,
    images: document.querySelectorAll("main img").length,
    scripts: document.scripts.length,
  }));
  say("left", { door: label, wider, images, scripts });
}

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, colorScheme: "dark" };
await finish(Promise.all([tryOut("Websocket"), tryOut("Event stream"), tryOut("Socket.IO", phone)]));
