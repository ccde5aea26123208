"""The client's later versions, whose encoding is compact: the consumer protocol (KIP-848), and what only they can say."""

from __future__ import annotations

import time

from client import Client, Response, number

BEAT_SECONDS = 0.1
SETTLE_SECONDS_MAX = 20.0


def varint(value: int) -> bytes:
    data = b""
    while value >= 0x80:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def text(value: str | None) -> bytes:
    if value is None:
        return b"\0"
    return varint(len(value.encode()) + 1) + value.encode()


def blob(value: bytes) -> bytes:
    return varint(len(value) + 1) + value


def array(items: list[bytes] | None) -> bytes:
    return b"\0" if items is None else varint(len(items) + 1) + b"".join(items)


TAGS = b"\0"


class CompactResponse(Response):
    """Fields in the compact encoding."""

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self) -> str | None:
        length = self.varint() - 1
        return None if length < 0 else self.bytes(length).decode()

    def blob(self) -> bytes:
        return self.bytes(self.varint() - 1)

    def array(self, item) -> list:
        return [item() for _ in range(self.varint() - 1)]

    def tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.bytes(self.varint())

    def tagged(self, *fields):
        """These fields, and what ends their structure."""
        self.tags()
        return fields


class CompactClient:
    """Asks over another client's connection, and tells its log."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _ask(self, key: int, version: int, body: bytes) -> CompactResponse:
        # The header's tags come before the body.
        self._client.send(key, version, TAGS + body)
        response = CompactResponse(self._client.receive().rest())
        response.tags()
        return response

    def _heartbeat(self, group: str, member: str, epoch: int, *, instance: str | None = None, topics: list[str] | None = None,
                   regex: str | None = None, assignor: str | None = None, rebalance: int = -1,
                   owned: list | None = None) -> tuple:
        if epoch == 0:
            topics, rebalance, owned = topics if regex else topics or ["t"], 60_000, []
        names = None if topics is None else [text(name) for name in topics]
        partitions = None if owned is None else [topic + array([number("i", one) for one in some]) + TAGS for topic, some in owned]
        response = self._ask(68, 1, text(group) + text(member) + number("i", epoch) + text(instance) + text(None)
                             + number("i", rebalance) + array(names) + text(regex) + text(assignor) + array(partitions) + TAGS)
        response.number("i")
        error, message = response.number("h"), response.text()
        member, epoch, _interval = response.text(), response.number("i"), response.number("i")
        assigned = None
        if response.number("b") >= 0:
            assigned = response.array(lambda: response.tagged(
                response.bytes(16), sorted(response.array(lambda: response.number("i"))))[0:2])
        return error, message, member, epoch, assigned

    def heartbeat(self, group: str, member: str, epoch: int, **said) -> int:
        """One heartbeat; the epoch that it was answered, which depends on when an assignment is computed and is not told."""
        error, message, member, epoch, _ = self._heartbeat(group, member, epoch, **said)
        # Each library has its own words for what is wrong with an expression.
        message = message and message.partition("not a valid regular expression")[0]
        self._client.say("heartbeat", error, message, member, epoch > 0)
        return epoch

    def settle(self, group: str, *members: str, **said) -> int:
        """Heartbeats of members, which join, until all have come to rest. How long that takes is not told."""
        epochs = {member: 0 for member in members}
        owned = {member: [] for member in members}
        until = time.monotonic() + SETTLE_SECONDS_MAX
        quiet_since = time.monotonic()
        # Assignments are gathered for a second.
        while time.monotonic() < quiet_since + 2.5 and time.monotonic() < until:
            for member in members:
                before = epochs[member], owned[member]
                extra = {**said, "owned": owned[member]} if epochs[member] else said
                error, message, _, epoch, assigned = self._heartbeat(group, member, epochs[member], **extra)
                if error:
                    self._client.say("unsettled", error, message)
                    return -1
                epochs[member] = epoch
                owned[member] = owned[member] if assigned is None else assigned
                if before != (epochs[member], owned[member]):
                    quiet_since = time.monotonic()
            time.sleep(BEAT_SECONDS)
        counts = sorted(sum(len(some) for _, some in mine) for mine in owned.values())
        self._client.say("settled", len(set(epochs.values())), counts)
        return max(epochs.values())

    def describe_consumer_group(self, *groups: str) -> None:
        response = self._ask(69, 1, array([text(group) for group in groups]) + b"\1" + TAGS)
        response.number("i")

        def partitions() -> tuple:
            return response.tagged(response.bytes(16), response.text(), response.array(lambda: response.number("i")))[1:]

        def assignment() -> tuple:
            return response.tagged(response.array(partitions))

        def member() -> tuple:
            return response.tagged(
                response.text(), response.text(), response.text(), response.number("i"), response.text(), response.text(),
                response.array(response.text), response.text(), assignment(), assignment(), response.number("b"))

        def group() -> tuple:
            error, message, name, state = response.number("h"), response.text(), response.text(), response.text()
            _epochs = response.number("i"), response.number("i")
            return response.tagged(error, message, name, state, response.text(),
                                   [(*one[:3], *one[4:]) for one in response.array(member)], response.number("i"))

        self._client.say("described", response.array(group))

    def describe(self, version: int, *groups: str) -> None:
        """DescribeGroups with what the caller may do."""
        response = self._ask(15, version, array([text(group) for group in groups]) + b"\1" + TAGS)
        response.number("i")

        def member() -> tuple:
            return response.tagged(*(response.text() for _ in range(4)), response.blob(), response.blob())

        def group() -> tuple:
            error = response.number("h")
            message = response.text() if version >= 6 else None
            return response.tagged(error, message, *(response.text() for _ in range(4)), len(response.array(member)),
                                   response.number("i"))

        self._client.say("described", response.array(group))

    def list(self, states: list[str], types: list[str]) -> None:
        response = self._ask(16, 5, array([text(one) for one in states]) + array([text(one) for one in types]) + TAGS)
        response.number("i")
        error = response.number("h")
        self._client.say("listed", error, sorted(response.array(
            lambda: response.tagged(*(response.text() for _ in range(4))))))

    def commit(self, group: str, epoch: int, member: str, *offsets: tuple[str, int, int]) -> None:
        topics = [text(topic) + array([number("i", partition) + number("q", offset) + number("i", -1) + text("") + TAGS]) + TAGS
                  for topic, partition, offset in offsets]
        response = self._ask(8, 9, text(group) + number("i", epoch) + text(member) + text(None) + array(topics) + TAGS)
        response.number("i")
        topics = response.array(lambda: response.tagged(
            response.text(), response.array(lambda: response.tagged(response.number("i"), response.number("h")))))
        self._client.say("committed", sorted((topic, *one) for topic, partitions in topics for one in partitions))

    def fetch(self, group: str, member: str | None, epoch: int) -> None:
        one = text(group) + text(member) + number("i", epoch) + array(None) + TAGS
        response = self._ask(9, 9, array([one]) + b"\0" + TAGS)
        response.number("i")

        def partition() -> tuple:
            return response.tagged(response.number("i"), response.number("q"), response.number("i"), response.text(),
                                   response.number("h"))

        def topic() -> tuple:
            return response.tagged(response.text(), sorted(response.array(partition)))

        self._client.say("fetched", response.array(lambda: response.tagged(
            response.text(), sorted(response.array(topic)), response.number("h"))))

    def sync(self, group: str, generation: int, member: str, kind: str | None, protocol: str | None) -> None:
        """SyncGroup of version 5, which names the protocol."""
        response = self._ask(14, 5, text(group) + number("i", generation) + text(member) + text(None) + text(kind)
                             + text(protocol) + array([]) + TAGS)
        response.number("i")
        self._client.say("synced", response.number("h"), response.text(), response.text(), len(response.blob()))

    def leave(self, group: str, *members: tuple[str, str | None]) -> None:
        """LeaveGroup as an administrator sends it."""
        response = self._ask(13, 5, text(group) + array(
            [text(member) + text(instance) + text("reason") + TAGS for member, instance in members]) + TAGS)
        response.number("i")
        error = response.number("h")
        self._client.say("left", error, response.array(
            lambda: response.tagged(response.text(), response.text(), response.number("h"))))
