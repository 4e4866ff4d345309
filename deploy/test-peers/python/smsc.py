"""An SMSC on smpp34, an implementation independent of ours: smsc.py '{"port":2775}'.

Accepts every login (this library cannot refuse one) and every submit_sm, and sends a "delivered" receipt if one was
asked for. Prints one line of JSON for each request that it gets.
"""

import asyncio
import json
import os
import sys
from datetime import datetime, timezone

import smpp34

DELIVERED = 2
RECEIPT = 0x04


def say(event: str, **more) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


async def receipt(esme, submit, message_id: str) -> None:
    now = datetime.now(timezone.utc).strftime("%y%m%d%H%M")
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:DELIVRD err:000 text:"
    try:
        answer = await esme.deliver_sm(
            source_addr=submit.destination_addr,
            destination_addr=submit.source_addr,
            esm_class=RECEIPT,
            short_message=text.encode(),
            tlvs=[
                smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0"),
                smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, bytes([DELIVERED])),
            ],
        )
        say("deliver_sm_resp", id=message_id, status=answer.command_status)
    except Exception as error:  # The ESME went away: said, and not repeated.
        say("error", code=str(error))


async def main(port: int) -> None:
    server = smpp34.Server(host="127.0.0.1", port=port, system_id="smpp34-smsc")
    await server.start()
    bound, receipts, submitted = {}, set(), 0
    while True:
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            bound[event.session_id] = event
            say("bind_transceiver", systemId=event.system_id, accepted=True)
        elif isinstance(event, smpp34.SubmitSmEvent):
            submitted += 1
            # Another process, other ids: an SMSC does not begin again after a crash.
            message_id = f"smpp34-{os.getpid()}-{submitted}"
            say("submit_sm", id=message_id, text=event.short_message.decode("latin-1"), to=event.destination_addr)
            event.accept(message_id=message_id)
            esme = bound.get(event.session_id)
            if esme is not None and event.registered_delivery & 3:
                sending = asyncio.create_task(receipt(esme, event, message_id))
                receipts.add(sending)
                sending.add_done_callback(receipts.discard)
        elif isinstance(event, smpp34.Unbound):
            bound.pop(event.session_id, None)
            say("unbind")


asyncio.run(main(json.loads(sys.argv[1])["port"]))
