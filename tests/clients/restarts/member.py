"""confluent-kafka (librdkafka): the one member of a consumer group. Reads what the producer of moves/produce.py writes and commits by
itself, until a line arrives on standard input; then to the end, and compares what was committed with the ends.

The value of a record is its number among those of its partition, so every gap, repetition and change of order shows.
"""

import argparse
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

RETRIED = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE)
"""What librdkafka reports of its own retries; it gives nothing up."""
END_SECONDS_MAX = 120
ANSWER_SECONDS_MAX = 30


def read(consumer: Consumer, topic: str, partitions: int, enough: threading.Event) -> list[int]:
    """How many records each partition has, once all are read.

    Raises SystemExit with the first fault."""
    following = [0] * partitions
    deadline = float("inf")
    ends: list[int] | None = None
    while following != ends:
        if enough.is_set() and ends is None:
            asked = [TopicPartition(topic, partition) for partition in range(partitions)]
            ends = [consumer.get_watermark_offsets(one, ANSWER_SECONDS_MAX)[1] for one in asked]
            deadline = time.monotonic() + END_SECONDS_MAX
        if time.monotonic() > deadline:
            sys.exit(f"read up to {following} of {ends}")
        for message in consumer.consume(1000, 0.1):
            if error := message.error():
                if error.code() not in RETRIED:
                    sys.exit(f"consumer: {error}")
                continue
            partition, number = message.partition(), int(message.value()[:20])
            if (number, message.offset()) != (following[partition], following[partition]):
                sys.exit(f"partition {partition}: number {number} at offset {message.offset()}, not {following[partition]}")
            following[partition] += 1
    return following


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    arguments = parser.parse_args()
    enough = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), enough.set()), daemon=True).start()
    consumer = Consumer({
        "bootstrap.servers": arguments.bootstrap, "group.id": "restarts", "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 200, "reconnect.backoff.max.ms": 500})
    consumer.subscribe([arguments.topic])
    following = read(consumer, arguments.topic, arguments.partitions, enough)
    consumer.commit(offsets=[TopicPartition(arguments.topic, *pair) for pair in enumerate(following)], asynchronous=False)
    asked = [TopicPartition(arguments.topic, partition) for partition in range(arguments.partitions)]
    try:
        committed = [one.offset for one in consumer.committed(asked, ANSWER_SECONDS_MAX)]
    except KafkaException as error:
        sys.exit(f"committed offsets: {error}")
    consumer.close()
    if committed != following:
        sys.exit(f"committed {committed}, read {following}")
    print(f"{sum(following)} records read by a member, all committed")


if __name__ == "__main__":
    main()
