#!/usr/bin/env python3
"""A receiver of Sealpost's webhooks, with nothing but the standard library.

    WEBHOOK_SECRETS="whsec_..." python3 webhook_receiver.py 8099

It checks that a request is signed under one of the secrets (several, separated by spaces, while one is replaced) and that
it is not old, answers, and prints each event once. What matters is `verify`; take it into your own server.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

# How far the clocks may be apart, and how long a request may be under way, in seconds. A recorded request is of no use later.
TOLERANCE = 300

# No event of Sealpost is larger: a notification may have 1 MiB of data.
LARGEST_BODY = 2 * 1024 * 1024

# Ids that are remembered, to tell what comes again. A real receiver keeps them in its database, with what it did.
REMEMBERED = 100_000


class NotGenuine(Exception):
    """The request is not from whom it says."""


def verify(secrets, headers, body, now=None):
    """Checks a request; returns its id, which is the same whenever an event is sent again."""
    event_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split(" ")
    if not event_id or not timestamp.isascii() or not timestamp.isdigit():
        raise NotGenuine("no id or no timestamp")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE:
        raise NotGenuine("too old, or from the future")
    # The body as it came: parsed and written again, it may be other bytes.
    content = event_id.encode() + b"." + timestamp.encode() + b"." + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        ours = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(ours.encode(), theirs.encode()) for theirs in signatures):
            return event_id
    raise NotGenuine("no signature is right")


class Seen:
    """The ids of the latest events."""

    def __init__(self):
        self.ids, self.lock = OrderedDict(), Lock()

    def add(self, event_id):
        """Returns whether it is new."""
        with self.lock:
            if event_id in self.ids:
                return False
            self.ids[event_id] = None
            if len(self.ids) > REMEMBERED:
                self.ids.popitem(last=False)
            return True


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    secrets, seen = [], Seen()

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return self.answer(413, close=True)
        body = self.rfile.read(int(length))
        try:
            event_id = verify(self.secrets, self.headers, body)
        except NotGenuine:
            # Not 4xx: if it is our secret that is wrong, the event comes again when that is mended. See docs/webhooks.md.
            return self.answer(503)
        if self.seen.add(event_id):
            # Do here what is quick and durable, such as writing to a queue; the answer says that the event is yours now.
            print(json.dumps(json.loads(body)), flush=True)
        return self.answer(204)

    def answer(self, status, close=False):
        self.send_response(status)
        self.send_header("content-length", "0")
        if close:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()

    def log_message(self, *_):
        """Requests are not logged: a URL may hold a secret."""


def main():
    Receiver.secrets = os.environ.get("WEBHOOK_SECRETS", "").split()
    if not Receiver.secrets or len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit(__doc__.strip())
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on port {server.server_address[1]}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
