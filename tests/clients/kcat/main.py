"""kcat, with Debian's librdkafka 2.0 and again with the newest: the contract as far as a command line goes.

kcat has no admin API, so its topic is made by auto-creation (one partition), and it cannot set timestamps, so those are the
clock's. `-Z` makes every empty key and value null; headers are those of the whole run. The environment names the program
(KCAT) and the library directories (KCAT_LIBRARIES: newest, then Debian's); `run` sets both.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "suite"))

from suite import OVERSIZED_BYTES, Suite, Variant, WAIT_SECONDS_MAX, clip, variants, wait_until  # noqa: E402

KEY_DELIMITER = b"\x01"
RECORD_DELIMITER = b"\x1e"
HEADERS = "one=1,twice=a,twice=b,null=NULL"

suite = Suite(__doc__)
newest, debian = os.environ["KCAT_LIBRARIES"].split(":")
# kcat itself needs libyajl, which lies beside Debian's librdkafka
newest = f"{newest}:{debian}"


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: str


class Kcat:
    """One kcat program with one librdkafka, on one topic."""

    def __init__(self, label: str, libraries: str, nodes: int) -> None:
        self.label = label
        self.nodes = nodes
        self.environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
        self.topic = f"{suite.prefix}-{label}"
        self.wanted = variants()

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Runs kcat and returns its output; what it says on a failure becomes the error."""
        command = [os.environ["KCAT"], "-b", suite.bootstrap, "-X", "message.timeout.ms=15000", *arguments]
        done = subprocess.run(
            command, input=stdin, env=self.environment, capture_output=True, timeout=WAIT_SECONDS_MAX, check=False)
        errors = done.stderr.decode(errors="replace")
        assert done.returncode == 0 and "ERROR" not in errors, errors or f"ended with {done.returncode}"
        return done.stdout

    def metadata(self) -> dict:
        return json.loads(self.run("-L", "-J"))

    def samples(self) -> list[tuple[bytes | None, bytes | None]]:
        return [(s.key, s.value or None) for variant in self.wanted for s in variant.samples]

    def produce(self, variant: Variant) -> None:
        rows = [(s.key or b"") + KEY_DELIMITER + (s.value or b"") for s in variant.samples]
        headers = [part for header in ("one=1", "twice=a", "twice=b", "null") for part in ("-H", header)]
        acks = ["-X", "enable.idempotence=true"] if variant.idempotent else ["-X", f"acks={variant.acks}"]
        self.run(
            "-P", "-t", self.topic, "-p", "0", "-Z", "-z", variant.codec, *acks, *headers,
            "-K", KEY_DELIMITER.decode(), "-D", RECORD_DELIMITER.decode(), stdin=RECORD_DELIMITER.join(rows))
        end = variant.samples[-1].index + 1
        wait_until(f"end offset {end}", lambda: self.offset_at(-1) >= end)

    def offset_at(self, timestamp: int) -> int:
        line = self.run("-Q", "-t", f"{self.topic}:0:{timestamp}").decode()
        return int(line.rpartition("offset ")[2])

    def read(self, offset: str, count: int) -> list[Record]:
        layout = "%o %T %K %S %h\n%k%s\n"
        output = self.run(
            "-C", "-q", "-t", self.topic, "-p", "0", "-o", offset, "-c", str(count), "-Z", "-f", layout,
            "-X", "auto.offset.reset=error", "-X", "check.crcs=true", "-X", "allow.auto.create.topics=false")
        records = []
        while output:
            line, _, output = output.partition(b"\n")
            at, timestamp, key_length, value_length, *headers = line.decode().split(" ", 4)
            # A length of -1 is null, which -Z prints as the word NULL.
            key, output = take(output, int(key_length))
            value, output = take(output, int(value_length))
            output = output[1:]
            records.append(Record(int(at), int(timestamp), key, value, headers[0] if headers else ""))
        return records


def take(output: bytes, length: int) -> tuple[bytes | None, bytes]:
    if length < 0:
        assert output.startswith(b"NULL"), clip(output)
        return None, output[4:]
    return output[:length], output[length:]


def refused(text: str, act) -> None:
    try:
        act()
    except AssertionError as error:
        assert text in str(error), f"refused with {error}, wanted {text}"
        return
    raise AssertionError(f"accepted, wanted {text}")


def check_all(kcat: Kcat) -> None:
    def check(name: str):
        return suite.check(f"{kcat.label}: {name}")

    total = len(kcat.samples())
    began_ms = int(time.time() * 1000)
    with check("metadata lists every node"):
        brokers = kcat.metadata()["brokers"]
        assert len(brokers) == kcat.nodes, f"{len(brokers)} nodes instead of {kcat.nodes}"
    with check("fetch: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION"):
        refused("Unknown topic or partition", lambda: kcat.read("0", 1))
    with check("produce: an unknown topic is created"):
        kcat.run("-P", "-t", f"{kcat.topic}-auto", stdin=b"x")
        wait_until("the topic", lambda: f"{kcat.topic}-auto" in [t["topic"] for t in kcat.metadata()["topics"]])
    for variant in kcat.wanted:
        with check(f"produce {variant}"):
            kcat.produce(variant)
    records: list[Record] = []
    with check("read from the beginning"):
        records = kcat.read("beginning", total)
        assert [r.offset for r in records] == list(range(total)), f"{len(records)} records of {total}"
        for record, (key, value) in zip(records, kcat.samples(), strict=True):
            assert (record.key, record.value) == (key, value), clip(record)
            assert record.headers == HEADERS, record.headers
            assert began_ms - 1000 <= record.timestamp_ms <= time.time() * 1000 + 1000, record.timestamp_ms
    with check("read from an offset"):
        assert kcat.read("137", total - 137) == records[137:]
    with check("read from a timestamp"):
        timestamp = records[253].timestamp_ms
        first = next(r.offset for r in records if r.timestamp_ms >= timestamp)
        assert kcat.offset_at(timestamp) == first
        assert kcat.read(f"s@{timestamp}", total - first) == records[first:]
    with check("list earliest and latest offsets"):
        assert (kcat.offset_at(-2), kcat.offset_at(-1)) == (0, total)
    with check("fetch: an offset beyond the end is OFFSET_OUT_OF_RANGE"):
        refused("Offset out of range", lambda: kcat.read("1000000", 1))
    with check("produce: an oversized record is MESSAGE_TOO_LARGE"):
        arguments = ("-P", "-t", kcat.topic, "-X", "message.max.bytes=8388608", "-D", RECORD_DELIMITER.decode())
        refused("Message size too large", lambda: kcat.run(*arguments, stdin=b"x" * OVERSIZED_BYTES))
    with check("produce: acks=2 is INVALID_REQUIRED_ACKS"):
        refused("Invalid required acks", lambda: kcat.run("-P", "-t", kcat.topic, "-X", "acks=2", stdin=b"x"))


# librdkafka before 2.10 does not keep a connection for each node id at one address.
check_all(Kcat("librdkafka-2.0", debian, suite.nodes_unaware))
check_all(Kcat("librdkafka-2.16", newest, suite.nodes))
suite.finish()
