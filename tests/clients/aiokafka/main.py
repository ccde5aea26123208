"""aiokafka: the whole contract by assignment, without a consumer group."""

import asyncio
import sys
from collections.abc import Awaitable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "suite"))

import aiokafka  # noqa: E402
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # noqa: E402
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: E402
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: E402
from aiokafka.errors import KafkaError, for_code  # noqa: E402

from suite import (  # noqa: E402
    KEEP_FOR_EVER, OVERSIZED_BYTES, PARTITION_COUNT, Sample, Suite, Variant, WAIT_SECONDS_MAX, compare, expected, refused,
    variants,
)

suite = Suite(__doc__)
common = {"bootstrap_servers": suite.bootstrap}
topic = f"{suite.prefix}-data"
unknown = f"{suite.prefix}-unknown"
wanted = variants()


def error_name(error: BaseException) -> str:
    return error.message if isinstance(error, KafkaError) else ""


async def refuse(name: str, act: Awaitable) -> None:
    """Asserts that awaiting `act` is refused with the Kafka error `name`."""
    try:
        await act
    except KafkaError as error:
        refused(name, lambda: _raise(error), error_name)
        return
    raise AssertionError(f"accepted, wanted {name}")


def _raise(error: BaseException) -> None:
    raise error


async def eventually(what: str, condition) -> None:
    """Awaits a condition that has no reply of its own (acks=0, deletion)."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not await condition():
            await asyncio.sleep(0.05)


async def create(admin: AIOKafkaAdminClient, name: str, replication: int = 1, partitions: int = PARTITION_COUNT) -> None:
    # aiokafka returns the response as it came: the error code is the second field of each topic.
    new = NewTopic(name, partitions, replication, topic_configs=KEEP_FOR_EVER)
    for row in (await admin.create_topics([new])).topic_errors:
        if row[1]:
            raise for_code(row[1])()


async def delete(admin: AIOKafkaAdminClient, name: str) -> None:
    for row in (await admin.delete_topics([name])).topic_error_codes:
        if row[1]:
            raise for_code(row[1])()


def row_of(sample: Sample) -> dict:
    return {
        "key": sample.key, "value": sample.value, "headers": list(sample.headers),
        "partition": sample.partition, "timestamp_ms": sample.timestamp_ms,
    }


async def send(config: dict, rows: list[dict], to: str = topic) -> None:
    """Produces the rows and raises the first delivery error."""
    async with AIOKafkaProducer(**common, **config) as producer:
        futures = [await producer.send(to, **row) for row in rows]
        await producer.flush()
        await asyncio.wait_for(asyncio.gather(*futures), WAIT_SECONDS_MAX)


async def produce(consumer: AIOKafkaConsumer, variant: Variant) -> None:
    config = {
        "compression_type": None if variant.codec == "none" else variant.codec,
        "acks": "all" if variant.acks == "all" else int(variant.acks),
        "enable_idempotence": variant.idempotent,
        "linger_ms": 5,
    }
    await send(config, [row_of(sample) for sample in variant.samples])
    if variant.acks != "0":
        return
    for partition in range(PARTITION_COUNT):
        end = max(s.offset for s in variant.samples if s.partition == partition) + 1
        at = TopicPartition(topic, partition)

        async def reached(at: TopicPartition = at, end: int = end) -> bool:
            return (await consumer.end_offsets([at]))[at] >= end

        await eventually(f"end offset {end}", reached)


async def read(consumer: AIOKafkaConsumer, partition: int, offset: int, count: int) -> list[tuple]:
    at = TopicPartition(topic, partition)
    consumer.assign([at])
    consumer.seek(at, offset)
    messages = []
    while len(messages) < count:
        batches = await consumer.getmany(at, timeout_ms=WAIT_SECONDS_MAX * 1000, max_records=count - len(messages))
        assert batches, f"{len(messages)} of {count} records within {WAIT_SECONDS_MAX} s"
        messages += batches[at]
    return [(m.offset, m.timestamp, m.key, m.value, tuple(m.headers)) for m in messages]


async def check_topics(admin: AIOKafkaAdminClient) -> None:
    with suite.check("metadata lists every node"):
        nodes = (await admin.describe_cluster())["brokers"]
        assert len(nodes) == suite.nodes, f"{len(nodes)} nodes instead of {suite.nodes}"
    with suite.check("create a topic"):
        await create(admin, topic)
    with suite.check("create: an existing topic is TOPIC_ALREADY_EXISTS"):
        await refuse("TOPIC_ALREADY_EXISTS", create(admin, topic))
    with suite.check("create: a bad name is INVALID_TOPIC"):
        await refuse("INVALID_TOPIC", create(admin, f"{suite.prefix} bad"))
    with suite.check("create: no partitions is INVALID_PARTITIONS"):
        await refuse("INVALID_PARTITIONS", create(admin, f"{suite.prefix}-none", partitions=0))
    with suite.check("create: too many replicas is INVALID_REPLICATION_FACTOR"):
        await refuse("INVALID_REPLICATION_FACTOR", create(admin, f"{suite.prefix}-replicas", replication=9))
    with suite.check("describe the topic's configuration"):
        assert "1048588" in str(await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))


async def check_reads(consumer: AIOKafkaConsumer) -> None:
    with suite.check("read from the beginning"):
        for p in range(PARTITION_COUNT):
            samples = expected(wanted, p)
            compare(samples, await read(consumer, p, 0, len(samples)))
    with suite.check("read from an offset"):
        for p in range(PARTITION_COUNT):
            samples = expected(wanted, p)[37:]
            compare(samples, await read(consumer, p, 37, len(samples)))
    with suite.check("read from a timestamp"):
        for p in range(PARTITION_COUNT):
            samples = expected(wanted, p)[53:]
            at = TopicPartition(topic, p)
            found = (await consumer.offsets_for_times({at: samples[0].timestamp_ms}))[at]
            assert (found.offset, found.timestamp) == (samples[0].offset, samples[0].timestamp_ms), found
            compare(samples, await read(consumer, p, found.offset, len(samples)))
    with suite.check("list earliest and latest offsets"):
        for p in range(PARTITION_COUNT):
            at = TopicPartition(topic, p)
            ends = ((await consumer.beginning_offsets([at]))[at], (await consumer.end_offsets([at]))[at])
            assert ends == (0, len(expected(wanted, p))), ends
    with suite.check("fetch: an offset beyond the end is OFFSET_OUT_OF_RANGE"):
        await refuse("OFFSET_OUT_OF_RANGE", read(consumer, 0, 1_000_000, 1))


async def check_errors(admin: AIOKafkaAdminClient) -> None:
    auto = f"{suite.prefix}-auto"
    with suite.check("describe configurations: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION"):
        # This client's metadata requests always ask for the topic to be created, so they cannot provoke it.
        responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, unknown)])
        codes = [resource[0] for response in responses for resource in response.resources]
        assert codes == [3], codes
    with suite.check("produce: an oversized record is MESSAGE_SIZE_TOO_LARGE"):
        row = {"value": bytes(OVERSIZED_BYTES)}
        await refuse("MESSAGE_SIZE_TOO_LARGE", send({"max_request_size": 8 << 20}, [row]))
    with suite.check("produce: an unknown topic is created"):
        await send({}, [{"value": b"x"}], auto)
    with suite.check("delete a topic"):
        await delete(admin, auto)

        async def gone() -> bool:
            return auto not in await admin.list_topics()

        await eventually("deletion", gone)
    with suite.check("delete: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION"):
        await refuse("UNKNOWN_TOPIC_OR_PARTITION", delete(admin, f"{suite.prefix}-missing"))


async def main() -> None:
    print(f"# aiokafka {aiokafka.__version__}")
    admin = AIOKafkaAdminClient(**common)
    await admin.start()
    await check_topics(admin)
    async with AIOKafkaConsumer(**common, group_id=None, auto_offset_reset="none") as consumer:
        for variant in wanted:
            with suite.check(f"produce {variant}"):
                await produce(consumer, variant)
        await check_reads(consumer)
    await check_errors(admin)
    await admin.close()


asyncio.run(main())
suite.finish()
