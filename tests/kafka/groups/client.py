"""A Kafka client that says exactly what it is told to, in the last versions without compact encodings, for groups only."""

from __future__ import annotations

import re
import socket
import struct

TIMEOUT_SECONDS = 20.0
MEMBER_ID = re.compile(r"^(.*)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
SUBSCRIPTION = b"\0\0" + struct.pack(">i", 1) + b"\0\1t" + struct.pack(">i", -1)
"""What a consumer says that subscribes to the topic t."""


def number(format_: str, value: int) -> bytes:
    return struct.pack(f">{format_}", value)


def text(value: str | None) -> bytes:
    if value is None:
        return number("h", -1)
    return number("h", len(value.encode())) + value.encode()


def blob(value: bytes) -> bytes:
    return number("i", len(value)) + value


def array(items: list[bytes]) -> bytes:
    return number("i", len(items)) + b"".join(items)


class Response:
    """Fields of a response, read one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, format_: str) -> int:
        (value,) = struct.unpack_from(f">{format_}", self._data, self._at)
        self._at += struct.calcsize(format_)
        return value

    def rest(self) -> bytes:
        return self._data[self._at:]

    def bytes(self, length: int) -> bytes:
        value = self._data[self._at:self._at + max(length, 0)]
        self._at += max(length, 0)
        return value

    def text(self) -> str | None:
        length = self.number("h")
        return None if length < 0 else self.bytes(length).decode()

    def blob(self) -> bytes:
        return self.bytes(self.number("i"))

    def array(self, item) -> list:
        return [item() for _ in range(self.number("i"))]


class Names:
    """Short names of member ids, in the order in which they are seen: a#1 for the first that begins with a."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._count: dict[str, int] = {}

    def show(self, member_id: str | None) -> str:
        found = MEMBER_ID.match(member_id or "")
        if not found:
            return str(member_id)
        if member_id not in self._names:
            prefix = found[1]
            self._count[prefix] = self._count.get(prefix, 0) + 1
            self._names[member_id] = f"{prefix}#{self._count[prefix]}"
        return self._names[member_id]


class Client:
    """One connection. What it is answered goes to `log`, in words that do not differ from run to run."""

    def __init__(self, address: str, name: str, log: list[str], names: Names) -> None:
        host, port = address.rsplit(":", 1)
        self.name = name
        self._log = log
        self._names = names
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS)
        self._sent = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, key: int, version: int, body: bytes) -> None:
        self._sent += 1
        frame = number("h", key) + number("h", version) + number("i", self._sent) + text(self.name) + body
        self._socket.sendall(number("i", len(frame)) + frame)

    def receive(self) -> Response:
        response = Response(self._exactly(struct.unpack(">i", self._exactly(4))[0]))
        response.number("i")
        return response

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self._socket.recv(length - len(data))
            if not piece:
                raise ConnectionError("the broker has closed the connection")
            data += piece
        return data

    def say(self, *words: object) -> None:
        self._log.append(" ".join(str(word) for word in (self.name, *words)))

    def create_topic(self, name: str, partitions: int) -> None:
        self.send(19, 2, array([text(name) + number("i", partitions) + number("h", 1) + array([]) + array([])])
                  + number("i", 10_000) + b"\0")
        self.receive()

    def coordinator_error(self, group: str) -> int:
        self.send(10, 1, text(group) + b"\0")
        response = self.receive()
        response.number("i")
        return response.number("h")

    def group_error(self, group: str) -> int:
        """The error of a DescribeGroups: not 0 while the group's coordinator is loading."""
        self.send(15, 4, array([text(group)]) + b"\0")
        response = self.receive()
        response.number("i")
        response.number("i")
        return response.number("h")

    def send_join(self, group: str, member: str = "", *, instance: str | None = None, kind: str = "consumer",
                  protocols: tuple = (("range", SUBSCRIPTION),), session: int = 10_000, rebalance: int = 8_000) -> None:
        offered = [text(name) + blob(metadata) for name, metadata in protocols]
        self.send(11, 5, text(group) + number("i", session) + number("i", rebalance) + text(member) + text(instance)
                  + text(kind) + array(offered))

    def joined(self) -> str:
        """Notes the response to a JoinGroup; the member id in it."""
        response = self.receive()
        response.number("i")
        error, generation = response.number("h"), response.number("i")
        protocol, leader, member = response.text(), response.text(), response.text()
        members = response.array(lambda: (response.text(), response.text(), response.blob())[0])
        shown = sorted(self._names.show(one) for one in members)
        self.say("joined", error, generation, protocol, self._names.show(leader), self._names.show(member), shown)
        return member

    def join(self, group: str, member: str = "", **options) -> str:
        self.send_join(group, member, **options)
        return self.joined()

    def send_sync(self, group: str, generation: int, member: str, assignments: dict[str, bytes] | None = None,
                  instance: str | None = None) -> None:
        given = [text(one) + blob(assignment) for one, assignment in (assignments or {}).items()]
        self.send(14, 3, text(group) + number("i", generation) + text(member) + text(instance) + array(given))

    def synced(self) -> None:
        response = self.receive()
        response.number("i")
        self.say("synced", response.number("h"), response.blob())

    def sync(self, *arguments, **options) -> None:
        self.send_sync(*arguments, **options)
        self.synced()

    def beat(self, group: str, generation: int, member: str, instance: str | None = None, *, quietly: bool = False) -> int:
        self.send(12, 3, text(group) + number("i", generation) + text(member) + text(instance))
        response = self.receive()
        response.number("i")
        error = response.number("h")
        if not quietly:
            self.say("beat", error)
        return error

    def leave(self, group: str, *members: tuple[str, str | None]) -> None:
        self.send(13, 3, text(group) + array([text(member) + text(instance) for member, instance in members]))
        response = self.receive()
        response.number("i")
        error = response.number("h")
        self.say("left", error, response.array(
            lambda: (self._names.show(response.text()), response.text(), response.number("h"))))

    def leave_alone(self, group: str, member: str) -> None:
        """LeaveGroup of version 0."""
        self.send(13, 0, text(group) + text(member))
        self.say("left", self.receive().number("h"))

    def commit(self, group: str, generation: int, member: str, *offsets: tuple[str, int, int],
               instance: str | None = None, metadata: str | None = "") -> None:
        topics = [text(topic) + array([number("i", partition) + number("q", offset) + number("i", -1) + text(metadata)])
                  for topic, partition, offset in offsets]
        self.send(8, 7, text(group) + number("i", generation) + text(member) + text(instance) + array(topics))
        response = self.receive()
        response.number("i")
        self.say("committed", flat(response, lambda: (response.number("i"), response.number("h"))))

    def fetch(self, group: str, *partitions: tuple[str, int]) -> None:
        """Without partitions: all of the group's."""
        topics = [text(topic) + array([number("i", partition)]) for topic, partition in partitions]
        self.send(9, 5, text(group) + (array(topics) if topics else number("i", -1)))
        response = self.receive()
        response.number("i")
        offsets = flat(response, lambda: (response.number("i"), response.number("q"), response.number("i"),
                                          response.text(), response.number("h")))
        self.say("fetched", offsets, response.number("h"))

    def describe(self, group: str) -> None:
        self.send(15, 4, array([text(group)]) + b"\0")
        response = self.receive()
        response.number("i")
        self.say("described", response.array(lambda: (
            response.number("h"), *(response.text() for _ in range(4)),
            sorted(response.array(lambda: (self._names.show(response.text()), *(response.text() for _ in range(3)),
                                           response.blob(), response.blob()))), response.number("i"))))

    def delete(self, *groups: str) -> None:
        self.send(42, 1, array([text(group) for group in groups]))
        response = self.receive()
        response.number("i")
        self.say("deleted", response.array(lambda: (response.text(), response.number("h"))))

    def delete_offsets(self, group: str, *partitions: tuple[str, int]) -> None:
        topics = [text(topic) + array([number("i", partition)]) for topic, partition in partitions]
        self.send(47, 0, text(group) + array(topics))
        response = self.receive()
        error = response.number("h")
        response.number("i")
        self.say("offsets deleted", error, flat(response, lambda: (response.number("i"), response.number("h"))))

    def list(self) -> None:
        self.send(16, 2, b"")
        response = self.receive()
        response.number("i")
        error = response.number("h")
        self.say("listed", error, sorted(response.array(lambda: (response.text(), response.text()))))


def flat(response: Response, partition) -> list:
    """Topics with their partitions, in an order that is not the broker's."""
    topics = response.array(lambda: (response.text(), response.array(partition)))
    return sorted((topic, *one) for topic, partitions in topics for one in partitions)
