// The console: looks at this process every two seconds, and asks the admin interface when it is told to.

import { showAccount, showAccounts } from "./accounts.js";
import { PLOTS, QUEUES, isFailure } from "./panels.js";
import { History, parse } from "./series.js";
import { showAttempts, showAudit, showReloaded, showUnknown } from "./sms.js";
import { count, element, mark, plot, redraw, row, spark, time } from "./view.js";

const EVERY_MS = 2000;
const LOOKS = 90;
const FAILURES = 200;
const GATEWAY = "/internal/sms-gateway/v1";
const AUTH = "/internal/auth/v1/operators/accounts";
const KEEPERS = ["auth", "keystore", "mailbox", "relay", "sms-gateway"];
const ORDERS = { open: "resume", paused: "pause", drained: "drain" };

const at = (id) => document.getElementById(id);
const history = new History(LOOKS);
let token = "";
let services = [];
let latest = 0;
const binds = { asked: 0, drawn: 0 };

async function look() {
  try {
    const [ready, metrics] = await Promise.all([fetch("/health/ready"), fetch("/metrics")]);
    const report = await ready.json();
    history.add(Date.now(), parse(await metrics.text()));
    say(report.status, report.status === "ready" ? "good" : "bad");
    services = report.checks.map((one) => one.service);
    showChecks(report.checks);
    showQueues();
    showPlots();
    showFailures();
    await showBinds();
  } catch {
    say("does not answer", "bad");
  }
}

function say(words, kind) {
  at("state").textContent = words;
  at("state").dataset.state = kind;
}

function showChecks(checks) {
  const state = (one) => (one.ok ? mark("ok", "good") : mark(one.error ?? "failed", "bad"));
  redraw(body("#checks"), checks.map((one) => row(one.service, one.name, state(one))));
}

function showQueues() {
  const all = QUEUES.flatMap(({ series, words, late }) =>
    history.newest(series).map((one) => ({ one, words, late, values: history.gauge((other) => other.key === one.key) })),
  );
  const shown = all.filter(({ values }) => values.some((value) => value > 0));
  const rows = shown.map(({ one, words, late, values }) => {
    const where = Object.values(one.labels).join(" · ");
    const waits = late && one.value > 0 ? mark(count(one.value), "warn") : count(one.value);
    const name = element("td", {}, words, element("span", { class: "hint" }, ` ${where}`));
    return row(name, element("td", { class: "number" }, waits), spark(values));
  });
  const others = all.length - shown.length;
  const rest = element("td", { colspan: "3", class: "hint" }, rows.length ? `${others} others are empty` : `all ${others} queues are empty`);
  redraw(body("#queues"), [...rows, ...(others ? [row(rest)] : [])]);
  at("unknown-count").textContent = count(history.newest("sealpost_sms_unknown")[0]?.value ?? null);
}

function showPlots() {
  const shown = PLOTS.filter((one) => history.newest(one.needs).length > 0);
  const drawn = shown.map(({ title, lines, write }) =>
    plot(title, lines.map(({ name, bad, of }) => ({ name, bad, values: of(history) })), write),
  );
  at("plots").replaceChildren(...drawn);
}

function showFailures() {
  const list = at("failures");
  for (const one of history.growth(isFailure)) {
    const labels = Object.entries(one.labels).map(([label, value]) => `${label}=${value}`).join(" ");
    const words = element("span", {}, `${one.name} `, element("span", { class: "hint" }, labels));
    list.prepend(element("li", {}, element("time", {}, new Date().toLocaleTimeString("sv")), words, element("b", {}, `+${count(one.grown)}`)));
  }
  while (list.childElementCount > FAILURES) list.lastElementChild.remove();
}

/** The SMSCs, from the series alone until there is a token; not if what was asked for later is shown already. */
async function showBinds() {
  const asked = ++binds.asked;
  const bound = history.newest("sealpost_sms_bound");
  at("binds").hidden = at("sms").hidden = history.newest("sealpost_sms_queued").length === 0;
  if (bound.length === 0) return;
  const views = token ? await ask("GET", "/binds").catch(() => []) : [];
  if (asked < binds.drawn) return;
  binds.drawn = asked;
  const value = (name, smsc) => history.newest(name).find((one) => one.labels.smsc === smsc)?.value ?? null;
  const rows = bound.map(({ labels: { smsc, bind }, value: stands }) => {
    const view = views.find((one) => one.smsc === smsc);
    // Of two binds the receiver is shown for itself; nothing is submitted over it.
    const second = bind === "receiver" && bound.some(({ labels }) => labels.smsc === smsc && labels.bind === "transmitter");
    const shown = second ? view?.receiver : view;
    const state = shown?.state ?? (stands ? "bound" : "not bound");
    const used = view ? `${view.inFlight} of ${view.window}` : count(value("sealpost_sms_window_used", smsc));
    const most = value("sealpost_sms_rate", smsc);
    const words = [mark(state, stands ? "good" : "bad")];
    if (shown?.error) words.push(` ${shown.error}`);
    if (second) return row(`${smsc}, for receipts`, element("td", { colspan: "5" }, ...words));
    if (value("sealpost_sms_paused", smsc)) words.push(" ", mark("throttled", "warn"));
    return row(
      smsc,
      element("td", {}, ...words),
      used,
      element("td", { class: "number" }, most ? `at most ${count(most)}` : "no limit known"),
      element("td", { class: "number" }, `${count(100 * (value("sealpost_sms_health", smsc) ?? 1))} %`),
      element("td", {}, ...(view ? orders(view) : [element("span", { class: "hint" }, "needs the token")])),
    );
  });
  redraw(body("#binds"), rows);
}

function orders(view) {
  const others = Object.entries(ORDERS).filter(([order]) => order !== view.order);
  const buttons = others.map(([order, word]) =>
    element("button", { type: "button", "data-smsc": view.smsc, "data-order": order, click: () => give(view.smsc, order) }, word),
  );
  return [mark(view.order, view.order === "open" ? "good" : "warn"), " ", ...buttons];
}

async function give(smsc, order) {
  const told = await ask("PUT", `/binds/${encodeURIComponent(smsc)}`, { order }).then(
    (view) => `${smsc} is ${view.order} from now on, in every instance, and after a restart, too.`,
    (error) => error.message,
  );
  await showBinds();
  at("binds-answer").textContent = told;
}

/** Asks the admin interface, that of the gateway unless `base` says otherwise; throws what a person can read. */
async function ask(method, path, json, base = GATEWAY) {
  const headers = { authorization: `Bearer ${token}` };
  if (json) headers["content-type"] = "application/json";
  const answer = await fetch(base + path, { method, headers, body: json && JSON.stringify(json) });
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(told.errors?.[0]?.detail ?? told.detail ?? told.title);
  return told;
}

/** Shows what `get` finds below the search, or why it does not; not if something else was asked for since. */
async function show(get) {
  const asked = ++latest;
  at("found").setAttribute("aria-busy", "true");
  const found = await get().catch((error) => [mark(error.message, "bad")]);
  if (asked !== latest) return;
  at("found").replaceChildren(...found);
  at("found").removeAttribute("aria-busy");
}

/** An account by its id or name, or accounts whose name begins so; an SMS by client and correl-id. */
async function lookUp(query) {
  const [client, ...correl] = query.split(":");
  if (correl.length > 0) {
    const which = new URLSearchParams({ client, "correl-id": correl.join(":") });
    return showAttempts(await ask("GET", `/attempts?${which}`));
  }
  const exact = await ask("POST", "/search", { query }, AUTH);
  if (exact.accounts.length === 1) return account(exact.accounts[0].accountId);
  const found = exact.accounts.length > 1 ? exact : await ask("POST", "/search", { query, prefix: true }, AUTH);
  return showAccounts(found, (id) => show(() => account(id)));
}

/** Everything that this process knows of an account. */
async function account(id) {
  const of = (service, what) => ask("GET", `/${id}/${what}`, undefined, `/internal/${service}/v1/operators/accounts`).catch((error) => error);
  const [facts, devices, queues] = await Promise.all([
    ask("GET", `/${id}`, undefined, AUTH),
    of("keystore", "devices"),
    of("mailbox", "queues"),
  ]);
  const change = (method, json) =>
    show(async () => {
      await ask(method, `/${id}/block`, json, AUTH);
      return account(id);
    });
  return showAccount({ account: facts, devices, queues }, change);
}

function body(table) {
  return document.querySelector(`${table} tbody`);
}

at("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  try {
    const keeper = KEEPERS.find((one) => services.includes(one)) ?? "sms-gateway";
    await ask("GET", "/audit?limit=1", undefined, `/internal/${keeper}/v1`);
    at("token-hint").textContent = "The token is right.";
    at("token").value = "";
  } catch (error) {
    token = "";
    at("token-hint").textContent = `It is not taken: ${error.message}.`;
  }
  await showBinds();
});

at("search").addEventListener("submit", (event) => {
  event.preventDefault();
  show(() => lookUp(at("query").value.trim()));
});
at("unknown").addEventListener("click", () => show(async () => showUnknown(await ask("GET", "/unknown?limit=50"))));
at("audit").addEventListener("click", () => show(async () => showAudit(await ask("GET", "/audit?limit=1000"))));
at("reload").addEventListener("click", () => show(async () => showReloaded(await ask("POST", "/reload"))));

await look();
setInterval(look, EVERY_MS);
