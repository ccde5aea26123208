#!/usr/bin/env python3
"""ADR 0007: what removing a segment of 1 GiB does to appends of the same file system.

One thread appends 16 KiB and syncs, every two milliseconds. Meanwhile a file of 1 GiB, written directly as a segment is,
goes: at once, or cut in slices from its end with pauses that keep the rate, and unlinked then. The variants take turns. A
sync is counted for a variant if it was under way between the begin of the removal and half a second after its end (the
journal commits late); `none` removes nothing for a second.

    docs/adr/measurements/delete.py [directory] [turns]
"""

import mmap
import os
import sys
import threading
import time
from pathlib import Path

MIB = 1 << 20
FILE_MIB = 1024
STEP_MIB = 32
APPEND = b"r" * 16384
PAUSE_S = 0.002
SETTLE_S = 0.5
# Name, slice in MiB, MiB per second.
VARIANTS = [
    ("none", None, None),
    ("unlink at once", None, None),
    ("slices of 256 MiB, 1 GiB/s", 256, 1024),
    ("slices of 64 MiB, 1 GiB/s", 64, 1024),
    ("slices of 32 MiB, 1 GiB/s", 32, 1024),
    ("slices of 8 MiB, 1 GiB/s", 8, 1024),
    ("slices of 32 MiB, 256 MiB/s", 32, 256),
]


class Appender(threading.Thread):
    """Appends and syncs until it is told to stop; keeps when each sync began and ended."""

    def __init__(self, path):
        super().__init__()
        self.path, self.stopped, self.syncs = path, False, []

    def run(self):
        fd = os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600)
        os.posix_fallocate(fd, 0, 512 * MIB)
        os.fsync(fd)
        position = 0
        while not self.stopped:
            os.pwrite(fd, APPEND, position)
            position = (position + len(APPEND)) % (512 * MIB)
            began = time.perf_counter()
            os.fdatasync(fd)
            self.syncs.append((began, time.perf_counter()))
            time.sleep(PAUSE_S)
        os.close(fd)


def write_segment(path):
    """1 GiB, allocated in steps and written past the page cache."""
    buffer = mmap.mmap(-1, MIB)
    buffer.write(b"s" * MIB)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_DIRECT, 0o600)
    for position in range(0, FILE_MIB, STEP_MIB):
        os.posix_fallocate(fd, position * MIB, STEP_MIB * MIB)
        for step in range(position, position + STEP_MIB):
            os.pwrite(fd, buffer, step * MIB)
    os.fsync(fd)
    os.close(fd)


def remove(path, slice_mib, rate_mib):
    """Removes the file; returns how long each cut and the unlink took, in milliseconds."""
    took = []

    def timed(act):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1e3)

    if slice_mib is not None:
        fd = os.open(path, os.O_WRONLY)
        for rest in range(FILE_MIB - slice_mib, 0, -slice_mib):
            timed(lambda rest=rest: os.ftruncate(fd, rest * MIB))
            time.sleep(slice_mib / rate_mib)
        os.close(fd)
    timed(lambda: os.unlink(path))
    return took


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, round(part * (len(values) - 1)))] if values else 0.0


def load():
    return "# load average " + " ".join(Path("/proc/loadavg").read_text().split()[:3])


def main():
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "target/data") / "delete"
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    directory.mkdir(parents=True, exist_ok=True)
    print(f"# {os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}, {turns} turns")
    print(load())
    syncs = {name: [] for name, _, _ in VARIANTS}
    took = {name: [] for name, _, _ in VARIANTS}
    spans = {name: [] for name, _, _ in VARIANTS}
    appender = Appender(directory / "log")
    segment = directory / "segment"
    for _ in range(turns):
        for name, slice_mib, rate_mib in VARIANTS:
            if name != "none":
                write_segment(segment)
            time.sleep(SETTLE_S)
            appender = Appender(directory / "log")
            appender.start()
            time.sleep(SETTLE_S)
            began = time.perf_counter()
            if name == "none":
                time.sleep(1)
            else:
                took[name].extend(remove(segment, slice_mib, rate_mib))
            spans[name].append(time.perf_counter() - began)
            time.sleep(SETTLE_S)
            ended = time.perf_counter()
            appender.stopped = True
            appender.join()
            inside = [(b, e) for b, e in appender.syncs if e >= began and b <= ended]
            syncs[name].extend((e - b) * 1e3 for b, e in inside)
    print("variant                       cut p50 ms  max ms  removal s   syncs  sync p50 ms    p99  p99.9     max")
    for name, _, _ in VARIANTS:
        cuts, of = took[name], syncs[name]
        print(
            f"{name:<28} {percentile(cuts, 0.5):>11.2f} {max(cuts, default=0):>7.2f} "
            f"{percentile(spans[name], 0.5):>10.2f} {len(of):>7} {percentile(of, 0.5):>12.2f} "
            f"{percentile(of, 0.99):>6.2f} {percentile(of, 0.999):>6.2f} {max(of, default=0):>7.2f}"
        )
    print(load())
    (directory / "log").unlink()
    directory.rmdir()


if __name__ == "__main__":
    main()
