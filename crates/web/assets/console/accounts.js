// Accounts as the services' tables have them: names, days, counts. They hold no text, no key and no address in full.

import { count, element, mark, row, table, time } from "./view.js";

const KEYS = { ec: "one-time", pq: "Kyber" };

function blocked(one) {
  return element("td", {}, one.blockedAt ? mark(`blocked since ${time(one.blockedAt)}`, "bad") : "");
}

/** Accounts that may be meant; `open` shows one. */
export function showAccounts({ accounts, next }, open) {
  if (accounts.length === 0) return [element("p", {}, "No account has this id or name, or one that begins so.")];
  const line = (one) => {
    const name = element("button", { type: "button", click: () => open(one.accountId) }, one.username);
    return row(element("td", {}, name), one.accountId, one.kind, time(one.createdAt), blocked(one));
  };
  const more = next ? [element("p", { class: "hint" }, "There are more: sealpost admin accounts find lists all.")] : [];
  return [table(["Name", "Account", "Kind", "Created", ""], accounts.map(line)), ...more];
}

/** One account: `parts` are what auth, keystore and mailbox say, or why one of them does not; `change` (un)blocks it. */
export function showAccount({ account, devices, queues }, change) {
  const contact = (one) => (one ? `${one.masked}${one.verified ? "" : " (not verified)"}` : "none");
  const facts = [
    ["Name", account.username],
    ["Account", account.accountId],
    ["Kind", account.kind],
    ["Created", time(account.createdAt)],
    ["Sessions", count(account.sessions)],
    ["Second factor", account.secondFactor ? "yes" : "no"],
    ["E-mail", contact(account.email)],
    ["Phone", contact(account.phone)],
    ["Blocked", account.blockedAt ? mark(`since ${time(account.blockedAt)}: ${account.blockReason}`, "bad") : "no"],
  ];
  const list = element("dl", {}, ...facts.flatMap(([what, value]) => [element("dt", {}, what), element("dd", {}, value)]));
  return [list, account.blockedAt ? unblock(change) : block(change), ...keys(account, devices), ...waiting(queues)];
}

function block(change) {
  const reason = element("input", { id: "reason", required: true, maxlength: "256", autocomplete: "off" });
  const submit = (event) => {
    event.preventDefault();
    change("PUT", { reason: reason.value });
  };
  const label = element("label", { for: "reason" }, "Reason, for other operators");
  return element("form", { submit }, label, reason, element("button", { type: "submit" }, "Block"));
}

function unblock(change) {
  return element("p", {}, element("button", { type: "button", click: () => change("DELETE") }, "Let it in again"));
}

function keys(account, devices) {
  if (devices instanceof Error) return [missing("devices", devices)];
  const seen = (device) => account.seen.find((one) => one.deviceId === device.deviceId)?.seenAt;
  const left = (device) => device.preKeys.map((one) => `${count(one.left)} ${KEYS[one.kind]}`).join(", ");
  const day = (millis) => (millis == null ? "–" : new Date(millis).toISOString().slice(0, 10));
  const line = (one) => row(String(one.deviceId), one.kind, one.state, day(seen(one)), left(one), time(one.rotatedAt));
  return [table(["Device", "Kind", "State", "Last seen", "Prekeys left", "Signed key of"], devices.devices.map(line))];
}

function waiting(queues) {
  if (queues instanceof Error) return [missing("queues", queues)];
  const line = (one) => row(String(one.deviceId ?? "inbox"), one.kind, count(one.count), count(one.bytes), time(one.oldestAt));
  return [table(["Device", "Kind", "Envelopes wait", "Bytes", "Oldest of"], queues.queues.map(line))];
}

function missing(what, error) {
  return element("p", { class: "hint" }, `Its ${what} are not told here: ${error.message}`);
}
