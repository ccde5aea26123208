"""What is asked of Kafka's own tools, in this order, of both brokers.

{server}, {node}, {other} and {dir} stand for the broker's address, its node id, the id of another node (Kafka has one node
only, so there it is the same one) and the directory above its data directories. {file:NAME} is a file that `files` made,
{log:PARTITION} the first segment of a partition without its extension.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TOOLS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "member": "Driver$Member",
}

READING = re.compile(r"--dry-run|--describe|--list| describe | list |get-offsets")
"""What changes nothing, and may be asked again."""
LEARNED_SECONDS_MAX = 5.0


@dataclass
class Case:
    """One invocation of a tool; loganctl is one, too, since it works against any Kafka."""

    words: str
    """The tool and its arguments, separated by blanks."""
    unordered: bool = False
    """Whether the lines are compared as a set."""
    shape: bool = False
    """Whether numbers are compared by their being there only."""
    squeeze: bool = False
    """Whether several blanks are one, where columns are as wide as ids and ports."""
    bare_records: bool = False
    """Whether what a dump says of a record is compared without its place in the log."""
    objects: bool = False
    """Whether the answer is JSON objects one behind the other."""
    places: bool = False
    """Whether the answer is a list of log directories, each partition of which is compared wherever it lies."""
    offered: bool = False
    """Whether APIs that Logan does not advertise are left out of Kafka's answer."""
    only: str | None = None
    """A regular expression: lines in which it is not found are left out."""
    without: str | None = None
    """A regular expression: lines in which it is found are left out."""
    within_seconds: float = 0.0
    """For how long answers may differ, where something happens in the background."""
    accepted: str | None = None
    """The beginning of the row of docs/compatibility.md that tells the difference."""
    files: dict[str, str] = field(default_factory=dict)
    """Files that the tool reads, by name."""

    def __post_init__(self) -> None:
        # Kafka's brokers learn of a change some time after it was acknowledged.
        if READING.search(self.words):
            self.within_seconds = max(self.within_seconds, LEARNED_SECONDS_MAX)

    @property
    def tool(self) -> str:
        return self.words.split()[0]


def at(words: str, **how: object) -> Case:
    """A case whose tool is told where the broker is."""
    tool, _, arguments = words.partition(" ")
    return Case(f"{tool} --bootstrap-server {{server}} {arguments}", **how)


MOVE = '{{"version":1,"partitions":[{{"topic":"moved","partition":0,"replicas":[{node}]{dirs}}}]}}'
OFFSETS = '{{"version":1,"partitions":[{{"topic":"{topic}","partition":{partition},"offset":{offset}}}]}}'


def moved(node: str, directory: str | None = None) -> str:
    """A reassignment of moved-0."""
    return MOVE.format(node=node, dirs=f',"log_dirs":["{directory}"]' if directory else "")


def offsets(topic: str, partition: int, offset: int) -> str:
    """What kafka-delete-records reads."""
    return OFFSETS.format(topic=topic, partition=partition, offset=offset)


TOPICS = [
    at("kafka-topics --create --topic orders --partitions 3 --replication-factor 1"),
    at("kafka-topics --create --topic orders --partitions 3 --replication-factor 1"),
    at("kafka-topics --create --if-not-exists --topic orders --partitions 3"),
    at("kafka-topics --create --topic short --config retention.ms=3600000 --config segment.bytes=1048576"),
    at("kafka-topics --create --topic compacted --partitions 1 --config cleanup.policy=compact"),
    at("kafka-topics --create --topic moved --replica-assignment {node}"),
    at("kafka-topics --create --topic spread --replica-assignment {node},{other}"),
    at("kafka-topics --create --topic bad/name"),
    at("kafka-topics --create --topic wrong --config no.such.key=1"),
    at("kafka-topics --create --topic wrong --config retention.ms=soon"),
    at("kafka-topics --create --topic wrong --partitions 0"),
    at("kafka-topics --create --topic wrong --replica-assignment 77"),
    at("kafka-topics --list", unordered=True),
    at("kafka-topics --list --exclude-internal", unordered=True),
    at("kafka-topics --describe --topic orders"),
    at("kafka-topics --describe --topic short"),
    at("kafka-topics --describe --topic moved"),
    at("kafka-topics --describe --topics-with-overrides", unordered=True),
    at("kafka-topics --describe --unavailable-partitions"),
    at("kafka-topics --describe --under-replicated-partitions"),
    at("kafka-topics --describe --topic missing"),
    at("kafka-topics --describe --topic missing --if-exists"),
    at("kafka-topics --alter --topic orders --partitions 5"),
    at("kafka-topics --describe --topic orders"),
    at("kafka-topics --alter --topic orders --partitions 5"),
    at("kafka-topics --alter --topic orders --partitions 2"),
    at("kafka-topics --alter --topic moved --partitions 2 --replica-assignment {node},{other}"),
    at("kafka-topics --alter --topic missing --partitions 2"),
    at("kafka-topics --alter --topic missing --if-exists --partitions 2"),
    at("kafka-topics --create --topic doomed"),
    at("kafka-topics --delete --topic doomed"),
    at("kafka-topics --delete --topic doomed"),
    at("kafka-topics --delete --topic doomed --if-exists"),
    at("kafka-topics --list", unordered=True, within_seconds=10),
]

CONFIGS = [
    at("kafka-configs --describe --entity-type topics --entity-name short", unordered=True),
    at("kafka-configs --describe --entity-type topics --entity-name orders"),
    at("kafka-configs --describe --entity-type topics --entity-name missing"),
    at("kafka-configs --alter --entity-type topics --entity-name orders --add-config retention.ms=7200000,max.message.bytes=2000000"),
    at("kafka-configs --describe --entity-type topics --entity-name orders", unordered=True),
    at("kafka-configs --alter --entity-type topics --entity-name orders --add-config cleanup.policy=[compact,delete]"),
    at("kafka-configs --describe --entity-type topics --entity-name orders", unordered=True),
    at("kafka-configs --alter --entity-type topics --entity-name orders --delete-config retention.ms,cleanup.policy"),
    at("kafka-configs --describe --entity-type topics --entity-name orders", unordered=True),
    at("kafka-configs --alter --entity-type topics --entity-name orders --delete-config retention.ms"),
    at("kafka-configs --alter --entity-type topics --entity-name orders --add-config retention.ms=soon"),
    at("kafka-configs --alter --entity-type topics --entity-name orders --add-config no.such.key=1"),
    at("kafka-configs --alter --entity-type topics --entity-name orders --add-config min.cleanable.dirty.ratio=7"),
    at("kafka-configs --alter --entity-type topics --entity-name missing --add-config retention.ms=1"),
    at("kafka-configs --describe --all --entity-type topics --entity-name short",
       unordered=True, without=r"^\s*(logan\.|remote\.)"),
    at("kafka-configs --describe --entity-type brokers --entity-name {node}", unordered=True),
    at("kafka-configs --describe --entity-type brokers --entity-default"),
    at("kafka-configs --alter --entity-type brokers --entity-name {node} --add-config log.retention.ms=86400000"),
    at("kafka-configs --describe --entity-type brokers --entity-name {node}", unordered=True),
    at("kafka-configs --alter --entity-type brokers --entity-default --add-config message.max.bytes=1500000"),
    at("kafka-configs --describe --entity-type brokers --entity-default", unordered=True),
    at("kafka-configs --describe --all --entity-type topics --entity-name moved",
       unordered=True, only=r"^\s*(retention\.ms|max\.message\.bytes)="),
    at("kafka-configs --alter --entity-type brokers --entity-name {node} --delete-config log.retention.ms"),
    at("kafka-configs --alter --entity-type brokers --entity-default --delete-config message.max.bytes"),
    at("kafka-configs --describe --all --entity-type topics --entity-name moved",
       unordered=True, only=r"^\s*(retention\.ms|max\.message\.bytes)="),
    at("kafka-configs --alter --entity-type brokers --entity-name {node} --add-config node.id=9"),
    at("kafka-configs --alter --entity-type brokers --entity-name {node} --add-config no.such.key=1",
       accepted="an unknown key can be set on a broker"),
    at("kafka-configs --alter --entity-type brokers --entity-name {node} --add-config log.retention.ms=soon"),
]

RECORDS = [
    Case("kafka-producer-perf-test --topic short --num-records 1000 --record-size 100 --throughput -1 "
         "--producer-props bootstrap.servers={server} linger.ms=500 batch.size=1048576 buffer.memory=33554432", shape=True),
    Case("kafka-producer-perf-test --topic short --num-records 500 --record-size 100 --throughput -1 "
         "--producer-props bootstrap.servers={server} acks=1 compression.type=zstd", shape=True),
    Case("kafka-producer-perf-test --topic orders --num-records 2000 --record-size 50 --throughput -1 --print-metrics "
         "--producer-props bootstrap.servers={server}", shape=True, only="records sent"),
    at("kafka-topics --create --topic dumped"),
    Case("kafka-producer-perf-test --topic dumped --num-records 10 --record-size 10 --throughput -1 "
         "--producer-props bootstrap.servers={server} linger.ms=500", shape=True),
    at("kafka-get-offsets --topic short"),
    at("kafka-get-offsets --topic short --time earliest"),
    at("kafka-get-offsets --topic short --time latest"),
    at("kafka-get-offsets --topic short --time 0"),
    at("kafka-get-offsets --topic short --time 4102444800000"),
    at("kafka-get-offsets --topic-partitions short:0,moved:0-1"),
    at("kafka-get-offsets --topic-partitions short:7"),
    at("kafka-get-offsets --topic missing"),
    at("kafka-get-offsets --topic orders --time earliest"),
    at("kafka-get-offsets --exclude-internal-topics --time earliest", unordered=True),
    at("kafka-delete-records --offset-json-file {file:some.json}", files={"some.json": offsets("short", 0, 400)}),
    at("kafka-get-offsets --topic short --time earliest"),
    at("kafka-delete-records --offset-json-file {file:lower.json}", files={"lower.json": offsets("short", 0, 100)}),
    at("kafka-delete-records --offset-json-file {file:all.json}", files={"all.json": offsets("short", 0, -1)}),
    at("kafka-get-offsets --topic short --time earliest"),
    at("kafka-delete-records --offset-json-file {file:beyond.json}", files={"beyond.json": offsets("short", 0, 9000)}),
    at("kafka-delete-records --offset-json-file {file:compacted.json}", files={"compacted.json": offsets("compacted", 0, 3)}),
    at("kafka-consumer-perf-test --topic orders --num-records 2000 --timeout 10000 --hide-header",
       shape=True),
]

PLACES = [
    at("kafka-log-dirs --describe --topic-list orders", places=True),
    at("kafka-log-dirs --describe --topic-list missing", places=True),
    at("kafka-log-dirs --describe --broker-list {node} --topic-list moved", places=True),
    at("kafka-log-dirs --describe --broker-list 77"),
    at("kafka-reassign-partitions --list"),
    at("kafka-reassign-partitions --execute --reassignment-json-file {file:there.json}", files={"there.json": moved("{other}")}),
    at("kafka-reassign-partitions --verify --reassignment-json-file {file:there.json}",
       files={"there.json": moved("{other}")}, within_seconds=20),
    at("kafka-topics --describe --topic moved"),
    at("kafka-reassign-partitions --execute --reassignment-json-file {file:back.json}", files={"back.json": moved("{node}")}),
    at("kafka-reassign-partitions --verify --reassignment-json-file {file:back.json}",
       files={"back.json": moved("{node}")}, within_seconds=20),
    at("kafka-reassign-partitions --execute --reassignment-json-file {file:nowhere.json}", files={"nowhere.json": moved("77")}),
    at("kafka-reassign-partitions --cancel --reassignment-json-file {file:back.json}", files={"back.json": moved("{node}")}),
    at("kafka-reassign-partitions --execute --reassignment-json-file {file:disk.json}",
       files={"disk.json": moved("{node}", "{dir}/data2")}),
    at("kafka-reassign-partitions --verify --reassignment-json-file {file:disk.json}",
       files={"disk.json": moved("{node}", "{dir}/data2")}, within_seconds=20),
    at("kafka-reassign-partitions --execute --reassignment-json-file {file:nodisk.json}",
       files={"nodisk.json": moved("{node}", "{dir}/nowhere")}),
    at("kafka-reassign-partitions --generate --broker-list {node} --topics-to-move-json-file {file:topics.json}",
       files={"topics.json": '{"version":1,"topics":[{"topic":"moved"}]}'}),
]

CLUSTER = [
    at("kafka-broker-api-versions", unordered=True, offered=True),
    at("kafka-metadata-quorum describe --status", shape=True),
    at("kafka-metadata-quorum describe --replication", shape=True),
]

OWN = [
    at("loganctl topics create own --partitions 2 --config retention.ms=3600000", only="^(NAME|own)"),
    at("loganctl topics add-partitions own --total 3", only="^NAME"),
    at("loganctl topics list", unordered=True, only="^(NAME|own)"),
    at("loganctl topics add-partitions own --total 2"),
    at("loganctl topics alter own --config max.message.bytes=2000000 --delete-config retention.ms"),
    at("loganctl topics describe own --output json"),
    at("loganctl configs describe --topic own --output yaml"),
    at("loganctl configs describe --topic own retention.ms max.message.bytes"),
    at("loganctl configs set --topic own cleanup.policy=compact,delete"),
    at("loganctl configs subtract --topic own cleanup.policy=compact"),
    at("loganctl configs describe --topic own"),
    at("loganctl configs set --brokers message.max.bytes=1500000"),
    at("loganctl configs describe --brokers message.max.bytes"),
    at("loganctl configs delete --brokers message.max.bytes"),
    at("loganctl produce own --file {file:lines} --key-separator =", files={"lines": "a=1\nb=2\nc=3\nd=4\n"}),
    at("loganctl consume own --from-beginning --until-end --fields key,value", unordered=True),
    at("loganctl consume own --from-time 1h --to-time 1ms --until-end --fields key,value", unordered=True),
    at("loganctl records delete own --before-offset 1 --partition 0"),
    at("loganctl records delete own --all"),
    at("loganctl partitions list own --output json", without='"(shard|size_bytes|directory|future_directory)"'),
    at("loganctl topics delete own"),
]

STOPPED = [
    Case("kafka-dump-log --files {log:dumped-0}.log --print-data-log"),
    Case("kafka-dump-log --files {log:dumped-0}.log --deep-iteration"),
    Case("kafka-dump-log --files {log:dumped-0}.index,{log:dumped-0}.timeindex --index-sanity-check"),
    Case("kafka-dump-log --files {log:dumped-0}.timeindex"),
    Case("loganctl logs verify {log:dumped-0}.log"),
]
"""Asked when both brokers have been stopped."""

RUNNING = TOPICS + CONFIGS + RECORDS + PLACES + CLUSTER + OWN
