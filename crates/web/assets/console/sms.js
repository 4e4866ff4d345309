// What the gateway's tables hold of messages: states, segments and times. They hold no text and no number.

import { element, mark, row, table, time } from "./view.js";

const GOOD = ["delivered", "sent", "accepted", "DELIVERED", "SENT"];
const OPEN = ["queued", "submitting", "looping"];

function state(name) {
  return mark(name, GOOD.includes(name) ? "good" : OPEN.includes(name) ? "plain" : name === "unknown" ? "warn" : "bad");
}

function attempt(one) {
  return row(
    one.clientId,
    one.correlId,
    element("td", {}, state(one.state), one.possibleDuplicate ? " may come twice" : ""),
    one.smsc ?? "–",
    String(one.segments),
    String(one.tries),
    time(one.createdAt),
    time(one.deadline),
  );
}

const HEADS = ["Client", "Correl-id", "State", "SMSC", "Segments", "Tries", "Came", "Too late"];

/** Everything under one id. */
export function showAttempts({ attempts, statuses }) {
  if (attempts.length === 0) return [element("p", {}, "Nothing by this client and id, or its time of keeping is over.")];
  const part = (one) =>
    row(String(one.part), one.smsc, element("td", {}, state(one.state)), one.messageId ?? "–", one.refusal ?? "–", one.receipt ?? "–");
  const status = (one) => row(element("td", {}, state(one["sms-status"])), one.timestamp, one["error-text"] ?? "");
  return [
    table(HEADS, attempts.map(attempt)),
    table(["Segment", "SMSC", "State", "Id there", "Refused with", "Receipt"], attempts.flatMap((one) => one.parts.map(part))),
    table(["Published", "When", "Why"], statuses.map(status)),
  ];
}

/** Messages of which nobody knows whether they were sent. */
export function showUnknown({ attempts, next }) {
  if (attempts.length === 0) return [element("p", {}, "No outcome is unknown.")];
  const more = next ? [element("p", { class: "hint" }, "There are more: sealpost admin sms unknown lists all.")] : [];
  return [table(HEADS, attempts.map(attempt)), ...more];
}

/** What operators did, the last first. */
export function showAudit(entries) {
  const whole = entries.every((one) => one.intact);
  const entry = (one) => row(time(one.at), one.actor, one.action, one.target, element("td", {}, one.intact ? "" : mark("changed", "bad")));
  return [
    element("p", {}, whole ? mark("the chain is whole", "good") : mark("entries were changed or removed", "bad")),
    table(["When", "Who", "What", "To what", ""], entries.toReversed().slice(0, 50).map(entry)),
  ];
}

/** What was read again, and what could not be. */
export function showReloaded({ vault, certificates, needsRestart }) {
  const read = [["vault", vault], ...Object.entries(certificates).map(([name, how]) => [`certificates of ${name}`, how])];
  return [
    table(["Read again", ""], read.map(([what, how]) => row(what, element("td", {}, mark(how, how === "ok" ? "good" : "bad"))))),
    element("p", { class: "hint" }, `Needs a restart: ${[needsRestart].flat().join(", ")}.`),
  ];
}
