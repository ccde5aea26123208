"""The client suite's contract for Python programs: the sample records, the produce variants and the check printer.

The same contract stands in suite.go, and inside the Java and kafkajs programs; README.md describes it.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PARTITION_COUNT = 3
RECORDS_PER_VARIANT = 30
FIRST_TIMESTAMP_MS = 1_700_000_000_000
KEEP_FOR_EVER = {"retention.ms": "-1"}
"""The samples' timestamps lie years back: with the default retention the broker would soon delete them."""
OVERSIZED_BYTES = 2 * 1024 * 1024
"""Above the broker's default `message.max.bytes` (1,048,588), below every client's own ceiling once that is raised."""
WAIT_SECONDS_MAX = 20


@dataclass(frozen=True)
class Sample:
    """One record of the suite, a pure function of its index."""

    index: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def partition(self) -> int:
        return self.index % PARTITION_COUNT

    @property
    def offset(self) -> int:
        return self.index // PARTITION_COUNT

    @property
    def timestamp_ms(self) -> int:
        return FIRST_TIMESTAMP_MS + self.index

    @staticmethod
    def at(index: int, null_headers: bool) -> Sample:
        key = None if index % 4 == 0 else b"key-%d" % index
        if index % 4 == 3:
            key += b"\x00\xff"
        text = b"value-%d;" % index
        value = (None, b"", text, text * 20, text * 200)[index % 5]
        if key is None and value is None:  # some clients refuse a record that has neither
            value = text
        headers: tuple[tuple[str, bytes | None], ...] = (
            (),
            (("one", b"1"),),
            (("twice", b"a"), ("twice", b"b"), ("empty", b""), ("last", None if null_headers else b"z")),
        )[index // PARTITION_COUNT % 3]
        return Sample(index, key, value, headers)


@dataclass(frozen=True)
class Variant:
    """One way to produce: the samples of a variant follow those of the variant before it."""

    position: int
    codec: str
    acks: str
    idempotent: bool
    null_headers: bool

    def __str__(self) -> str:
        return f"codec={self.codec} acks={self.acks} idempotence={'on' if self.idempotent else 'off'}"

    @property
    def samples(self) -> list[Sample]:
        first = self.position * RECORDS_PER_VARIANT
        return [Sample.at(index, self.null_headers) for index in range(first, first + RECORDS_PER_VARIANT)]


def variants(*, null_headers: bool = True) -> list[Variant]:
    """Every codec with acks=all, then acks 1 and 0, then idempotence with every codec."""
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    rows = [(codec, "all", False) for codec in codecs]
    rows += [("none", "1", False), ("none", "0", False), (codecs[-1], "0", False)]
    rows += [(codec, "all", True) for codec in codecs]
    return [Variant(position, *row, null_headers) for position, row in enumerate(rows)]


def expected(wanted: list[Variant], partition: int) -> list[Sample]:
    """What one partition holds after all variants, in offset order."""
    return [sample for variant in wanted for sample in variant.samples if sample.partition == partition]


def compare(wanted: list[Sample], got: list[tuple]) -> None:
    """Holds what was read, as (offset, timestamp_ms, key, value, headers), against the samples."""
    assert len(got) == len(wanted), f"{len(got)} records instead of {len(wanted)}"
    for sample, record in zip(wanted, got, strict=True):
        want = (sample.offset, sample.timestamp_ms, sample.key, sample.value, sample.headers)
        assert record == want, f"record {sample.index}: got {clip(record)}, wanted {clip(want)}"


def clip(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else text[:300] + "..."


class Suite:
    """Prints `ok <check>` or `FAIL <check>: why` for each check and remembers whether one failed."""

    def __init__(self, description: str) -> None:
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
        parser.add_argument("--prefix", required=True, metavar="TOPICPREFIX", help="every topic begins with it")
        parser.add_argument("--nodes", type=int, default=1, metavar="N", help="nodes that this client is to see")
        parser.add_argument("--nodes-unaware", type=int, default=1, metavar="N", help="nodes that an old client is to see")
        arguments = parser.parse_args()
        self.bootstrap: str = arguments.bootstrap
        self.prefix: str = arguments.prefix
        self.nodes: int = arguments.nodes
        self.nodes_unaware: int = arguments.nodes_unaware
        self.failed = 0

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # every failure of a check is a line, never the end of the program
            self.failed += 1
            why = str(error).replace("\n", " ") or type(error).__name__
            print(f"FAIL {name}: {clip(why)}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            print(f"ok {name}", flush=True)

    def finish(self) -> None:
        sys.exit(1 if self.failed else 0)


def refused(name: str, act: Callable[[], object], error_name: Callable[[BaseException], str]) -> None:
    """Asserts that `act` is refused with the Kafka error `name`."""
    try:
        act()
    except Exception as error:  # whatever a client raises is what is judged
        got = error_name(error)
        assert got == name, f"refused with {got or repr(error)}, wanted {name}"
        return
    raise AssertionError(f"accepted, wanted {name}")


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Polls the broker until it shows what has no reply of its own (acks=0, deletion)."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not seen within {WAIT_SECONDS_MAX} s"
        time.sleep(0.05)
