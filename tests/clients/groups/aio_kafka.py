#!/usr/bin/env python3
"""A member of a group, with aiokafka. What it prints is described in `members.py`."""

from __future__ import annotations

import asyncio
import signal
import sys

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from member import assigned, committed, consumed, options, started, stopped

args = options()


class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked: set) -> None:
        # What is being handled is committed first.
        async with busy:
            assigned([])

    async def on_partitions_assigned(self, partitions: set) -> None:
        assigned(it.partition for it in partitions)


busy = asyncio.Lock()


async def main() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    more = {"group_instance_id": args.instance} if args.instance else {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=args.bootstrap, group_id=args.group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=args.session_ms, heartbeat_interval_ms=args.heartbeat_ms, metadata_max_age_ms=5_000, **more)
    consumer.subscribe([args.topic], listener=Listener())
    started()
    while True:
        try:
            await consumer.start()
            break
        except KafkaError as error:
            print(f"refused {error!r}", file=sys.stderr, flush=True)
            await asyncio.sleep(0.2)
    while not ended.is_set():
        try:
            # It returns nothing while partitions are being reassigned, and waits for the end of that.
            batches = await consumer.getmany(timeout_ms=200, max_records=500)
            records = [(at.partition, record.offset) for at, batch in batches.items() for record in batch]
            if records:
                async with busy:
                    consumed(records)
                    await consumer.commit()
                    committed()
        except KafkaError as error:
            print(f"refused {error!r}", file=sys.stderr, flush=True)
    await consumer.stop()
    stopped()


asyncio.run(main())
