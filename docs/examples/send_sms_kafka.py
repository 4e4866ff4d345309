"""Sends one SMS through Kafka, and prints its statuses until the last one.

    echo "Votre rendez-vous est à 10 h" | python send_sms_kafka.py --brokers localhost:9092 \\
        --client acme --key acme.pub --sender CLINIC +255712345678
"""

import argparse
import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from sms_envelope import read_key, seal

# After one of these nothing more is to be expected. (A later receipt may still correct a FAILED.)
FINAL = {"DELIVERED", "EXPIRED", "INVALID", "FAILED"}

arguments = argparse.ArgumentParser(description="The text is read from stdin.")
arguments.add_argument("--brokers", required=True, help="host:port of a broker, or several with commas")
arguments.add_argument("--topic", default="send-sms", help="topic of requests")
arguments.add_argument("--status-topic", default="sms-status", help="topic of statuses")
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

# Where the topic of statuses ends now: what is written from here on is new.
consumer = Consumer({"bootstrap.servers": options.brokers, "group.id": "unused", "enable.auto.commit": False})
try:
    topic = consumer.list_topics(options.status_topic, timeout=15).topics[options.status_topic]
    partitions = [TopicPartition(topic.topic, number) for number in topic.partitions]
    for partition in partitions:
        partition.offset = consumer.get_watermark_offsets(partition, timeout=15)[1]
except KafkaException as error:
    raise SystemExit(f"Kafka at {options.brokers}: {error.args[0].str()}")
if not partitions:
    raise SystemExit(f"there is no topic {options.status_topic}")
consumer.assign(partitions)

problems = []
# `idempotence` and `acks=all`: a record that Kafka has confirmed is kept, and kept once.
producer = Producer({"bootstrap.servers": options.brokers, "enable.idempotence": True, "acks": "all"})
producer.produce(
    options.topic,
    key=f"{request['client-id']}:{request['correl-id']}",
    value=json.dumps(request),
    on_delivery=lambda error, _record: problems.append(error) if error else None,
)
if producer.flush(30) or problems:
    raise SystemExit(f"Kafka has not confirmed the request: {problems or 'no answer'}")
print(f"accepted as {request['correl-id']}", flush=True)

while True:
    record = consumer.poll(1)
    if record is None or record.error():
        continue
    status = json.loads(record.value())
    if status["client-id"] == request["client-id"] and status["correl-id"] == request["correl-id"]:
        print(json.dumps(status), flush=True)
        if status["sms-status"] in FINAL:
            consumer.close()
            sys.exit(0 if status["sms-status"] == "DELIVERED" else 1)
