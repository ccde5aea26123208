#!/usr/bin/env python3
"""Which librdkafka keeps several nodes at one address apart?

    docs/adr/measurements/one-port.py BROKER VERSION...

Installs each version of confluent-kafka (which bundles the librdkafka of its number) into a temporary directory,
produces one record to each of three partitions of topic `one-port` and asks for their end offsets. The broker has two
shards, num.partitions=3, shard.advertise=per-shard, and shows shards to every client (revision 8d53cbe).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

CHECK = r"""
import os, sys
from confluent_kafka import Consumer, Producer, TopicPartition, libversion
broker, errors, ends = sys.argv[1], [], []
producer = Producer({"bootstrap.servers": broker, "message.timeout.ms": 4000})
for partition in range(3):
    producer.produce("one-port", b"v", partition=partition, callback=lambda error, _: error and errors.append(error.name()))
producer.flush(6)
consumer = Consumer({"bootstrap.servers": broker, "group.id": "one-port"})
for partition in range(3):
    try:
        ends.append(consumer.get_watermark_offsets(TopicPartition("one-port", partition), timeout=3)[1])
    except Exception as error:
        ends.append(error.args[0].name())
print(f"librdkafka {libversion()[0]}: produce errors {errors}, end offsets {ends}", flush=True)
os._exit(0)
"""


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    broker, versions = sys.argv[1], sys.argv[2:]
    for version in versions:
        with tempfile.TemporaryDirectory() as directory:
            pip = [sys.executable, "-m", "pip", "install", "-q", "--target", directory, f"confluent-kafka=={version}"]
            subprocess.run(pip, check=True)
            subprocess.run([sys.executable, "-c", CHECK, broker], check=True, env={"PYTHONPATH": directory}, timeout=60)


if __name__ == "__main__":
    main()
