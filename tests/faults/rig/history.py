"""What clients were told, and whether a log still agrees with it. Knows nothing of the broker but Kafka's promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

FAULTS_MAX = 20
"""Enough to see what is wrong."""
FOREVER = 1 << 63
OVERHEAD = 1.3
"""Of a batch beyond its values, at most, where values have 1,000 bytes."""

Place = tuple[int, int]
"""Partition and offset."""


@dataclass
class Log:
    """A partition as it was read back: from its start to its end."""

    start: int
    end: int
    records: list[tuple[int, int]]
    """Offsets and numbers, or offsets and what identifies the record."""


@dataclass
class History:
    """Of one topic, all records of which one idempotent producer sends, in the order of their numbers within a partition."""

    topic: str
    partitions: int
    may_lose_old: bool = False
    """Retention or DeleteRecords takes records from the start."""
    has_gaps: bool = False
    """Compaction takes records from anywhere."""
    acknowledged: dict[Place, tuple[int, int]] = field(default_factory=dict)
    """When, in nanoseconds since 1970, and the record's number."""
    read: dict[Place, tuple[int, int]] = field(default_factory=dict)
    """The same for what a consumer was given, the first time."""
    faults: list[str] = field(default_factory=list)
    _reader: dict[int, Place] = field(default_factory=dict)
    """The last offset and number that the consumer was given of a partition."""

    def fault(self, text: str) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(f"{self.topic}: {text}")

    def ack(self, at: int, partition: int, offset: int, number: int) -> None:
        before = self.acknowledged.setdefault((partition, offset), (at, number))
        if before[1] != number:
            self.fault(f"{partition}:{offset} was acknowledged for record {before[1]} and for record {number}")

    def got(self, at: int, partition: int, offset: int, number: int) -> None:
        """A consumer that began at the start and goes on without end was given this."""
        self.seen(at, partition, offset, number)
        last_offset, last_number = self._reader.get(partition, (-1, -1))
        if offset != last_offset + 1:
            self.fault(f"a consumer was given {partition}:{offset} behind {last_offset}")
        if number <= last_number:
            self.fault(f"a consumer was given record {number} behind record {last_number} at {partition}:{offset}")
        self._reader[partition] = (offset, number)

    def seen(self, at: int, partition: int, offset: int, number: int) -> None:
        if number < 0 or number % self.partitions != partition:
            self.fault(f"{partition}:{offset} holds what nobody has sent there (record {number})")
        before = self.read.setdefault((partition, offset), (at, number))
        if before[1] != number:
            self.fault(f"{partition}:{offset} held record {before[1]} for a consumer and holds record {number} now")

    def compare(self, logs: dict[int, Log], at: int = FOREVER) -> Iterator[str]:
        """Holds what was read back against all that clients were told before an instant."""
        for partition, log in logs.items():
            yield from self._shape(partition, log)
            found = dict(log.records)
            for what, told in (("acknowledged", self.acknowledged), ("given to a consumer", self.read)):
                lost, changed = [], []
                for (index, offset), (when, number) in told.copy().items():
                    if index != partition or (offset < log.start and self.may_lose_old):
                        continue
                    if offset not in found:
                        if when < at and not self.has_gaps:
                            lost.append(offset)
                    elif found[offset] != number:
                        changed.append((offset, number, found[offset]))
                if lost:
                    yield (f"{self.topic}: partition {partition}: {len(lost)} records lost that were {what}, from {min(lost)} to "
                           f"{max(lost)}; the log has {log.start} to {log.end}")
                if changed:
                    yield f"{self.topic}: partition {partition}: offset, record {what}, record now: {sorted(changed)[:3]}"

    def _shape(self, partition: int, log: Log) -> Iterator[str]:
        offsets = [offset for offset, _ in log.records]
        numbers = [number for _, number in log.records]
        if not self.may_lose_old and log.start != 0:
            yield f"{self.topic}: partition {partition} begins at {log.start}"
        if not self.has_gaps and offsets != list(range(log.start, log.end)):
            yield f"{self.topic}: partition {partition}: offsets are not dense from {log.start} to {log.end}: {len(offsets)} records"
        if any(later <= sooner for sooner, later in zip(offsets, offsets[1:])):
            yield f"{self.topic}: partition {partition}: offsets do not grow"
        if wrong := [number for number in numbers if number < 0 or number % self.partitions != partition]:
            yield f"{self.topic}: partition {partition}: {len(wrong)} records that nobody has sent there"
        if not all(sooner < later for sooner, later in zip(numbers, numbers[1:])):
            twice = len(numbers) - len(set(numbers))
            yield f"{self.topic}: partition {partition}: records out of order, {twice} of them twice"

    def end(self, partition: int, at: int = FOREVER) -> int:
        """Behind the last offset that was acknowledged."""
        return 1 + max((offset for (index, offset), (when, _) in self.acknowledged.copy().items()
                        if index == partition and when < at), default=-1)


def latest_of_keys(acknowledged: dict[Place, tuple[int, int]], keys: int, partition: int, at: int) -> dict[int, int]:
    """The last offset of each key that was acknowledged before an instant; record n has key n modulo the number of keys."""
    latest: dict[int, int] = {}
    for (index, offset), (when, number) in acknowledged.copy().items():
        if index == partition and when < at:
            latest[number % keys] = max(offset, latest.get(number % keys, -1))
    return latest


def compacted(history: History, logs: dict[int, Log], keys: int, at: int = FOREVER) -> Iterator[str]:
    """Compaction may take a record of a key that has a later one, and no other."""
    for partition, log in logs.items():
        newest: dict[int, int] = {}
        for offset, number in log.records:
            newest[number % keys] = offset
        for key, offset in latest_of_keys(history.acknowledged, keys, partition, at).items():
            if newest.get(key, -1) < offset:
                yield (f"{history.topic}: partition {partition}: the last record of key {key} was acknowledged at {offset}, "
                       f"the log has {newest.get(key, 'none')}")


def retained(topic: str, partition: int, log: Log, value_bytes: int, retention_bytes: int) -> Iterator[str]:
    """Retention by size leaves at least that size."""
    left = (log.end - log.start) * value_bytes * OVERHEAD
    if log.start > 0 and left < retention_bytes:
        yield f"{topic}: partition {partition}: retention left {log.end - log.start} records, from {log.start} on"
