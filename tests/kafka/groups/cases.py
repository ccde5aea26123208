"""What classic groups are asked, in this order, of both brokers. Each case has groups of its own.

Not asked, since docs/compatibility.md says how Logan differs: groups after a refused first JoinGroup, and requests that Kafka
never answers.
"""

from __future__ import annotations

import time

from client import SUBSCRIPTION, Client

PAUSE_SECONDS = 0.3
"""Long enough for a request that waits to have arrived before the next one on another connection."""

OTHER = (("other", b""),)


def unknown_group(a: Client, *_: Client) -> None:
    a.describe("unknown")
    a.beat("unknown", 1, "x")
    a.sync("unknown", 1, "x")
    a.leave("unknown", ("x", None), ("", "i"))
    a.leave_alone("unknown", "x")
    a.fetch("unknown")
    a.fetch("unknown", ("t", 0), ("nope", 0))
    a.delete("unknown", "")
    a.delete_offsets("unknown", ("t", 0))
    a.delete_offsets("", ("t", 0))
    a.commit("unknown", 3, "x", ("t", 0, 1))


def offsets_without_members(a: Client, *_: Client) -> None:
    group = "simple"
    a.commit(group, -1, "x", ("t", 0, 1))
    a.commit(group, -1, "", ("t", 0, 1), ("t", 9, 1), ("nope", 0, 1), ("t", 1, 2))
    a.fetch(group)
    a.describe(group)
    a.list()
    a.commit("", -1, "", ("t", 0, 1))
    a.fetch("")
    a.commit(group, -1, "", ("t", 2, -5))
    a.fetch(group, ("t", 2))
    for metadata in ("x" * 4096, "x" * 4097, None):
        a.commit(group, -1, "", ("t", 2, 5), metadata=metadata)
    a.fetch(group, ("t", 2))
    a.delete_offsets(group, ("t", 2), ("nope", 0), ("t", 9))
    a.delete(group)
    a.list()


def refused_joins(a: Client, *_: Client) -> None:
    a.join("")
    a.join("refused", session=1)
    a.join("refused", session=10**9)
    a.join("refused", "made-up")
    a.join("refused", kind="")
    a.join("refused", protocols=())


def alone(a: Client, group: str, **options) -> str:
    """A member of the group's first generation, which has its assignment."""
    member = a.join(group, **options)
    a.join(group, member, **options)
    a.sync(group, 1, member, {member: b"all", "stranger": b"x"})
    return member


def one_member(a: Client, b: Client, *_: Client) -> None:
    group = "one"
    # Not described before it is whole: Kafka reads what its log has by then, and may know of no group yet.
    member = a.join(group)
    a.join(group, member)
    a.beat(group, 1, member)
    a.commit(group, 1, member, ("t", 0, 5))
    a.describe(group)
    a.sync(group, 2, member)
    a.sync(group, 1, "x")
    a.sync(group, 1, member, instance="i")
    a.sync(group, 1, member, {member: b"all"})
    a.sync(group, 1, member)
    a.describe(group)
    for generation, who, instance in ((1, member, None), (0, member, None), (1, "x", None), (1, member, "i")):
        a.beat(group, generation, who, instance)
    for generation, who, instance in ((1, member, None), (0, member, None), (2, member, None), (-1, "", None),
                                      (-1, member, None), (1, "x", None), (1, member, "i")):
        a.commit(group, generation, who, ("t", 0, 6), instance=instance)
    a.fetch(group, ("t", 0))
    a.delete(group)
    a.delete_offsets(group, ("t", 0), ("nope", 0))
    b.join(group, kind="connect")
    b.join(group, protocols=OTHER)
    b.join(group, protocols=())
    pending = b.join(group)
    b.join(group, pending, instance="i")
    b.leave(group, (pending, None))
    b.join(group, pending)


def pair(a: Client, b: Client, group: str, **options) -> tuple[str, str]:
    """Two members that have joined the group's second generation, and have no assignments; the first leads."""
    first = alone(a, group, **options)
    second = b.join(group, **options)
    b.send_join(group, second, **options)
    time.sleep(PAUSE_SECONDS)
    a.join(group, first, **options)
    b.joined()
    return first, second


def two_members(a: Client, b: Client, *_: Client) -> None:
    group = "two"
    first = alone(a, group)
    second = b.join(group)
    b.send_join(group, second)
    time.sleep(PAUSE_SECONDS)
    a.beat(group, 1, first)
    a.describe(group)
    a.commit(group, 1, first, ("t", 0, 7))
    a.sync(group, 1, first)
    a.join(group, first)
    b.joined()
    b.join(group, second)
    a.join(group, first)
    a.commit(group, 2, first, ("t", 0, 8))
    b.beat(group, 2, second)
    b.send_sync(group, 2, second)
    time.sleep(PAUSE_SECONDS)
    a.sync(group, 2, first, {first: b"1"})
    b.synced()
    a.describe(group)
    b.join(group, second)


def static_members(a: Client, b: Client, c: Client) -> None:
    group = "static"
    first = alone(a, group)
    b.send_join(group, instance="i")
    time.sleep(PAUSE_SECONDS)
    a.join(group, first)
    old = b.joined()
    a.sync(group, 2, first, {first: b"1", old: b"2"})
    b.sync(group, 2, old, instance="i")
    new = c.join(group, instance="i")
    c.sync(group, 2, new, instance="i")
    b.beat(group, 2, old, "i")
    b.sync(group, 2, old, instance="i")
    b.join(group, old, instance="i")
    b.commit(group, 2, old, ("t", 0, 9), instance="i")
    b.leave(group, (old, "i"))
    b.beat(group, 2, old)
    a.beat(group, 2, first)
    a.describe(group)
    b.join(group, instance="i", protocols=OTHER)
    c.leave(group, ("", "i"), ("", "nope"), ("x", None), ("", ""))
    a.describe(group)
    a.beat(group, 2, first)


def fenced_while_waiting(a: Client, b: Client, c: Client) -> None:
    group = "fenced"
    first = alone(a, group)
    b.send_join(group, instance="i")
    time.sleep(PAUSE_SECONDS)
    c.send_join(group, instance="i")
    b.joined()
    a.join(group, first)
    c.joined()


def leaving(a: Client, b: Client, c: Client) -> None:
    first, second = pair(a, b, "leaving")
    a.sync("leaving", 2, first, {first: b"1", second: b"2"})
    a.send_join("leaving", first)
    time.sleep(PAUSE_SECONDS)
    c.leave("leaving", (second, None))
    a.joined()
    a.leave("leaving", (first, None))
    a.describe("leaving")
    a.beat("leaving", 4, first)
    a.sync("leaving", 4, first)
    a.commit("leaving", 4, first, ("t", 0, 9))
    a.commit("leaving", -1, "", ("t", 0, 10))
    a.fetch("leaving", ("t", 0))
    first, second = pair(a, b, "left")
    a.sync("left", 2, first, {first: b"1", second: b"2"})
    a.send_join("left", first)
    time.sleep(PAUSE_SECONDS)
    c.leave("left", (first, None))
    a.joined()
    a.describe("left")
    first, second = pair(a, b, "leaderless")
    b.send_sync("leaderless", 2, second)
    time.sleep(PAUSE_SECONDS)
    a.leave("leaderless", (first, None))
    b.synced()
    a.describe("leaderless")


def changed_while_completing(a: Client, b: Client, *_: Client) -> None:
    group = "changed"
    first, second = pair(a, b, group)
    b.send_sync(group, 2, second)
    time.sleep(PAUSE_SECONDS)
    a.send_join(group, first, protocols=(("range", SUBSCRIPTION.replace(b"t", b"u")),))
    b.synced()
    b.join(group, second)
    a.joined()


def others_than_consumers(a: Client, *_: Client) -> None:
    group = "connect"
    member = a.join(group, kind="connect")
    a.join(group, member, kind="connect")
    a.delete_offsets(group, ("t", 0))
    a.sync(group, 1, member, {member: b"x"})
    a.commit(group, 1, member, ("t", 0, 1))
    a.delete_offsets(group, ("t", 0))
    a.leave_alone(group, member)
    a.leave_alone(group, member)
    a.delete_offsets(group, ("t", 0))
    a.describe(group)


def a_session_ends(a: Client, b: Client, *_: Client) -> None:
    group = "session"
    options = {"session": 6_000, "rebalance": 3_000}
    first, second = pair(a, b, group, **options)
    a.sync(group, 2, first, {first: b"1", second: b"2"})
    b.sync(group, 2, second)
    began = time.monotonic()
    while not a.beat(group, 2, first, quietly=True) and time.monotonic() - began < 12:
        time.sleep(0.1)
    a.say("is told after", round(time.monotonic() - began), "s")
    a.describe(group)
    a.join(group, first, **options)
    b.beat(group, 2, second)
    a.describe(group)
    time.sleep(3.5)
    a.describe(group)
    a.beat(group, 3, first)


def a_rebalance_times_out(a: Client, b: Client, *_: Client) -> None:
    options = {"rebalance": 3_000}
    first, second = pair(a, b, "unsynced", **options)
    a.sync("unsynced", 2, first, {first: b"1", second: b"2"})
    time.sleep(3.5)
    a.describe("unsynced")
    b.beat("unsynced", 2, second)
    a.beat("unsynced", 2, first)
    first, second = pair(a, b, "unjoined", **options)
    a.sync("unjoined", 2, first, {first: b"1", second: b"2"})
    b.sync("unjoined", 2, second)
    began = time.monotonic()
    a.join("unjoined", first, **options)
    a.say("has joined after", round(time.monotonic() - began), "s")
    b.beat("unjoined", 2, second)
    b.commit("unjoined", 2, second, ("t", 0, 1))


CASES = [unknown_group, offsets_without_members, refused_joins, one_member, two_members, static_members,
         fenced_while_waiting, leaving, changed_while_completing, others_than_consumers, a_session_ends,
         a_rebalance_times_out]
