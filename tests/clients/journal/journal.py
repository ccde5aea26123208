"""confluent-kafka (librdkafka): writes records at a rate, idempotently, reads them back at the same time, and tells all of it.

Until a line comes on standard input. The value of record n is n in 20 digits and a filler of `n * 7919 % 1500` times x; it goes to
partition n modulo their number. The journals in all languages print, a line each, flushed within milliseconds:

    ack TIME PARTITION OFFSET NUMBER    acknowledged at this time, in nanoseconds since 1970
    got TIME PARTITION OFFSET NUMBER    read; the number is -1 where the value is none that was written
    fault TEXT                          what should not be
    end NUMBER                          all that were sent have been answered
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

FILLER_MAX = 1500
FLUSH_SECONDS_MAX = 120
LINGERING_SECONDS = 2
"""How long the reader goes on behind the last record."""
QUIET = {"log_level": 0, "reconnect.backoff.max.ms": 200}

options = argparse.ArgumentParser(description=__doc__)
for name in ("bootstrap", "topic"):
    options.add_argument(f"--{name}", required=True)
for name in ("partitions", "rate"):
    options.add_argument(f"--{name}", type=int, required=True)
args = options.parse_args()
lock = threading.Lock()
enough = threading.Event()
ended = threading.Event()


def say(text: str) -> None:
    with lock:
        sys.stdout.write(text)
        sys.stdout.flush()


def number_of(value: bytes) -> int:
    head = value[:20]
    if not head.isdigit() or len(value) != 20 + int(head) * 7919 % FILLER_MAX:
        return -1
    return int(head)


def read() -> None:
    consumer = Consumer({"bootstrap.servers": args.bootstrap, "group.id": "journal", "enable.auto.commit": False,
                         "auto.offset.reset": "error", "fetch.wait.max.ms": 200, **QUIET})
    consumer.assign([TopicPartition(args.topic, partition, OFFSET_BEGINNING) for partition in range(args.partitions)])
    while not ended.is_set():
        lines = []
        for message in consumer.consume(500, 0.1):
            if not message.error():
                lines.append(f"got {time.time_ns()} {message.partition()} {message.offset()} {number_of(message.value())}\n")
            elif message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                lines.append(f"fault reader: {message.error()}\n")
        say("".join(lines))
    consumer.close()


def main() -> None:
    threading.Thread(target=lambda: (sys.stdin.readline(), enough.set()), daemon=True).start()
    reader = threading.Thread(target=read)
    reader.start()

    def delivered(error: KafkaError | None, message) -> None:
        if error:
            say(f"fault record {message.value()[:20].decode()}: {error}\n")
        else:
            say(f"ack {time.time_ns()} {message.partition()} {message.offset()} {int(message.value()[:20])}\n")

    producer = Producer({"bootstrap.servers": args.bootstrap, "enable.idempotence": True, "compression.type": "lz4", "linger.ms": 2,
                         "message.timeout.ms": 1000 * FLUSH_SECONDS_MAX, "on_delivery": delivered, **QUIET})
    began, number = time.monotonic(), 0
    while not enough.is_set():
        try:
            value = b"%020d" % number + b"x" * (number * 7919 % FILLER_MAX)
            producer.produce(args.topic, value, partition=number % args.partitions)
            number += 1
        except BufferError:
            pass
        left = began + number / args.rate - time.monotonic()
        producer.poll(max(0.0, left))
    if left := producer.flush(FLUSH_SECONDS_MAX):
        say(f"fault {left} were never answered\n")
    time.sleep(LINGERING_SECONDS)
    ended.set()
    reader.join()
    say(f"end {number}\n")


if __name__ == "__main__":
    main()
