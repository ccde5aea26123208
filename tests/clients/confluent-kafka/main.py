"""confluent-kafka (librdkafka): the whole contract by assignment, without a consumer group."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "suite"))

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition, libversion  # noqa: E402
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic  # noqa: E402

from suite import (  # noqa: E402
    KEEP_FOR_EVER, OVERSIZED_BYTES, PARTITION_COUNT, Suite, Variant, WAIT_SECONDS_MAX, compare, expected, refused, variants,
    wait_until,
)

suite = Suite(__doc__)
common = {"bootstrap.servers": suite.bootstrap}
admin = AdminClient(common)
topic = f"{suite.prefix}-data"
wanted = variants()


def error_name(error: BaseException) -> str:
    return error.args[0].name().lstrip("_") if isinstance(error, KafkaException) else ""


def create(name: str, replication: int = 1, partitions: int = PARTITION_COUNT) -> None:
    admin.create_topics([NewTopic(name, partitions, replication, config=KEEP_FOR_EVER)])[name].result(WAIT_SECONDS_MAX)


def send(config: dict, rows: list[dict], to: str = topic) -> None:
    """Produces the rows and raises the first delivery error."""
    errors: list[KafkaError] = []
    producer = Producer({**common, "message.timeout.ms": 15000, **config})
    for row in rows:
        producer.produce(to, on_delivery=lambda error, _: errors.append(error) if error else None, **row)
    left = producer.flush(WAIT_SECONDS_MAX)
    if errors:
        raise KafkaException(errors[0])
    assert left == 0, f"{left} records undelivered"


def produce(variant: Variant) -> None:
    config = {"compression.type": variant.codec, "linger.ms": 5}
    config |= {"enable.idempotence": True} if variant.idempotent else {"acks": variant.acks}
    send(config, [
        {"key": s.key, "value": s.value, "headers": list(s.headers), "partition": s.partition, "timestamp": s.timestamp_ms}
        for s in variant.samples
    ])
    if variant.acks == "0":
        for partition in range(PARTITION_COUNT):
            end = max(s.offset for s in variant.samples if s.partition == partition) + 1
            wait_until(f"end offset {end}", lambda: consumer.get_watermark_offsets(TopicPartition(topic, partition), 5)[1] >= end)


def read(partition: int, offset: int, count: int) -> list[tuple]:
    consumer.assign([TopicPartition(topic, partition, offset)])
    messages = []
    while len(messages) < count:
        batch = consumer.consume(count - len(messages), WAIT_SECONDS_MAX)
        assert batch, f"{len(messages)} of {count} records within {WAIT_SECONDS_MAX} s"
        for message in batch:
            if message.error():
                raise KafkaException(message.error())
        messages += batch
    return [(m.offset(), m.timestamp()[1], m.key(), m.value(), tuple(m.headers() or ())) for m in messages]


def describe_unknown() -> None:
    unknown = f"{suite.prefix}-unknown"
    if error := consumer.list_topics(unknown, WAIT_SECONDS_MAX).topics[unknown].error:
        raise KafkaException(error)


consumer = Consumer({
    # librdkafka wants a group id even for an assignment; nothing is ever committed and no group is joined.
    **common, "group.id": "unused", "enable.auto.commit": False, "enable.auto.offset.store": False,
    "auto.offset.reset": "error", "allow.auto.create.topics": False, "check.crcs": True,
})

print(f"# librdkafka {libversion()[0]}")
with suite.check("metadata lists every node"):
    brokers = admin.list_topics(timeout=WAIT_SECONDS_MAX).brokers
    assert len(brokers) == suite.nodes, f"{len(brokers)} nodes instead of {suite.nodes}"
with suite.check("describe the cluster"):
    assert admin.describe_cluster().result(WAIT_SECONDS_MAX).cluster_id
with suite.check("create a topic"):
    create(topic)
    wait_until("the topic", lambda: len(admin.list_topics(topic, 5).topics[topic].partitions) == PARTITION_COUNT)
with suite.check("create: an existing topic is TOPIC_ALREADY_EXISTS"):
    refused("TOPIC_ALREADY_EXISTS", lambda: create(topic), error_name)
with suite.check("create: a bad name is TOPIC_EXCEPTION"):
    refused("TOPIC_EXCEPTION", lambda: create(f"{suite.prefix} bad"), error_name)
with suite.check("create: no partitions is INVALID_PARTITIONS"):
    refused("INVALID_PARTITIONS", lambda: create(f"{suite.prefix}-none", partitions=0), error_name)
with suite.check("create: too many replicas is INVALID_REPLICATION_FACTOR"):
    refused("INVALID_REPLICATION_FACTOR", lambda: create(f"{suite.prefix}-replicas", replication=9), error_name)
with suite.check("describe the topic's configuration"):
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entries = admin.describe_configs([resource])[resource].result(WAIT_SECONDS_MAX)
    assert entries["max.message.bytes"].value == "1048588", entries["max.message.bytes"].value
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
        found = consumer.offsets_for_times([TopicPartition(topic, p, samples[0].timestamp_ms)], WAIT_SECONDS_MAX)[0].offset
        assert found == samples[0].offset, f"offset {found} instead of {samples[0].offset}"
        compare(samples, read(p, found, len(samples)))
with suite.check("list earliest and latest offsets"):
    for p in range(PARTITION_COUNT):
        ends = consumer.get_watermark_offsets(TopicPartition(topic, p), WAIT_SECONDS_MAX)
        assert ends == (0, len(expected(wanted, p))), ends
with suite.check("fetch: an offset beyond the end is out of range"):
    refused("AUTO_OFFSET_RESET", lambda: read(0, 1_000_000, 1), error_name)
with suite.check("metadata: an unknown topic is UNKNOWN_TOPIC_OR_PART"):
    refused("UNKNOWN_TOPIC_OR_PART", describe_unknown, error_name)
with suite.check("produce: an oversized record is MSG_SIZE_TOO_LARGE"):
    refused("MSG_SIZE_TOO_LARGE", lambda: send({"message.max.bytes": 8 << 20}, [{"value": bytes(OVERSIZED_BYTES)}]), error_name)
with suite.check("produce: acks=2 is INVALID_REQUIRED_ACKS"):
    refused("INVALID_REQUIRED_ACKS", lambda: send({"acks": 2}, [{"value": b"x"}]), error_name)
with suite.check("produce: an unknown topic is created"):
    send({}, [{"value": b"x"}], f"{suite.prefix}-auto")
with suite.check("delete a topic"):
    admin.delete_topics([f"{suite.prefix}-auto"])[f"{suite.prefix}-auto"].result(WAIT_SECONDS_MAX)
    wait_until("deletion", lambda: f"{suite.prefix}-auto" not in admin.list_topics(timeout=5).topics)
with suite.check("delete: an unknown topic is UNKNOWN_TOPIC_OR_PART"):
    unknown = f"{suite.prefix}-unknown"
    refused("UNKNOWN_TOPIC_OR_PART", lambda: admin.delete_topics([unknown])[unknown].result(WAIT_SECONDS_MAX), error_name)
consumer.close()
suite.finish()
