"""A client of Socket.IO that is not ours, on python-socketio: socketio_client.py '{"do":"listen", ...}'.

The tasks, and what is printed, are those of ../npm/socketio.mjs, but for the version of the client. This client hears each
event in a thread of its own, so the order in which it says so is not the one in which they came.
"""

import json
import sys
import threading
import time

import socketio

task = json.loads(sys.argv[1])
namespace = task.get("namespace", "/")
client = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.2, randomization_factor=0)
printing = threading.Lock()


def say(event: str, **more) -> None:
    with printing:
        print(json.dumps({"event": event, **more}), flush=True)


def shown(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return [shown(part) for part in value]
    if isinstance(value, dict):
        return {name: shown(part) for name, part in value.items()}
    return value


def settle() -> None:
    """Says when the last transport is in use: this client has no event for it."""
    while client.connected and client.transport() != task["transports"][-1]:
        time.sleep(0.01)
    say("settled", transport=client.transport())


@client.on("connect", namespace=namespace)
def connect():
    say("connect", transport=client.transport())
    threading.Thread(target=settle, daemon=True).start()
    connected()


@client.on("disconnect", namespace=namespace)
def disconnect(reason):
    say("disconnect", reason=reason)


@client.on("connect_error", namespace=namespace)
def connect_error(error=None):
    error = error if isinstance(error, dict) else {"message": error}
    say("connect_error", message=error.get("message"), data=error.get("data"))


place: dict = {"meta": True}
order: list[int] = []


def join():
    argument = {"token": task["token"], **place}
    client.emit("join_channel", argument, callback=lambda *answer: say("joined", answer=answer[0] if answer else None))


def clientevent(told):
    say("clientevent", told=told)
    if "recovered" in told and "offset" not in place:
        place.update(offset=told["offset"], epoch=told["epoch"])


def message(data, meta):
    with printing:
        place.update(offset=max(place.get("offset", 0), meta["offset"]), epoch=meta["epoch"])
    say("message", data=data, offset=meta["offset"], transport=client.transport())


def back(*args):
    if not isinstance(args[0], dict):
        say("back", args=shown(args))
        return
    order.append(args[0]["number"])
    if len(order) == task["count"]:
        say("counted", ordered=sorted(order) == list(range(task["count"])))


def talk():
    args = (1, "2", {"3": [True, bytes([4, 5, 6])]}, bytes([1, 2, 3]))
    client.emit("message", args, namespace=namespace)
    answered = lambda *answer: say("acknowledged", args=shown(answer))
    client.emit("message-with-ack", args, namespace=namespace, callback=answered)
    for number in range(task["count"]):
        client.emit("message", {"number": number}, namespace=namespace)


if task["do"] == "listen":
    connected = join
    client.on("clientevent", clientevent)
    client.on("message", message)
else:
    connected = talk
    for name in ("message-back", "back"):
        client.on(name, back, namespace=namespace)
    client.on("auth", lambda auth: say("auth", auth=auth), namespace=namespace)
    client.on("question", lambda *args: args[::-1], namespace=namespace)

try:
    client.connect(task["url"], transports=task["transports"], auth=task.get("auth"), namespaces=[namespace])
except socketio.exceptions.ConnectionError as error:
    say("unconnected", error=str(error))
client.wait()
# As the others, it stays until it is killed.
threading.Event().wait()
