#!/usr/bin/env python3
"""A member of a group, with confluent-kafka (librdkafka). What it prints is described in `run`."""

from __future__ import annotations

import signal
import sys

from confluent_kafka import Consumer, KafkaException

from member import assigned, consumed, options, stopped

args = options()
config = {
    "bootstrap.servers": args.bootstrap,
    "group.id": args.group,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "reconnect.backoff.max.ms": 500,
}
if args.protocol == "consumer":
    config["group.protocol"] = "consumer"
else:
    config["session.timeout.ms"] = args.session_ms
    config["heartbeat.interval.ms"] = args.heartbeat_ms
    config["partition.assignment.strategy"] = "cooperative-sticky" if args.protocol == "cooperative" else "range,roundrobin"
if args.instance:
    config["group.instance.id"] = args.instance

running = True


def stop(*_: object) -> None:
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
owned: set[int] = set()


def on_assign(_: Consumer, partitions: list) -> None:
    owned.update(it.partition for it in partitions)
    assigned(owned)


def on_revoke(_: Consumer, partitions: list) -> None:
    owned.difference_update(it.partition for it in partitions)
    assigned(owned)


consumer = Consumer(config)
consumer.subscribe([args.topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)
while running:
    messages = [message for message in consumer.consume(500, 0.2) if not message.error()]
    if messages:
        consumed((message.partition(), message.offset()) for message in messages)
        try:
            # Every record is committed before anything else happens, so that a handover repeats none.
            consumer.commit(asynchronous=False)
        except KafkaException as error:
            print(f"refused {error.args[0].name()}", file=sys.stderr, flush=True)
consumer.close()
stopped()
