"""confluent-kafka (librdkafka): produces as fast as it can, idempotently, and reads it all back at the same time.

The value of a record is its number among those of its partition, so every gap, repetition and change of order shows.
"""

import argparse
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

VALUE_BYTES = 1000
READ_SECONDS_MAX = 60


class Reader(threading.Thread):
    """Reads every partition from its start until it has `wanted` records."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        super().__init__()
        self.wanted: int | None = None
        self.deadline = float("inf")
        self.problem: str | None = None
        self.found = 0
        self._next = [0] * partitions
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "moves", "enable.auto.commit": False, "auto.offset.reset": "error"})
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])

    def run(self) -> None:
        while self.problem is None and self.found != self.wanted:
            if time.monotonic() > self.deadline:
                self.problem = f"{self.found} of {self.wanted} records were read"
            for message in self._consumer.consume(1000, 0.1):
                self._check(message)
        self._consumer.close()

    def _check(self, message) -> None:
        if message.error():
            if message.error().code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                self.problem = f"consumer: {message.error()}"
            return
        partition, number = message.partition(), int(message.value()[:20])
        if (number, message.offset()) != (self._next[partition], self._next[partition]):
            self.problem = f"partition {partition}: number {number} at offset {message.offset()}, not {self._next[partition]}"
        self._next[partition] += 1
        self.found += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--retries", type=int, required=True)
    arguments = parser.parse_args()
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: object) -> None:
        if error:
            failures.append(error)

    reader = Reader(arguments.bootstrap, arguments.topic, arguments.partitions)
    reader.start()
    producer = Producer({
        "bootstrap.servers": arguments.bootstrap, "enable.idempotence": True, "linger.ms": 5,
        "message.send.max.retries": arguments.retries, "retry.backoff.ms": 20, "on_delivery": delivered})
    sent, began = 0, time.monotonic()
    while time.monotonic() < began + arguments.seconds and not failures and not reader.problem:
        number, partition = divmod(sent, arguments.partitions)
        try:
            producer.produce(arguments.topic, b"%020d" % number + bytes(VALUE_BYTES), partition=partition)
            sent += 1
        except BufferError:
            producer.poll(0.01)
        if sent % 100 == 0:
            producer.poll(0)
    left = producer.flush(READ_SECONDS_MAX)
    reader.deadline = time.monotonic() + READ_SECONDS_MAX
    reader.wanted = sent
    reader.join()
    print(f"{sent} records, {len(failures)} failed")
    if failures or left or reader.problem:
        sys.exit(f"{left} left, first failure: {failures[:1]}, reader: {reader.problem}")


if __name__ == "__main__":
    main()
