"""Produces with confluent-kafka (librdkafka), idempotent and acks=all, until a line arrives on standard input; then reads
everything back and compares."""

import argparse
import logging
import sys
import threading

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "kills"
PARTITIONS = 3
SEGMENT_BYTES = "1048576"
"""Small, so that kills meet segments that are being closed."""
FLUSH_SECONDS_MAX = 120
POLL_SECONDS_MAX = 30


def produce(bootstrap: str) -> tuple[dict[tuple[int, int], int], list[str]]:
    """What was acknowledged, by partition and offset, and what went wrong."""
    enough = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), enough.set()), daemon=True).start()
    acknowledged: dict[tuple[int, int], int] = {}
    faults: list[str] = []

    def delivered(error, message) -> None:
        if error:
            faults.append(f"{int(message.value())}: {error}")
            return
        if not acknowledged:
            print("began", flush=True)
        acknowledged[message.partition(), message.offset()] = int(message.value())

    quiet = logging.getLogger("librdkafka")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    producer = Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "lz4", "linger.ms": 2,
        "message.timeout.ms": 1000 * FLUSH_SECONDS_MAX, "reconnect.backoff.max.ms": 200,
    }, logger=quiet)
    number = 0
    while not enough.is_set():
        try:
            producer.produce(TOPIC, b"%d" % number, partition=number % PARTITIONS, on_delivery=delivered)
            number += 1
        except BufferError:
            producer.poll(0.01)
        if number % 200 == 0:
            producer.poll(0)
    left = producer.flush(FLUSH_SECONDS_MAX)
    if left:
        faults.append(f"{left} were never answered")
    return acknowledged, faults


def read(bootstrap: str, partition: int) -> tuple[list[int], list[str]]:
    """The values of a partition, by offset, and what went wrong."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "kills", "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([TopicPartition(TOPIC, partition, OFFSET_BEGINNING)])
    values: list[int] = []
    faults: list[str] = []
    while True:
        message = consumer.poll(POLL_SECONDS_MAX)
        if message is None:
            faults.append(f"partition {partition} ends nowhere")
            break
        if message.error():
            if message.error().name() != "_PARTITION_EOF":
                raise KafkaException(message.error())
            break
        if message.offset() != len(values):
            faults.append(f"partition {partition}: offset {message.offset()} after {len(values) - 1}")
            break
        values.append(int(message.value()))
    consumer.close()
    return values, faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    bootstrap = parser.parse_args().bootstrap
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topic = NewTopic(TOPIC, PARTITIONS, 1, config={"segment.bytes": SEGMENT_BYTES})
    admin.create_topics([topic])[TOPIC].result(30)
    acknowledged, faults = produce(bootstrap)
    stored = 0
    for partition in range(PARTITIONS):
        values, found = read(bootstrap, partition)
        faults += found
        stored += len(values)
        promised = {offset: value for (index, offset), value in acknowledged.items() if index == partition}
        lost = [offset for offset, value in promised.items() if offset >= len(values) or values[offset] != value]
        if lost:
            faults.append(f"partition {partition}: {len(lost)} acknowledged records lost or changed, first {min(lost)}")
        if sorted(set(values)) != values:
            faults.append(f"partition {partition}: records twice or out of order")
    print(f"{len(acknowledged)} acknowledged, {stored} stored, {len(faults)} faults {faults[:3]}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
