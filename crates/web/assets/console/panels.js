// What the page shows of `/metrics`: names of series, and what they mean to an operator.

import { bytes, count, duration } from "./view.js";

const named = (name, labels = {}) => (one) =>
  one.name === name && Object.entries(labels).every(([label, value]) => [value].flat().includes(one.labels[label]));

const rate = (name, series, labels, bad) => ({ name, bad, of: (history) => history.rate(named(series, labels)) });
const gauge = (name, series, labels) => ({ name, of: (history) => history.gauge(named(series, labels)) });

/** A plot is shown where the process has the series `needs`. */
export const PLOTS = [
  {
    title: "HTTP requests a second",
    needs: "http_requests_total",
    write: count,
    lines: [
      rate("all", "http_requests_total"),
      {
        name: "failed (5xx)",
        bad: true,
        of: (history) => history.rate((one) => one.name === "http_requests_total" && one.labels.status?.startsWith("5")),
      },
    ],
  },
  {
    title: "Time to an answer",
    needs: "http_request_duration_seconds_bucket",
    write: duration,
    lines: [
      { name: "half", of: (history) => history.quantile("http_request_duration_seconds", 0.5) },
      { name: "95 of 100", of: (history) => history.quantile("http_request_duration_seconds", 0.95) },
    ],
  },
  {
    title: "Messages a second",
    needs: "sealpost_mailbox_envelopes_stored_total",
    write: count,
    lines: [
      rate("stored", "sealpost_mailbox_envelopes_stored_total"),
      rate("acked", "sealpost_mailbox_envelopes_acked_total"),
      rate("expired", "sealpost_mailbox_envelopes_expired_total", {}, true),
    ],
  },
  {
    title: "Notifications a second",
    needs: "sealpost_notify_deliveries_total",
    write: count,
    lines: [
      rate("published", "sealpost_notify_publications_total", { outcome: ["stored", "volatile"] }),
      rate("handed to clients", "sealpost_notify_deliveries_total"),
    ],
  },
  {
    title: "SMS a second",
    needs: "sealpost_sms_queued",
    write: count,
    lines: [
      rate("segments out", "sealpost_sms_submitted_total"),
      rate("sent", "sealpost_sms_statuses_total", { status: "SENT" }),
      rate("delivered", "sealpost_sms_statuses_total", { status: "DELIVERED" }),
      rate("failed", "sealpost_sms_statuses_total", { status: ["FAILED", "INVALID", "EXPIRED"] }, true),
    ],
  },
  {
    title: "Logins and registrations a second",
    needs: "sealpost_auth_registrations_total",
    write: count,
    lines: [
      rate("logins", "sealpost_auth_logins_total", { outcome: "ok" }),
      rate("refused", "sealpost_auth_logins_total", { outcome: "refused" }, true),
      rate("registrations", "sealpost_auth_registrations_total"),
    ],
  },
  {
    title: "Connected",
    needs: "websockets_open",
    write: count,
    lines: [gauge("websockets", "websockets_open"), gauge("clients of channels", "sealpost_notify_clients")],
  },
  {
    title: "Processor seconds a second",
    needs: "process_cpu_seconds_total",
    write: count,
    lines: [rate("used", "process_cpu_seconds_total")],
  },
  {
    title: "Memory",
    needs: "process_resident_memory_bytes",
    write: bytes,
    lines: [gauge("resident", "process_resident_memory_bytes")],
  },
];

/** Gauges of what waits; those that are `late` are a reason to look even when they are small. */
export const QUEUES = [
  { series: "sealpost_outbox_pending", words: "records for the bus" },
  { series: "bus_worker_lag_records", words: "records of the bus, not yet read" },
  { series: "sealpost_mailbox_queued_jobs", words: "sends and acks" },
  { series: "sealpost_notify_queued_jobs", words: "publications" },
  { series: "sealpost_notify_webhook_backlog", words: "events for webhooks" },
  { series: "sealpost_sms_queued", words: "SMS" },
  { series: "sealpost_sms_webhook_backlog", words: "statuses for webhooks" },
  { series: "sealpost_sms_unknown", words: "SMS with an unknown outcome", late: true },
  { series: "sealpost_sms_receipts_unmatched", words: "receipts that belong to nothing known", late: true },
  { series: "sealpost_relay_incoming_waiting", words: "SMS for the publisher" },
  { series: "sealpost_relay_incoming_dead", words: "SMS that the publisher did not take in time", late: true },
  { series: "sealpost_keystore_unfinished_devices", words: "devices half open or half closed", late: true },
];

const FAILED_NAME = /_(dead|failed|lost|missing|withheld|reuses|dropped)(_total)$/;
const FAILED_LABEL = /^(failed|refused|dead|away|lost|unknown|unreadable|expired|slow|full|unroutable|given-up|FAILED|INVALID|EXPIRED|5\d\d)$/;

/** Tells whether a counter counts what went wrong. */
export function isFailure(one) {
  if (!one.name.endsWith("_total")) return false;
  return FAILED_NAME.test(one.name) || Object.values(one.labels).some((value) => FAILED_LABEL.test(value));
}
