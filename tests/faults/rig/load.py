"""Everything at once, and what all of it was told: clients of three languages, retention, DeleteRecords, compaction, groups,
topics that come and go, configurations, moves between shards and between directories."""

from __future__ import annotations

import random
import struct
import subprocess
import threading
import time
from collections.abc import Iterator

from .broker import CLIENTS, QUIET, Actor, Wire, install
from .history import FOREVER, History, Log, compacted, retained

from checks import Commits, Failure, Progress, check_order  # noqa: E402, of tests/clients/groups
from members import Member, commands, pairs  # noqa: E402
from moves.wire import Admin, Refused  # noqa: E402

PARTITIONS = 3
OLD_PARTITIONS = 2
SMALL = {"segment.bytes": str(1 << 20), "segment.ms": "1500"}
"""Segments end often, by their age."""
RETENTION_BYTES = 512 << 10
VALUE_BYTES = 1000
KEYS = 60
FILLER_MAX = 1500
"""As in the journals."""
BEGIN_SECONDS_MAX = 90
END_SECONDS_MAX = 180
READ_SECONDS_MAX = 60
ALTER_LOG_DIRS, ALTER_LOG_DIRS_VERSION = 34, 1
LANGUAGES = ("librdkafka", "franz-go", "java")
BRIEF_MAX = 6
SETTINGS = {
    "log.retention.check.interval.ms": "300", "log.segment.delete.delay.ms": "300", "log.cleaner.backoff.ms": "200",
    "log.cleaner.min.cleanable.ratio": "0.05", "log.flush.offset.checkpoint.interval.ms": "1000", "log.roll.jitter.ms": "0",
    "offsets.topic.num.partitions": "4", "offsets.topic.segment.bytes": str(1 << 20), "group.initial.rebalance.delay.ms": "0",
    "group.consumer.heartbeat.interval.ms": "500", "group.consumer.min.heartbeat.interval.ms": "100",
}
"""Of a broker under this load: background work at any moment."""


def journal(language: str) -> list[str]:
    source = CLIENTS / "journal"
    if language == "librdkafka":
        return [str(install.python()), str(source / "journal.py")]
    if language == "franz-go":
        return [str(install.go("journal"))]
    classes = install.CACHE / "journal-java"
    if not (classes / "Journal.class").exists() or (classes / "Journal.class").stat().st_mtime < (source / "Journal.java").stat().st_mtime:
        classes.mkdir(parents=True, exist_ok=True)
        subprocess.run(["javac", "-cp", f"{install.java()}/*", "-d", str(classes), str(source / "Journal.java")], check=True)
    return ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{classes}:{install.java()}/*", "Journal"]


class Client:
    """A journal of one language, and what it has told."""

    def __init__(self, language: str, bootstrap: str, rate: int) -> None:
        self.history = History(language, PARTITIONS)
        self.sent: int | None = None
        words = ["--bootstrap", bootstrap, "--topic", language, "--partitions", str(PARTITIONS), "--rate", str(rate)]
        self.process = subprocess.Popen([*journal(language), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, start_new_session=True)
        self._threads = [threading.Thread(target=self._hear, daemon=True), threading.Thread(target=self._drain, daemon=True)]
        self.stderr: list[str] = []
        for thread in self._threads:
            thread.start()

    def _hear(self) -> None:
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "ack":
                self.history.ack(*map(int, rest.split()))
            elif word == "got":
                self.history.got(*map(int, rest.split()))
            elif word == "end":
                self.sent = int(rest)
            elif word == "fault":
                self.history.fault(rest)

    def _drain(self) -> None:
        for line in self.process.stderr:
            if len(self.stderr) < 200:
                self.stderr.append(line)

    def ask_to_end(self) -> None:
        try:
            self.process.stdin.write("enough\n")
            self.process.stdin.flush()
        except OSError:
            pass  # It has ended, which `await_end` tells.

    def await_end(self) -> None:
        try:
            self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.history.fault(f"{END_SECONDS_MAX} s after the last record the client has not ended")
            self.kill()
        for thread in self._threads:
            thread.join(END_SECONDS_MAX)
        if self.sent is None:
            self.history.fault(f"the client ended with {self.process.returncode}: {''.join(self.stderr)[-500:]}")
        elif self.sent != len(self.history.acknowledged):
            self.history.fault(f"{self.sent} records were sent, {len(self.history.acknowledged)} acknowledged")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Old:
    """Topics that lose records: `kept` by retention, `trimmed` by DeleteRecords, `newest` by compaction."""

    def __init__(self, bootstrap: str, rate: int) -> None:
        from confluent_kafka import Producer

        self.kept = History("kept", OLD_PARTITIONS, may_lose_old=True)
        self.trimmed = History("trimmed", OLD_PARTITIONS, may_lose_old=True)
        self.newest = History("newest", OLD_PARTITIONS, has_gaps=True)
        self._producers = {
            history.topic: Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2,
                                     "message.timeout.ms": 120_000, **QUIET})
            for history in self.all}
        self._rate = rate
        self._number = 0
        self._began = time.monotonic()
        self.actor = Actor("old", self._step)

    @property
    def all(self) -> list[History]:
        return [self.kept, self.trimmed, self.newest]

    def _step(self) -> None:
        number = self._number
        for history in self.all:
            try:
                self._producers[history.topic].produce(
                    history.topic, b"%020d" % number + bytes(VALUE_BYTES - 20), key=b"%d" % (number % KEYS),
                    partition=number % OLD_PARTITIONS,
                    on_delivery=lambda error, message, history=history: self._delivered(history, error, message))
            except BufferError:
                self._producers[history.topic].poll(0.05)
                history.fault("a producer's queue was full")
        self._number += 1
        left = max(0.0, self._began + self._number / self._rate - time.monotonic())
        for producer in self._producers.values():
            producer.poll(left / len(self.all))

    @staticmethod
    def _delivered(history: History, error: object, message) -> None:
        if error:
            history.fault(f"record {message.value()[:20].decode()}: {error}")
        else:
            history.ack(time.time_ns(), message.partition(), message.offset(), int(message.value()[:20]))

    def await_end(self) -> None:
        self.actor.end()
        for history in self.all:
            if left := self._producers[history.topic].flush(END_SECONDS_MAX):
                history.fault(f"{left} records were never answered")


class Decisions:
    """An administrator, and what it was told: each answer is a promise."""

    def __init__(self, bootstrap: str, chance: random.Random, trimmed: History) -> None:
        from confluent_kafka.admin import AdminClient

        self._admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
        self._chance = chance
        self._trimmed = trimmed
        self.made: dict[str, int] = {}
        """Topics, and when their creation was answered."""
        self.deleted: dict[str, int] = {}
        self.doubtful: set[str] = set()
        """Topics about which the last request was not answered, or is on its way."""
        self.starts: list[tuple[int, int, int]] = []
        """When it was answered, the partition, and the offset before which everything is gone."""
        self.starts_max: dict[int, int] = {}
        """The highest offset that was asked for."""
        self.values: list[tuple[int, int]] = []
        """When a value of the topic configuration that counts up was answered."""
        self.value_max = 0
        self.actor = Actor("decisions", self._step)

    def _step(self) -> None:
        from confluent_kafka import KafkaException

        act = self._chance.choice((self._make, self._delete, self._trim, self._configure))
        try:
            act()
        except KafkaException:
            pass  # The broker went away: nothing is promised.
        self.actor.stopping.wait(self._chance.uniform(0, 0.2))

    def _make(self) -> None:
        from confluent_kafka.admin import NewTopic

        if len(self.made) - len(self.deleted) > BRIEF_MAX:
            return
        name = f"brief-{self._chance.randrange(1 << 48):012x}"
        self.doubtful.add(name)
        self._admin.create_topics([NewTopic(name, 2, 1)], request_timeout=5)[name].result(6)
        self.made[name] = time.time_ns()
        self.doubtful.discard(name)

    def _delete(self) -> None:
        names = [name for name in list(self.made) if name not in self.deleted and name not in self.doubtful]
        if not names:
            return
        name = self._chance.choice(names)
        self.doubtful.add(name)
        self._admin.delete_topics([name], request_timeout=5)[name].result(6)
        self.deleted[name] = time.time_ns()

    def _trim(self) -> None:
        from confluent_kafka import TopicPartition

        partition = self._chance.randrange(OLD_PARTITIONS)
        end = self._trimmed.end(partition)
        offset = int(end * self._chance.uniform(0.5, 0.9))
        if offset <= self.starts_max.get(partition, 0):
            return
        self.starts_max[partition] = offset
        wanted = TopicPartition("trimmed", partition, offset)
        self._admin.delete_records([wanted], request_timeout=5)[wanted].result(6)
        self.starts.append((time.time_ns(), partition, offset))

    def _configure(self) -> None:
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

        self.value_max += 1
        entry = ConfigEntry("max.message.bytes", str(2_000_000 + self.value_max), incremental_operation=AlterConfigOpType.SET)
        wanted = ConfigResource("topic", "kept", incremental_configs=[entry])
        self._admin.incremental_alter_configs([wanted], request_timeout=5)[wanted].result(6)
        self.values.append((time.time_ns(), self.value_max))

    def compare(self, bootstrap: str, starts: dict[int, int], at: int = FOREVER) -> Iterator[str]:
        """Holds a broker's metadata against all that was answered before an instant."""
        from confluent_kafka.admin import AdminClient, ConfigResource

        admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
        topics = set(admin.list_topics(timeout=READ_SECONDS_MAX).topics)
        for name, when in self.made.copy().items():
            is_gone = self.deleted.get(name, FOREVER) < at
            # A deletion that was asked for and not answered may have happened.
            if when < at and name not in topics and name not in self.doubtful and name not in self.deleted:
                yield f"topic {name} was made and is not there"
            if is_gone and name in topics:
                yield f"topic {name} was deleted and is there"
        for when, partition, offset in list(self.starts):
            if when < at and starts[partition] < offset:
                yield f"trimmed: partition {partition} begins at {starts[partition]}, records before {offset} were deleted"
        for partition, offset in self.starts_max.copy().items():
            if starts[partition] > offset:
                yield f"trimmed: partition {partition} begins at {starts[partition]}, beyond {offset}, the most that was asked for"
        wanted = ConfigResource("topic", "kept")
        value = int(admin.describe_configs([wanted])[wanted].result(READ_SECONDS_MAX)["max.message.bytes"].value) - 2_000_000
        promised = max((value for when, value in list(self.values) if when < at), default=0)
        if not promised <= max(value, 0) <= self.value_max:
            yield f"a configuration was set to {promised} and is {value}"


class Moves:
    """Moves partitions between shards, and between directories where there are several."""

    def __init__(self, port: int, chance: random.Random, shards: int, directories: list[str]) -> None:
        self._port = port
        self._chance = chance
        self._shards = shards
        self._directories = directories
        self.shards = self.directories = 0
        self.actor = Actor("moves", self._step)

    def _step(self) -> None:
        try:
            topic = self._chance.choice((*LANGUAGES, "kept", "trimmed", "newest"))
            partition = self._chance.randrange(PARTITIONS if topic in LANGUAGES else OLD_PARTITIONS)
            if len(self._directories) > 1 and self._chance.random() < 0.2:
                self._to_directory(topic, partition, self._chance.choice(self._directories))
                self.directories += 1
            else:
                Admin(self._port).move(topic, {partition: self._chance.randrange(self._shards)})
                self.shards += 1
        except (OSError, Refused, struct.error):
            pass  # The broker is away, or the partition is on its way already.
        self.actor.stopping.wait(self._chance.uniform(0.02, 0.4))

    def _to_directory(self, topic: str, partition: int, directory: str) -> None:
        def string(text: str) -> bytes:
            return struct.pack(">h", len(text)) + text.encode()

        wire = Wire(self._port)
        try:
            body = struct.pack(">i", 1) + string(directory) + struct.pack(">i", 1) + string(topic) + struct.pack(">ii", 1, partition)
            wire.send(ALTER_LOG_DIRS, ALTER_LOG_DIRS_VERSION, body)
            wire.receive()
        finally:
            wire.close()


class Load:
    """All of it. `directories` are the broker's log directories; `port` may be that of a broker that is away at times."""

    def __init__(self, bootstrap: str, port: int, seed: int, rate: int, languages: tuple[str, ...], shards: int,
                 directories: list[str]) -> None:
        from confluent_kafka.admin import AdminClient, NewTopic

        self.bootstrap = bootstrap
        self.port = port
        chance = random.Random(seed)
        admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
        topics = [NewTopic(name, PARTITIONS, 1, config=SMALL) for name in languages] + [
            NewTopic("kept", OLD_PARTITIONS, 1, config=SMALL | {"retention.bytes": str(RETENTION_BYTES)}),
            NewTopic("trimmed", OLD_PARTITIONS, 1, config=SMALL),
            NewTopic("newest", OLD_PARTITIONS, 1, config=SMALL | {"cleanup.policy": "compact"})]
        for future in admin.create_topics(topics).values():
            future.result(60)
        self.clients = [Client(language, bootstrap, rate) for language in languages]
        self.old = Old(bootstrap, rate)
        self.decisions = Decisions(bootstrap, random.Random(chance.random()), self.old.trimmed)
        self.moves = Moves(port, random.Random(chance.random()), shards, directories)
        self.groups: dict[tuple[str, str], list[Member]] = {}
        self._join("confluent-kafka", "eager", languages[0], bootstrap)
        if "franz-go" in languages:
            self._join("franz-go", "consumer", languages[-1], bootstrap)
        self.old.actor.start()
        # A producer whose first batches meet a move may send the second where it is the first: Kafka takes it as well, and the
        # first one is out of order for ever. Moves begin when every producer is known everywhere.
        deadline = time.monotonic() + BEGIN_SECONDS_MAX
        while any(history.end(partition) == 0 for history in self.histories for partition in range(history.partitions)):
            if time.monotonic() > deadline:
                raise OSError(f"not every client has begun within {BEGIN_SECONDS_MAX} s: {self.faults()}")
            time.sleep(0.05)
        self.decisions.actor.start()
        self.moves.actor.start()

    def _join(self, client: str, protocol: str, topic: str, bootstrap: str) -> None:
        """Two members."""
        group, shared = f"{client}-{protocol}", Commits()
        command = commands([client])[client]
        words = ["--bootstrap", bootstrap, "--topic", topic, "--group", group, "--protocol", protocol]
        self.groups[group, topic] = [Member([*command, *words], f"{group}-{number}", "", shared) for number in (1, 2)]

    @property
    def actors(self) -> list[Actor]:
        return [self.old.actor, self.decisions.actor, self.moves.actor]

    @property
    def histories(self) -> list[History]:
        return [*(client.history for client in self.clients), *self.old.all]

    def acknowledged(self) -> int:
        return sum(len(history.acknowledged) for history in self.histories)

    def faults(self) -> list[str]:
        """What was noticed without asking the broker."""
        found = [fault for history in self.histories for fault in history.faults]
        found += [f"{actor.name}: {actor.problem!r}" for actor in self.actors if actor.problem]
        found += [f"{member.name}: {problem}" for members in self.groups.values() for member in members for problem in member.progress.problems]
        found += [f"{client.history.topic}: the client has ended with {client.process.returncode}: {''.join(client.stderr)[-300:]}"
                  for client in self.clients if client.process.poll() not in (None, 0)]
        return found

    def quick(self) -> Iterator[str]:
        """What can be asked in a moment: ends, and committed offsets."""
        yield from self.faults()
        promised = {history.topic: [history.end(partition) for partition in range(history.partitions)] for history in self.histories}
        committed = self.committed(FOREVER)
        admin = Admin(self.port)
        for topic, ends in promised.items():
            found = admin.ends(topic, len(ends))
            if any(have < want for have, want in zip(found, ends) if have >= 0):
                yield f"{topic}: the partitions end at {found}, acknowledged were records up to {ends}"
        yield from compare_committed(self.bootstrap, committed)

    def committed(self, at: int) -> dict[tuple[str, str], dict[int, int]]:
        """How far groups had committed before an instant, by what their members had told by then."""
        ends: dict[tuple[str, str], dict[int, int]] = {}
        for group, members in self.groups.items():
            shared = Commits()
            partitions: set[int] = set()
            for member in members:
                progress = Progress(shared)
                for when, line in list(member.told):
                    if when * 1e9 >= at:
                        break
                    word, _, rest = line.strip().partition(" ")
                    if word == "own":
                        owned = frozenset(int(it) for it in rest.split(",") if it)
                        partitions |= owned
                        progress.own(owned)
                    elif word == "got":
                        progress.got(pairs(rest))
                    elif word == "done":
                        progress.done(pairs(rest))
            ends[group] = {partition: shared.end(partition) for partition in partitions if shared.end(partition)}
        return ends

    def stop(self) -> None:
        """Lets all clients come to their ends, with the broker up."""
        for actor in self.actors:
            actor.end()
        for client in self.clients:
            client.ask_to_end()
        self.old.await_end()
        for client in self.clients:
            client.await_end()
        for members in self.groups.values():
            for member in members:
                try:
                    member.leave()
                    check_order(member)
                except Failure as failure:
                    member.progress.problems.append(str(failure))

    def kill(self) -> None:
        """Ends everything at once."""
        for actor in self.actors:
            actor.stopping.set()
        for client in self.clients:
            client.kill()
        for members in self.groups.values():
            for member in members:
                member.kill()

    def compare(self, bootstrap: str, at: int = FOREVER) -> list[str]:
        """Reads everything back from a broker, and holds it against all that clients were told before an instant."""
        faults: list[str] = []
        for history in self.histories:
            logs = {partition: read(bootstrap, history.topic, partition) for partition in range(history.partitions)}
            faults += history.compare(logs, at)
            if history.topic == "newest":
                faults += compacted(history, logs, KEYS, at)
            if history.topic == "kept":
                faults += [it for partition, log in logs.items() for it in retained("kept", partition, log, VALUE_BYTES, RETENTION_BYTES)]
            if history.topic == "trimmed":
                faults += self.decisions.compare(bootstrap, {partition: log.start for partition, log in logs.items()}, at)
        faults += compare_committed(bootstrap, self.committed(at))
        return faults


def compare_committed(bootstrap: str, wanted: dict[tuple[str, str], dict[int, int]]) -> Iterator[str]:
    from confluent_kafka import Consumer, TopicPartition

    for (group, topic), ends in wanted.items():
        if not ends:
            continue
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, **QUIET})
        found = consumer.committed([TopicPartition(topic, partition) for partition in ends], timeout=READ_SECONDS_MAX)
        consumer.close()
        for it in found:
            if it.offset < ends[it.partition]:
                yield f"group {group}: {topic}-{it.partition} was committed up to {ends[it.partition]}, and is at {it.offset}"


def number_of(topic: str, message) -> int:
    """The number of a record; -1 if its value is not what was sent under this number."""
    value = message.value() or b""
    if not value[:20].isdigit():
        return -1
    number = int(value[:20])
    if topic in LANGUAGES:
        return number if value[20:] == b"x" * (number * 7919 % FILLER_MAX) else -1
    return number if not value[20:].strip(b"\0") else -1


def read(bootstrap: str, topic: str, partition: int) -> Log:
    """A partition from its start to its high watermark."""
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "readers", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "enable.partition.eof": True, "check.crcs": True, **QUIET})
    try:
        start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=READ_SECONDS_MAX, cached=False)
        consumer.assign([TopicPartition(topic, partition, start)])
        records: list[tuple[int, int]] = []
        deadline = time.monotonic() + READ_SECONDS_MAX
        while time.monotonic() < deadline:
            for message in consumer.consume(2000, 0.2):
                if not message.error():
                    records.append((message.offset(), number_of(topic, message)))
                    if message.offset() >= end - 1:  # It may be growing.
                        return Log(start, max(end, message.offset() + 1), records)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    return Log(start, max(end, message.offset()), records)
                elif not message.error().retriable():
                    raise KafkaException(message.error())
        raise TimeoutError(f"{topic}-{partition} from {start} to {end}: {len(records)} records were read in {READ_SECONDS_MAX} s")
    finally:
        consumer.close()


