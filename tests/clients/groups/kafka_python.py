#!/usr/bin/env python3
"""A member of a group, with kafka-python. What it prints is described in `run`."""

from __future__ import annotations

import signal
import sys

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError, RebalanceInProgressError

from member import assigned, consumed, options, started, stopped

args = options()
running = True


def stop(*_: object) -> None:
    global running
    running = False


signal.signal(signal.SIGTERM, stop)


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked: list) -> None:
        assigned([])

    def on_partitions_assigned(self, partitions: list) -> None:
        assigned(it.partition for it in consumer.assignment())


more = {"group_instance_id": args.instance} if args.instance else {}
started()
consumer = KafkaConsumer(
    bootstrap_servers=args.bootstrap, group_id=args.group, auto_offset_reset="earliest", enable_auto_commit=False,
    session_timeout_ms=args.session_ms, heartbeat_interval_ms=args.heartbeat_ms, reconnect_backoff_max_ms=500,
    partition_assignment_strategy=[RangePartitionAssignor, RoundRobinPartitionAssignor], **more)
consumer.subscribe([args.topic], listener=Listener())
uncommitted = False
# A commit is refused while partitions are assigned anew: who is asked to end then goes on until it has committed.
while running or uncommitted:
    try:
        batches = consumer.poll(timeout_ms=200, max_records=500)
        records = [(at.partition, record.offset) for at, batch in batches.items() for record in batch]
        if records:
            consumed(records)
        if records or uncommitted:
            uncommitted = True
            consumer.commit()
            uncommitted = False
    except KafkaError as error:
        print(f"refused {error}", file=sys.stderr, flush=True)
        uncommitted = uncommitted and isinstance(error, RebalanceInProgressError)
consumer.close()
stopped()
