"""What the Python members have in common: their options, and what they print."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

COMMITS_MAX = 200
COMMIT_PAUSE_SECONDS = 0.02
"""How often, and after what pause, a commit is tried that a rebalance refuses when partitions are given up."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "topic", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--protocol", default="eager")
    parser.add_argument("--instance", default="")
    parser.add_argument("--session-ms", type=int, default=6_000)
    parser.add_argument("--heartbeat-ms", type=int, default=500)
    return parser.parse_args()


def started() -> None:
    print("up", flush=True)


def assigned(partitions: Iterable[int]) -> None:
    print("own", ",".join(str(it) for it in sorted(partitions)), flush=True)


def consumed(records: Iterable[tuple[int, int]]) -> None:
    print("got", " ".join(f"{partition}:{offset}" for partition, offset in records), flush=True)


def committed(records: Iterable[tuple[int, int]] = ()) -> None:
    """All that is owned, or this alone."""
    print("done", " ".join(f"{partition}:{offset}" for partition, offset in records), flush=True)


def stopped() -> None:
    print("end", flush=True)
