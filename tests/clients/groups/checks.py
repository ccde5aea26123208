"""What has to hold of the records that members were given, whatever happened to them."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

Record = tuple[int, int]
"""Partition and offset."""


class Failure(Exception):
    """What a run found."""


class Given(Protocol):
    """What a member has told."""

    name: str
    records: Sequence[Record]
    assignments: Sequence[tuple[int, frozenset[int]]]
    """What it owned from then on, and how many records came before that."""


def ends(acknowledged: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """The ends of the partitions, all of whose records were written by the one who was told these offsets.

    A broker that loses what it has acknowledged gives an offset twice, or leaves one out.
    """
    for partition, offsets in acknowledged.items():
        if twice := [offset for offset, times in Counter(offsets).items() if times > 1]:
            raise Failure(f"the broker has acknowledged two records as {partition}:{min(twice)}")
        if left_out := set(range(max(offsets) + 1)).difference(offsets):
            raise Failure(f"{partition}:{min(left_out)} is nobody's record")
    return {partition: len(offsets) for partition, offsets in acknowledged.items()}


def missing(members: Iterable[Given], ends: Mapping[int, int]) -> list[Record]:
    """What nobody was given."""
    delivered = {record for member in members for record in list(member.records)}
    return [(partition, offset) for partition, end in ends.items() for offset in range(end) if (partition, offset) not in delivered]


def check_order(member: Given) -> None:
    """As long as a member has a partition it is given each record of it behind the one before, and of others it is given none."""
    last: dict[int, int] = {}
    owned: frozenset[int] = frozenset()
    # It may be given more meanwhile.
    records = list(member.records)
    assignments = iter([*member.assignments, (len(records) + 1, owned)])
    begin, coming = next(assignments)
    for at, (partition, offset) in enumerate(records):
        while at >= begin:
            # What it keeps goes on; what it has lost, even for a moment only, begins anew.
            last = {it: offset for it, offset in last.items() if it in coming}
            owned = coming
            begin, coming = next(assignments)
        if partition not in owned:
            raise Failure(f"{member.name}: {partition}:{offset} without having that partition")
        if partition in last and offset != last[partition] + 1:
            raise Failure(f"{member.name}: {partition}:{offset} comes behind {last[partition]}")
        last[partition] = offset


def count(members: Iterable[Given], may_repeat: bool) -> tuple[int, int]:
    """How many records there were, and how many came again."""
    who: dict[Record, list[str]] = defaultdict(list)
    for member in members:
        for record in list(member.records):
            who[record].append(member.name)
    repeated = sum(len(names) - 1 for names in who.values())
    if repeated and not may_repeat:
        again = sorted((*record, *names) for record, names in who.items() if len(names) > 1)
        partitions = sorted({partition for partition, *_ in again})
        raise Failure(f"{repeated} records came twice, of partitions {partitions}: {again[0]} to {again[-1]}")
    return len(who), repeated


class Commits:
    """How far all members together have committed: whoever is given a partition has to begin there at least.

    It may begin behind it, if others were not told any more that their commits were taken. Members may tell this from threads
    of their own, late as well: then less is found, but nothing that is not so.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[int, int] = {}

    def add(self, partition: int, end: int) -> None:
        with self._lock:
            self._ends[partition] = max(end, self._ends.get(partition, 0))

    def end(self, partition: int) -> int:
        with self._lock:
            return self._ends.get(partition, 0)


class Progress:
    """Follows what a member owns, is given and commits, and remembers what it was given although that was committed."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._owned: frozenset[int] = frozenset()
        self._begins: dict[int, int] = {}
        """How far the partitions were committed of which it has been given nothing yet."""
        self._pending: dict[int, int] = {}
        """The ends of what it was given and has not committed."""
        self.problems: list[str] = []

    def own(self, owned: frozenset[int]) -> None:
        for partition in self._owned - owned:
            self._begins.pop(partition, None)
            self._pending.pop(partition, None)
        self._begins |= {partition: self._commits.end(partition) for partition in owned - self._owned}
        self._owned = owned

    def got(self, records: Iterable[Record]) -> None:
        for partition, offset in records:
            begin = self._begins.pop(partition, 0)
            if offset < begin:
                self.problems.append(f"begins with {partition}:{offset} where {partition}:{begin - 1} had been committed")
            self._pending[partition] = offset + 1

    def done(self, records: Iterable[Record] = ()) -> None:
        """All that it has been given of what it owns is committed, or this alone."""
        ends = {partition: offset + 1 for partition, offset in records} or dict(self._pending)
        for partition, end in ends.items():
            self._commits.add(partition, end)
            self._pending.pop(partition, None)
