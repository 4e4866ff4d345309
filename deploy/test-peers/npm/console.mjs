// Uses the console as an operator does: node console.mjs '{"url":...,"token":...,"client":...,"correl":...,"account":...}'.
//
// Task: url of the internal listener; token: the admin token; client and correl: of a message that ended; account: the name
// of one. Prints one line of JSON for each step, with what the page shows then.
import { finish, open, say } from "./browser.mjs";

const { url, token, client, correl, account } = JSON.parse(process.argv[2]);

async function use(screen, options) {
  const page = await open([new URL(url).host], options);
  const texts = (selector) => page.locator(selector).allInnerTexts();
  await page.goto(`${url}/`);
  await page.getByRole("link", { name: "Console" }).click();

  await page.locator('#state[data-state="good"]', { hasText: "ready" }).waitFor();
  // Rates are there from the second look on.
  await page.locator("figure polyline[points*=' ']").first().waitFor({ state: "attached" });
  say("watched", { screen, checks: await texts("#checks tbody tr"), plots: await texts("figcaption"), binds: await texts("#binds tbody tr") });

  await page.getByLabel("Admin token").fill("none of ours");
  await page.getByLabel("Admin token").press("Enter");
  await page.getByText("It is not taken").waitFor();
  await page.getByLabel("Admin token").fill(token);
  await page.getByLabel("Admin token").press("Enter");
  await page.getByText("The token is right").waitFor();

  const ask = async (query) => {
    await page.getByLabel("Account or SMS").fill(query);
    await page.getByLabel("Account or SMS").press("Enter");
  };
  const lookUp = async (query) => {
    await ask(query);
    await page.locator("#found:not([aria-busy])").waitFor();
  };
  await lookUp(`${client}:${correl}`);
  say("found", { screen, rows: await texts("#found tbody tr") });

  await lookUp(account.slice(0, 3));
  await page.getByRole("button", { name: account }).press("Enter");
  await page.getByLabel("Reason").fill("sells what is not hers");
  say("account", { screen, facts: await texts("#found dd"), rows: await texts("#found tbody tr") });
  await page.getByLabel("Reason").press("Enter");
  await page.getByText("sells what is not hers").waitFor();
  say("blocked", { screen, facts: await texts("#found dd") });
  await lookUp(account);
  await page.getByRole("button", { name: "Let it in again" }).press("Enter");
  await page.getByLabel("Reason").waitFor();
  say("unblocked", { screen, facts: await texts("#found dd") });

  // The answer to an older question comes after that to a newer one.
  const opened = Promise.withResolvers();
  await page.route("**/attempts?*", (route) => opened.promise.then(() => route.continue()));
  const late = page.waitForResponse("**/attempts?*");
  await ask(`${client}:${correl}`);
  await lookUp(account);
  opened.resolve();
  await (await late).finished();
  await page.evaluate(() => new Promise(requestAnimationFrame));
  say("newest", { screen, facts: await texts("#found dd") });

  await page.getByRole("button", { name: "pause" }).focus();
  for (const _ of ["one look", "another"]) await (await page.waitForResponse("**/binds")).finished();
  await page.evaluate(() => new Promise(requestAnimationFrame));
  say("focused", { screen, text: await page.evaluate(() => document.activeElement.innerText) });
  await page.getByRole("button", { name: "pause" }).press("Enter");
  await page.getByText("is paused from now on").waitFor();
  say("paused", { screen, binds: await texts("#binds tbody tr") });
  await page.getByRole("button", { name: "resume" }).press("Enter");
  await page.getByText("is open from now on").waitFor();
  await page.getByRole("button", { name: "Read keys and certificates again" }).press("Enter");
  await page.getByText("Needs a restart").waitFor();
  say("reloaded", { screen, rows: await texts("#found tbody tr") });
  await page.getByRole("button", { name: "Audit log" }).press("Enter");
  await page.getByText("the chain is whole").waitFor();
  say("audit", { screen, rows: await texts("#found tbody tr") });

  const { wider, kept } = await page.evaluate(() => ({
    wider: document.documentElement.scrollWidth - innerWidth,
    kept: localStorage.length + sessionStorage.length + document.cookie.length,
  }));
  say("left", { screen, wider, kept });
}

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, colorScheme: "dark" };
await finish(use("wide").then(() => use("phone", phone)));
