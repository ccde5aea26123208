"""What the scenarios are played with: members as processes of their own, and a producer that knows what was acknowledged.

A member prints `up` when it is about to join, `own 1,2,3`, the partitions that it has from now on, `got 1:77`, partition and
offset of what it was given, `done` when all of that is committed that is of partitions which it still has, or `done 1:77` when
that is alone, and `end` when it has left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from checks import Commits, Failure, Progress, Record
from harness import install

HERE = Path(__file__).resolve().parent
PARTITIONS = 24
TOPIC = "shared"
PAUSE_SECONDS = 0.02
"""Between two records of a partition. Without it a run on a busy machine would have more records the longer it takes."""
SECONDS_MAX = 120
"""How long anything may take that has to happen."""


def commands(names: list[str]) -> dict[str, list[str]]:
    """How a member of each client is started."""
    python = [str(install.python())]
    ways = {
        "java": lambda: ["java", "-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", compiled_java(), "Member"],
        "confluent-kafka": lambda: [*python, str(HERE / "librdkafka.py")],
        "franz-go": lambda: [str(install.go("groups/franz"))],
        "sarama": lambda: [str(install.go("groups/sarama"))],
        "kafka-go": lambda: [str(install.go("groups/segmentio"))],
        "kafka-python": lambda: [*python, str(HERE / "kafka_python.py")],
        "aiokafka": lambda: [*python, str(HERE / "aio_kafka.py")],
        "kafkajs": lambda: ["env", f"NODE_PATH={install.node()}", "node", str(HERE / "kafkajs.js")],
    }
    return {name: ways[name]() for name in names}


def compiled_java() -> str:
    """Compiles the member once: eight compilers at a time would slow everything down."""
    classes = install.CACHE / "groups-java"
    classes.mkdir(parents=True, exist_ok=True)
    jars = f"{install.java()}/*"
    subprocess.run(["javac", "-cp", jars, "-d", str(classes), str(HERE / "Member.java")], check=True)
    return f"{classes}:{jars}"


def use_confluent_kafka() -> None:
    """Makes the producer's and the administrator's client known to this interpreter."""
    site = str(next((install.CACHE / "python").glob("lib/python*/site-packages")))
    if site not in sys.path:
        sys.path.insert(0, site)


def pairs(text: str) -> list[Record]:
    """What members write as `1:77 2:4`."""
    fields = (record.split(":") for record in text.split())
    return [(int(partition), int(offset)) for partition, offset in fields]


class Member:
    """A member and what it has printed."""

    def __init__(self, command: list[str], name: str, instance: str, commits: Commits) -> None:
        self.name = name
        self.instance = instance
        self.progress = Progress(commits)
        self.up = 0.0
        """When it was about to join."""
        self.owned: set[int] = set()
        self.changes = 0
        """How often that has become something else: clients that keep theirs through a rebalance tell of it all the same."""
        self.records: list[tuple[int, int]] = []
        self.assignments: list[tuple[int, frozenset[int]]] = []
        """What it owned from then on, and how many records came before that."""
        self.has_ended = False
        self.stderr: list[str] = []
        self.told: list[tuple[float, str]] = []
        """All that it printed, and when that was read, in seconds since 1970."""
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self._threads = [threading.Thread(target=self._read, daemon=True), threading.Thread(target=self._hear, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            # A member that is killed may end in the middle of a line.
            if not line.endswith("\n"):
                continue
            self.told.append((time.time(), line))
            word, _, rest = line.strip().partition(" ")
            if word == "up":
                self.up = time.monotonic()
            elif word == "own":
                owned = {int(it) for it in rest.split(",") if it}
                self.changes += owned != self.owned
                self.owned = owned
                self.progress.own(frozenset(owned))
                self.assignments.append((len(self.records), frozenset(owned)))
            elif word == "got":
                records = pairs(rest)
                self.progress.got(records)
                self.records += records
            elif word == "done":
                self.progress.done(pairs(rest))
            elif word == "end":
                self.has_ended = True

    def _hear(self) -> None:
        for line in self.process.stderr:
            self.stderr.append(line)
            self.told.append((time.time(), f"! {line}"))

    def said(self) -> str:
        """The end of what it wrote to standard error."""
        return "".join(self.stderr)[-800:]

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self._join()

    def leave(self) -> None:
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{self.name} does not end") from late
        self._join()
        if not self.has_ended:
            raise Failure(f"{self.name} ended with {self.process.returncode} before it had left: {self.said()}")

    def _join(self) -> None:
        self.process.wait(SECONDS_MAX)
        for thread in self._threads:
            thread.join(SECONDS_MAX)


class Writer(threading.Thread):
    """A producer that writes to all partitions until it is stopped, and knows what was acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(daemon=True)
        use_confluent_kafka()
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(SECONDS_MAX)
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "reconnect.backoff.max.ms": 500, "log_level": 2})
        self._running = True
        self.acknowledged: dict[int, list[int]] = defaultdict(list)
        """The offsets of each partition that were acknowledged."""
        self.failed = 0

    def _delivered(self, error: object, message: object) -> None:
        if error:
            self.failed += 1
        else:
            self.acknowledged[message.partition()].append(message.offset())

    def run(self) -> None:
        number = 0
        while self._running:
            for partition in range(PARTITIONS):
                self._write(partition, str(number))
                number += 1
            self._producer.poll(0)
            time.sleep(PAUSE_SECONDS)

    def _write(self, partition: int, value: str) -> None:
        """Writes a record as soon as there is room: a broker may be away for long."""
        while True:
            try:
                self._producer.produce(TOPIC, value, partition=partition, on_delivery=self._delivered)
                return
            except BufferError:
                self._producer.poll(0.1)

    def stop(self) -> None:
        self._running = False
        self.join()
        if self._producer.flush(SECONDS_MAX) or self.failed:
            raise Failure("the producer has records left")
