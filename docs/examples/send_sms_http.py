"""Sends one SMS through a gateway's HTTP interface, and prints its statuses until the last one.

    echo "Votre rendez-vous est à 10 h" | python send_sms_http.py --server https://sms.example \\
        --api-key-file api.key --client acme --key acme.pub --sender CLINIC +255712345678
"""

import argparse
import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

import requests

from sms_envelope import read_key, seal

# After one of these nothing more is to be expected. (A later receipt may still correct a FAILED.)
FINAL = {"DELIVERED", "EXPIRED", "INVALID", "FAILED"}

arguments = argparse.ArgumentParser(description="The text is read from stdin.")
arguments.add_argument("--server", required=True, help="the gateway's address")
arguments.add_argument("--api-key-file", required=True, help="file with your API key")
arguments.add_argument("--client", required=True, help="your client id")
arguments.add_argument("--key", required=True, help="file with your client's public key")
arguments.add_argument("--sender", required=True, help="what the phone shows as sender")
arguments.add_argument("to", help="+ and the number with its country code")
options = arguments.parse_args()

text = sys.stdin.read().rstrip("\n")
deadline = datetime.now(timezone.utc) + timedelta(hours=6)
request = {
    "client-id": options.client,
    # Your own id of the message. Sending again under the same id is safe: the gateway knows it.
    "correl-id": f"C{uuid.uuid4()}",
    # When it is too late to send.
    "deadline": deadline.strftime("%Y-%m-%dT%H:%M:%SZ"),
}
request["payload"] = seal(read_key(options.key), request, options.to, options.sender, text)

web = requests.Session()
with open(options.api_key_file, encoding="ascii") as file:
    web.headers["Authorization"] = f"Bearer {file.read().strip()}"


def checked(answer):
    """Ends the program unless the gateway said yes; its refusals say why in `detail`."""
    if not answer.ok:
        try:
            reason = answer.json().get("detail")
        except ValueError:
            reason = answer.reason
        raise SystemExit(f"the gateway answered {answer.status_code}: {reason}")
    return answer.json()


def statuses(after, wait):
    """Gives the client's statuses behind number `after`; waits up to so many seconds for the first."""
    query = {"after": after, "limit": 1000, "timeout": wait}
    return checked(web.get(f"{options.server}/v1/sms/status", params=query, timeout=wait + 15))


# Statuses of earlier messages are passed over. (A program that runs on remembers `next` instead.)
page = statuses(0, wait=0)
while page["statuses"]:
    page = statuses(page["next"], wait=0)

checked(web.post(f"{options.server}/v1/sms", json=request, timeout=15))
print(f"accepted as {request['correl-id']}", flush=True)

while True:
    page = statuses(page["next"], wait=25)
    for status in page["statuses"]:
        if status["correl-id"] == request["correl-id"]:
            print(json.dumps(status), flush=True)
            if status["sms-status"] in FINAL:
                sys.exit(0 if status["sms-status"] == "DELIVERED" else 1)
