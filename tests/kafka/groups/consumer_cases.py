"""What groups of the consumer protocol (KIP-848) are asked, and what only later versions ask of any group.

Epochs and rounds are not compared where they depend on when an assignment was computed.
"""

from __future__ import annotations

from client import SUBSCRIPTION, Client
from compact import CompactClient


def a_consumer_group_begins_and_ends(a: Client, *_: Client) -> None:
    c = CompactClient(a)
    c.heartbeat("none", "m", 5)
    c.heartbeat("none", "m", -1)
    c.heartbeat("", "m", 0)
    c.heartbeat("begins", "", 0)
    c.heartbeat("begins", "m", 0, assignor="nope")
    c.heartbeat("begins", "m", 0, regex="(")
    c.heartbeat("begins", "m", -3)
    c.heartbeat("begins", "m", -2)
    epoch = c.settle("begins", "m")
    c.heartbeat("begins", "m", epoch)
    c.heartbeat("begins", "m", epoch + 1)
    c.heartbeat("begins", "m", epoch - 1)
    c.heartbeat("begins", "x", epoch)
    c.heartbeat("begins", "m", epoch, topics=["t", "nope"])
    c.heartbeat("begins", "m", -1)
    c.heartbeat("begins", "m", -1)
    a.delete("begins")


def members_share_partitions(a: Client, *_: Client) -> None:
    c = CompactClient(a)
    c.settle("share", "m", "n")
    c.settle("share", "m", "n", "o", "p")
    c.settle("by range", "m", "n", assignor="range")
    c.settle("by expression", "m", "n", regex="t|nope.*")
    a.delete("share")


def who_commits_to_a_consumer_group(a: Client, *_: Client) -> None:
    c = CompactClient(a)
    epoch = c.settle("commits", "m")
    c.commit("commits", epoch, "m", ("t", 0, 5), ("t", 77, 5), ("nope", 0, 5))
    c.commit("commits", epoch + 1, "m", ("t", 0, 5), ("t", 77, 5), ("nope", 0, 5))
    c.commit("commits", epoch - 1, "m", ("t", 0, 5), ("t", 77, 5))
    c.commit("commits", epoch, "x", ("t", 0, 5), ("nope", 0, 5))
    c.commit("commits", -1, "", ("t", 0, 5))
    c.commit("no group", 5, "x", ("t", 0, 5), ("nope", 0, 5))
    a.commit("commits", epoch, "m", ("t", 0, 5), ("nope", 0, 5))
    c.fetch("commits", "m", epoch)
    c.fetch("commits", "m", epoch + 1)
    c.fetch("commits", "x", epoch)
    c.fetch("commits", None, -1)
    a.delete_offsets("commits", ("t", 0), ("nope", 0))
    a.delete("commits")
    c.heartbeat("commits", "m", -1)
    c.commit("commits", -1, "", ("t", 0, 6))
    a.fetch("commits")
    a.delete("commits")


def administrators_ask(a: Client, *_: Client) -> None:
    c = CompactClient(a)
    c.settle("consumers", "m")
    a.commit("simple one", -1, "", ("t", 0, 1))
    for version in (5, 6):
        c.describe(version, "consumers")
        c.describe(version, "simple one")
        c.describe(version, "no such group")
    c.describe_consumer_group("consumers")
    c.describe_consumer_group("simple one")
    c.describe_consumer_group("no such group")
    c.describe_consumer_group("")
    for filters in (([], ["consumer"]), (["Stable"], ["Consumer"]), (["stable"], []), (["nope"], []), ([], ["share"])):
        c.list(*filters)
    a.delete("simple one")


def administrators_remove_members(a: Client, *_: Client) -> None:
    c = CompactClient(a)
    c.settle("remove", "m")
    c.heartbeat("remove", "s", 0, instance="i")
    c.leave("remove", ("x", None), ("m", "i"), ("", "j"))
    c.leave("remove", ("", "i"), ("m", None), ("m", None))
    a.delete("remove")


def static_members_of_a_consumer_group(a: Client, *_: Client) -> None:
    c = CompactClient(a)
    epoch = c.settle("static", "m", instance="i")
    c.heartbeat("static", "n", 0, instance="i")
    c.heartbeat("static", "n", epoch, instance="i")
    c.heartbeat("static", "m", epoch, instance="j")
    c.heartbeat("static", "m", -2, instance="i")
    c.heartbeat("static", "n", 0, instance="i")
    c.heartbeat("static", "m", epoch, instance="i")
    c.heartbeat("static", "n", -1, instance="i")
    a.delete("static")


def a_sync_names_its_protocol(a: Client, *_: Client) -> None:
    c = CompactClient(a)
    for kind, protocol in ((None, None), ("consumer", None), (None, "range"), ("consumer", "range")):
        c.sync("nobody", 1, "x", kind, protocol)
    c.sync("", 1, "x", None, None)
    member = a.join("named")
    a.join("named", member)
    for kind, protocol in ((None, None), ("connect", "range"), ("consumer", "other"), ("consumer", "range")):
        c.sync("named", 1, member, kind, protocol)
    c.settle("natives", "m")
    c.sync("natives", 1, "m", None, None)


def a_group_is_upgraded_and_downgraded(a: Client, b: Client, *_: Client) -> None:
    c = CompactClient(b)
    member = a.join("upgrade")
    a.join("upgrade", member)
    a.sync("upgrade", 1, member, {member: b"\0\0\0\0\0\1\0\1t\0\0\0\3\0\0\0\0\0\0\0\1\0\0\0\2\xff\xff\xff\xff"})
    a.beat("upgrade", 1, member)
    c.heartbeat("upgrade", "native", 0)
    c.list([], ["consumer"])
    a.commit("upgrade", 1, member, ("t", 0, 7))
    c.heartbeat("upgrade", "native", -1)
    a.describe("upgrade")
    a.join("upgrade", member, protocols=(("range", SUBSCRIPTION),))
    a.leave("upgrade", (member, None))
    a.delete("upgrade")


CASES = [a_consumer_group_begins_and_ends, members_share_partitions, who_commits_to_a_consumer_group, administrators_ask,
         administrators_remove_members, static_members_of_a_consumer_group, a_sync_names_its_protocol,
         a_group_is_upgraded_and_downgraded]
