#!/usr/bin/env python3
"""Subscriptions of confluent-kafka (librdkafka) by regular expression: topics match, come and go, in both protocols."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP = sys.argv[1]
SECONDS_MAX = 120
failures = 0
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def create(*names: str) -> None:
    for future in admin.create_topics([NewTopic(name, 2, 1) for name in names]).values():
        future.result(SECONDS_MAX)


def delete(name: str) -> None:
    admin.delete_topics([name])[name].result(SECONDS_MAX)


def consumer(group: str, protocol: str) -> Consumer:
    config = {"bootstrap.servers": BOOTSTRAP, "group.id": group, "group.protocol": protocol, "topic.metadata.refresh.interval.ms": 500,
              "auto.offset.reset": "earliest", "log_level": 0}
    if protocol == "classic":
        config["heartbeat.interval.ms"] = 250
    return Consumer(config)


def check(what: str, expected: object, ask: Callable[[], object], members: list[Consumer]) -> None:
    """Polls the members until what they are asked for is as expected."""
    global failures
    deadline = time.monotonic() + SECONDS_MAX
    while (found := ask()) != expected and time.monotonic() < deadline:
        for member in members:
            member.poll(0.05)
    failures += found != expected
    print("ok  " if found == expected else "FAIL", what, "" if found == expected else f": {found}, not {expected}", flush=True)


def topics_of(member: Consumer) -> list[str]:
    return sorted({it.topic for it in member.assignment()})


for protocol in ("classic", "consumer"):
    name = f"rd-{protocol}"
    create(f"{name}-1", f"{name}-2", f"{name}-x", f"not-{name}-1")
    one = consumer(name, protocol)
    one.subscribe([f"^{name}-[0-9]$"])
    check(f"librdkafka {protocol}: names match", [f"{name}-1", f"{name}-2"], lambda: topics_of(one), [one])
    create(f"{name}-3")
    check(f"librdkafka {protocol}: a topic comes", [f"{name}-{number}" for number in (1, 2, 3)], lambda: topics_of(one), [one])
    other = consumer(name, protocol)
    other.subscribe([f"^{name}-x$", f"{name}-1"])
    check(f"librdkafka {protocol}: expressions and names together", f"{name}-x", lambda: (topics_of(other) or [""])[-1], [one, other])
    delete(f"{name}-3")
    check(f"librdkafka {protocol}: a topic goes", False, lambda: f"{name}-3" in topics_of(one) + topics_of(other), [one, other])
    other.close()
    check(f"librdkafka {protocol}: the rest is for the other", [f"{name}-1", f"{name}-2"], lambda: topics_of(one), [one])
    one.close()
sys.exit(1 if failures else 0)
