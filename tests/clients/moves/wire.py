"""The three requests that the runs need, as bytes: clients of Python offer no reassignments.

    wire.py PORT TOPIC PARTITIONS SHARDS    moves partitions without a pause until the broker goes away
"""

from __future__ import annotations

import random
import socket
import struct
import sys

TIMEOUT_MS = 30_000
CREATE_TOPICS, CREATE_TOPICS_VERSION = 19, 4
LIST_OFFSETS, LIST_OFFSETS_VERSION = 2, 1
LATEST = -1
ALTER_REASSIGNMENTS, ALTER_REASSIGNMENTS_VERSION = 45, 0


class Refused(Exception):
    """The broker answered with an error code."""


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _compact(items: list[bytes]) -> bytes:
    """An array of at most 126 items."""
    return bytes([len(items) + 1]) + b"".join(items)


def _compact_string(text: str) -> bytes:
    return bytes([len(text) + 1]) + text.encode()


class Admin:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._peer = socket.create_connection(("127.0.0.1", port), timeout=60)

    def _call(self, key: int, version: int, body: bytes, is_flexible: bool) -> bytes:
        request = struct.pack(">hhih", key, version, 1, -1) + (b"\0" if is_flexible else b"") + body
        self._peer.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", self._read(4))
        return self._read(size)[5 if is_flexible else 4:]

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            part = self._peer.recv(size - len(content))
            if not part:
                raise ConnectionError("the broker closed the connection")
            content += part
        return content

    def create(self, topic: str, partitions: int) -> None:
        body = struct.pack(">i", 1) + _string(topic) + struct.pack(">ihiii?", partitions, 1, 0, 0, TIMEOUT_MS, False)
        answer = self._call(CREATE_TOPICS, CREATE_TOPICS_VERSION, body, is_flexible=False)
        (code,) = struct.unpack_from(">h", answer, 8 + 2 + len(topic))
        if code:
            raise Refused(f"create: error {code}")

    def ends(self, topic: str, partitions: int) -> list[int]:
        """The offsets at which partitions end."""
        wanted = b"".join(struct.pack(">iq", partition, LATEST) for partition in range(partitions))
        body = struct.pack(">ii", -1, 1) + _string(topic) + struct.pack(">i", partitions) + wanted
        answer = self._call(LIST_OFFSETS, LIST_OFFSETS_VERSION, body, is_flexible=False)
        # One topic and its name; then the number of partitions, and of each its index, code, time and offset.
        found = struct.iter_unpack(">ihqq", answer[4 + 2 + len(topic) + 4:])
        return [end if code == 0 else -1 for _, code, _, end in sorted(found)]

    def move(self, topic: str, targets: dict[int, int]) -> None:
        """Moves partitions to shards. Shard k is replica -1 - k, whatever the mode."""
        partitions = [struct.pack(">i", partition) + _compact([struct.pack(">i", -1 - shard)]) + b"\0"
                      for partition, shard in targets.items()]
        body = struct.pack(">i", TIMEOUT_MS) + _compact([_compact_string(topic) + _compact(partitions) + b"\0"]) + b"\0"
        answer = self._call(ALTER_REASSIGNMENTS, ALTER_REASSIGNMENTS_VERSION, body, is_flexible=True)
        (code,) = struct.unpack_from(">h", answer, 4)
        if code:
            raise Refused(f"move: error {code}")
        # No message at the top; then the topic's name and a list of partition, code and message.
        if not targets:
            return
        at = 4 + 2 + 1 + 1 + 1 + len(topic) + 1
        for _ in targets:
            partition, code = struct.unpack_from(">ih", answer, at)
            if code:
                raise Refused(f"move of {partition}: error {code}")
            at += 4 + 2 + 1 + 1


def main() -> None:
    port, topic, partitions, shards = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    admin = Admin(port)
    while True:
        try:
            admin.move(topic, {partition: random.randrange(shards) for partition in range(partitions)})
        except (OSError, Refused):
            return


if __name__ == "__main__":
    main()
