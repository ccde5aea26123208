"""kafka-python: the whole contract by assignment, without a consumer group."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "suite"))

import kafka  # noqa: E402
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition  # noqa: E402
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic  # noqa: E402
from kafka.errors import KafkaError  # noqa: E402

from suite import (  # noqa: E402
    KEEP_FOR_EVER, OVERSIZED_BYTES, PARTITION_COUNT, Suite, Variant, WAIT_SECONDS_MAX, compare, expected, refused, variants,
    wait_until,
)

suite = Suite(__doc__)
common = {"bootstrap_servers": suite.bootstrap}
topic = f"{suite.prefix}-data"
unknown = f"{suite.prefix}-unknown"
wanted = variants(null_headers=False)  # kafka-python refuses to send them
admin = KafkaAdminClient(**common)
consumer = KafkaConsumer(
    **common, group_id=None, auto_offset_reset="none", allow_auto_create_topics=False, consumer_timeout_ms=WAIT_SECONDS_MAX * 1000,
)


def error_name(error: BaseException) -> str:
    return getattr(error, "message", "") if isinstance(error, KafkaError) else ""


def create(name: str, replication: int = 1, partitions: int = PARTITION_COUNT) -> None:
    admin.create_topics([NewTopic(name, partitions, replication, topic_configs=KEEP_FOR_EVER)])


def send(config: dict, rows: list[dict], to: str = topic) -> None:
    """Produces the rows and raises the first delivery error."""
    producer = KafkaProducer(**common, **config)
    try:
        futures = [producer.send(to, **row) for row in rows]
        producer.flush(WAIT_SECONDS_MAX)
        for future in futures:
            future.get(WAIT_SECONDS_MAX)
    finally:
        producer.close(5)


def produce(variant: Variant) -> None:
    config = {
        "compression_type": None if variant.codec == "none" else variant.codec,
        "acks": "all" if variant.acks == "all" else int(variant.acks),
        "enable_idempotence": variant.idempotent,
        "linger_ms": 5,
    }
    send(config, [
        {"key": s.key, "value": s.value, "headers": list(s.headers), "partition": s.partition, "timestamp_ms": s.timestamp_ms}
        for s in variant.samples
    ])
    if variant.acks == "0":
        for partition in range(PARTITION_COUNT):
            end = max(s.offset for s in variant.samples if s.partition == partition) + 1
            at = TopicPartition(topic, partition)
            wait_until(f"end offset {end}", lambda: consumer.end_offsets([at])[at] >= end)


def read(partition: int, offset: int, count: int) -> list[tuple]:
    at = TopicPartition(topic, partition)
    consumer.assign([at])
    consumer.seek(at, offset)
    messages = []
    while len(messages) < count:
        batches = consumer.poll(timeout_ms=WAIT_SECONDS_MAX * 1000, max_records=count - len(messages))
        assert batches, f"{len(messages)} of {count} records within {WAIT_SECONDS_MAX} s"
        messages += batches[at]
    return [(m.offset, m.timestamp, m.key, m.value, tuple(tuple(h) for h in m.headers)) for m in messages]


print(f"# kafka-python {kafka.__version__}")
with suite.check("metadata lists every node"):
    nodes = admin.describe_cluster()["brokers"]
    assert len(nodes) == suite.nodes, f"{len(nodes)} nodes instead of {suite.nodes}"
with suite.check("create a topic"):
    create(topic)
    wait_until("the topic", lambda: consumer.partitions_for_topic(topic) == set(range(PARTITION_COUNT)))
with suite.check("create: an existing topic is TOPIC_ALREADY_EXISTS"):
    refused("TOPIC_ALREADY_EXISTS", lambda: create(topic), error_name)
with suite.check("create: a bad name is INVALID_TOPIC"):
    refused("INVALID_TOPIC", lambda: create(f"{suite.prefix} bad"), error_name)
with suite.check("create: no partitions is INVALID_PARTITIONS"):
    refused("INVALID_PARTITIONS", lambda: create(f"{suite.prefix}-none", partitions=0), error_name)
with suite.check("create: too many replicas is INVALID_REPLICATION_FACTOR"):
    refused("INVALID_REPLICATION_FACTOR", lambda: create(f"{suite.prefix}-replicas", replication=9), error_name)
with suite.check("describe the topic's configuration"):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    assert "1048588" in str(admin.describe_configs([resource], config_filter="all"))
for each in wanted:
    with suite.check(f"produce {each}"):
        produce(each)
with suite.check("read from the beginning"):
    for p in range(PARTITION_COUNT):
        samples = expected(wanted, p)
        compare(samples, read(p, 0, len(samples)))
with suite.check("read from an offset"):
    for p in range(PARTITION_COUNT):
        samples = expected(wanted, p)[37:]
        compare(samples, read(p, 37, len(samples)))
with suite.check("read from a timestamp"):
    for p in range(PARTITION_COUNT):
        samples = expected(wanted, p)[53:]
        at = TopicPartition(topic, p)
        found = consumer.offsets_for_times({at: samples[0].timestamp_ms})[at]
        assert (found.offset, found.timestamp) == (samples[0].offset, samples[0].timestamp_ms), found
        compare(samples, read(p, found.offset, len(samples)))
with suite.check("list earliest and latest offsets"):
    for p in range(PARTITION_COUNT):
        at = TopicPartition(topic, p)
        ends = (consumer.beginning_offsets([at])[at], consumer.end_offsets([at])[at])
        assert ends == (0, len(expected(wanted, p))), ends
with suite.check("fetch: an offset beyond the end is OFFSET_OUT_OF_RANGE"):
    refused("OffsetOutOfRangeError", lambda: read(0, 1_000_000, 1), lambda error: type(error).__name__)
with suite.check("metadata: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION"):
    found = [t["error_code"] for t in admin.describe_topics([unknown])]
    assert found == [3], found
with suite.check("produce: an oversized record is MESSAGE_SIZE_TOO_LARGE"):
    refused("MESSAGE_SIZE_TOO_LARGE", lambda: send({"max_request_size": 8 << 20}, [{"value": bytes(OVERSIZED_BYTES)}]), error_name)
with suite.check("produce: an unknown topic is created"):
    send({}, [{"value": b"x"}], f"{suite.prefix}-auto")
with suite.check("delete a topic"):
    admin.delete_topics([f"{suite.prefix}-auto"])
    wait_until("deletion", lambda: f"{suite.prefix}-auto" not in admin.list_topics())
with suite.check("delete: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION"):
    refused("UNKNOWN_TOPIC_OR_PARTITION", lambda: admin.delete_topics([unknown]), error_name)
consumer.close()
admin.close()
suite.finish()
