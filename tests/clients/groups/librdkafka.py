#!/usr/bin/env python3
"""A member of a group, with confluent-kafka (librdkafka). What it prints is described in `members.py`."""

from __future__ import annotations

import signal
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException

from member import COMMITS_MAX, COMMIT_PAUSE_SECONDS, assigned, committed, consumed, options, started, stopped

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


def on_revoke(revoked_by: Consumer, partitions: list) -> None:
    # What could not be committed while the others were joining; the next rebalance may have begun already.
    positions = [it for it in revoked_by.position(partitions) if it.offset >= 0]
    for _ in range(COMMITS_MAX if positions else 0):
        try:
            told(revoked_by.commit(offsets=positions, asynchronous=False))
            break
        except KafkaException as error:
            if error.args[0].code() != KafkaError.REBALANCE_IN_PROGRESS:
                print(f"refused at the revocation {error.args[0].name()}", file=sys.stderr, flush=True)
                break
            time.sleep(COMMIT_PAUSE_SECONDS)
    on_lost(revoked_by, partitions)


def on_lost(_: Consumer, partitions: list) -> None:
    owned.difference_update(it.partition for it in partitions)
    assigned(owned)


def told(offsets: list) -> None:
    """Says what was committed: a commit may succeed for some partitions only."""
    if taken := [(it.partition, it.offset - 1) for it in offsets if not it.error]:
        committed(taken)


started()
consumer = Consumer(config)
consumer.subscribe([args.topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
uncommitted = False
# A commit is refused while partitions are assigned anew: who is asked to end then goes on until it has committed.
while running or uncommitted:
    messages = [message for message in consumer.consume(500, 0.2) if not message.error()]
    if messages:
        consumed((message.partition(), message.offset()) for message in messages)
    if messages or uncommitted:
        try:
            # Every record is committed before anything else happens, so that a handover repeats none.
            told(consumer.commit(asynchronous=False))
            uncommitted = False
        except KafkaException as error:
            print(f"refused {error.args[0].name()}", file=sys.stderr, flush=True)
            uncommitted = error.args[0].code() == KafkaError.REBALANCE_IN_PROGRESS
consumer.close()
stopped()
