#!/usr/bin/env python3
"""A member of a group, with kafka-python. What it prints is described in `members.py`."""

from __future__ import annotations

import signal
import sys

from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError, RebalanceInProgressError

from member import COMMITS_MAX, assigned, committed, consumed, options, started, stopped

args = options()
POLL_MS = 30_000
"""When a poll's time is over between the answers to JoinGroup and SyncGroup, this client (3.0.12) forgets that it has joined: it has
no partitions, sends no heartbeats and never joins again. Polls return with the first records, so that the time does not matter
otherwise."""
running = True


def stop(*_: object) -> None:
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
owned: set[TopicPartition] = set()
positions: dict[TopicPartition, OffsetAndMetadata] = {}
"""What was given to this member and is not committed yet."""


class Listener(AsyncConsumerRebalanceListener):
    """Called within polls, on the loop that talks to the broker."""

    async def on_partitions_revoked(self, partitions: set) -> None:
        # What could not be committed while the others were joining; the next rebalance may have begun already.
        left = {it: positions[it] for it in partitions if it in positions}
        for _ in range(COMMITS_MAX if left else 0):
            try:
                await consumer.commit_async(left)
                committed((at.partition, it.offset - 1) for at, it in left.items())
                break
            except RebalanceInProgressError:
                continue
            except KafkaError as error:
                print(f"refused at the revocation {error!r}", file=sys.stderr, flush=True)
                break
        await self.on_partitions_lost(partitions)

    async def on_partitions_lost(self, partitions: set) -> None:
        owned.difference_update(partitions)
        for it in partitions:
            positions.pop(it, None)
        assigned(it.partition for it in owned)

    async def on_partitions_assigned(self, partitions: set) -> None:
        owned.update(partitions)
        assigned(it.partition for it in owned)


more = {"group_instance_id": args.instance} if args.instance else {}
assignors = [CooperativeStickyAssignor] if args.protocol == "cooperative" else [RangePartitionAssignor, RoundRobinPartitionAssignor]
started()
consumer = KafkaConsumer(
    bootstrap_servers=args.bootstrap, group_id=args.group, auto_offset_reset="earliest", enable_auto_commit=False,
    session_timeout_ms=args.session_ms, heartbeat_interval_ms=args.heartbeat_ms, reconnect_backoff_max_ms=500,
    # A broker may be away when it begins, and on a busy machine for longer than the 30 s that it waits otherwise.
    bootstrap_timeout_ms=120_000, partition_assignment_strategy=assignors, **more)
consumer.subscribe([args.topic], listener=Listener())
# A commit is refused while partitions are assigned anew: who is asked to end then goes on until it has committed.
while running or positions:
    try:
        batches = consumer.poll(timeout_ms=POLL_MS, max_records=500)
        records = [(at.partition, record.offset) for at, batch in batches.items() for record in batch]
        if records:
            consumed(records)
            positions.update({at: OffsetAndMetadata(batch[-1].offset + 1, "", -1) for at, batch in batches.items() if batch})
        if positions:
            consumer.commit(dict(positions))
            committed()
            positions.clear()
    except KafkaError as error:
        # What is lost for good was told to the listener.
        print(f"refused {error!r}", file=sys.stderr, flush=True)
consumer.close()
stopped()
