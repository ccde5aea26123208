"""A block device that can lose power, fail, and be slow: a loop device over a file that a FUSE server of our own serves.

The kernels that this runs on need no device mapper for it, FUSE and loop devices suffice. What a file system sends to the
device arrives here as writes and, for each flush of the disk's cache, as an fsync. So the server knows what a disk knows:

- a write that was answered is in the volatile cache, one that was not is on its way;
- a flush that was answered has made durable what had been answered when the flush arrived, and nothing else.

A power cut at an instant leaves everything durable, and of all later writes any of them, each whole or, within a write, any of
its sectors. `cut` writes such a state to a file; the disk itself goes on, so that one run gives many cuts. The instant is one:
the server is a single thread, and forks to write the copy.

    device.py serve FD FILE BYTES SECTOR CONTROL    the server, started by `Disk`
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import heapq
import json
import os
import random
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS = 1, 2, 3, 4, 14, 15, 16, 17
RELEASE, FSYNC, FLUSH, INIT, INTERRUPT, DESTROY, BATCH_FORGET = 18, 20, 25, 26, 36, 38, 42
"""Opcodes of linux/fuse.h, version 7.31."""
ASYNC_READ, BIG_WRITES, ASYNC_DIO, MAX_PAGES = 1 << 0, 1 << 5, 1 << 15, 1 << 22
PAGES_MAX = 256
WRITE_BYTES_MAX = PAGES_MAX * 4096
IN_HEADER = struct.Struct("<IIQQIIIHH")
ZERO_RUN_BYTES = 65_536
"""Runs of zeros of this size become holes in the copies."""
READY_SECONDS_MAX = 30


class Server:
    """The disk: `current` is what a reader sees, `durable` what no power cut takes away."""

    def __init__(self, device: int, size: int, sector: int, control: socket.socket) -> None:
        self.device = device
        self.size = size
        self.sector = sector
        self.control = control
        self.current = bytearray(size)
        self.durable = bytearray(size)
        self.pending: list[list] = []
        """Writes that no flush has covered: offset, bytes, whether they were answered."""
        self.due: list[tuple[float, int, object]] = []
        """What is to happen when: answers that are held back."""
        self.turn = 0
        self.delays: dict[str, tuple[float, float]] = {}
        self.faults: dict[str, tuple[int, float]] = {}
        self.counts = {"write": 0, "fsync": 0, "read": 0, "write_failed": 0, "fsync_failed": 0, "read_failed": 0, "bytes": 0}
        self.chance = random.Random(1)
        self.is_open = True

    def serve(self) -> None:
        peers: dict[int, socket.socket] = {}
        while self.is_open:
            wait = max(0.0, self.due[0][0] - time.monotonic()) if self.due else 1.0
            ready, _, _ = select.select([self.device, self.control, *peers], [], [], wait)
            while self.due and self.due[0][0] <= time.monotonic():
                heapq.heappop(self.due)[2]()
            for number in ready:
                if number == self.device:
                    self._request()
                elif number is self.control:
                    peer, _ = self.control.accept()
                    peers[peer.fileno()] = peer
                elif not self._command(peers[number]):
                    peers.pop(number).close()

    def _request(self) -> None:
        try:
            request = os.read(self.device, WRITE_BYTES_MAX + 8192)
        except OSError as error:
            if error.errno == errno.ENODEV:  # The mount is gone.
                self.is_open = False
            elif error.errno not in (errno.EAGAIN, errno.EINTR, errno.ENOENT):
                raise
            return
        _, code, unique, _, _, _, _, _, _ = IN_HEADER.unpack_from(request)
        body = memoryview(request)[IN_HEADER.size:]
        if code == INIT:
            major, minor, readahead, _ = struct.unpack_from("<IIII", body)
            flags = ASYNC_READ | BIG_WRITES | ASYNC_DIO | MAX_PAGES
            answer = struct.pack("<IIIIHHIIHHI28x", 7, 31, readahead, flags, 64, 48, WRITE_BYTES_MAX, 1, PAGES_MAX, 0, 0)
            self._answer(unique, answer)
        elif code in (GETATTR, SETATTR):
            self._answer(unique, struct.pack("<QII", 3600, 0, 0) + self._attributes())
        elif code == OPEN:
            self._answer(unique, struct.pack("<QII", 1, 0, 0))
        elif code == READ:
            self._read(unique, body)
        elif code == WRITE:
            self._write(unique, body)
        elif code == FSYNC:
            self._fsync(unique)
        elif code in (RELEASE, FLUSH):
            self._answer(unique, b"")
        elif code == DESTROY:
            self._answer(unique, b"")
            self.is_open = False
        elif code == STATFS:
            self._answer(unique, struct.pack("<QQQQQIIII24x", self.size // 4096, 0, 0, 1, 0, 4096, 255, 4096, 0))
        elif code not in (FORGET, BATCH_FORGET, INTERRUPT):
            self._answer(unique, b"", errno.ENOSYS)

    def _attributes(self) -> bytes:
        mode = stat.S_IFREG | 0o600
        return struct.pack("<QQQQQQIIIIIIIIII", 1, self.size, self.size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, unique: int, body: bytes, error: int = 0) -> None:
        try:
            os.write(self.device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
        except OSError as failure:
            if failure.errno not in (errno.ENOENT, errno.ENODEV):  # The request was interrupted, or the mount is gone.
                raise

    def _after(self, kind: str, act) -> None:
        """Does it now, or after the time that such requests take at present."""
        low, high = self.delays.get(kind, (0.0, 0.0))
        if high <= 0:
            act()
            return
        self.turn += 1
        heapq.heappush(self.due, (time.monotonic() + self.chance.uniform(low, high), self.turn, act))

    def _fails(self, kind: str) -> int:
        self.counts[kind] += 1
        number, probability = self.faults.get(kind, (0, 0.0))
        if number and self.chance.random() < probability:
            self.counts[f"{kind}_failed"] += 1
            return number
        return 0

    def _read(self, unique: int, body: memoryview) -> None:
        _, offset, size = struct.unpack_from("<QQI", body)
        failure = self._fails("read")

        def act() -> None:
            self._answer(unique, b"" if failure else bytes(memoryview(self.current)[offset:offset + size]), failure)

        self._after("read", act)

    def _write(self, unique: int, body: memoryview) -> None:
        _, offset, size = struct.unpack_from("<QQI", body)
        if failure := self._fails("write"):
            self._after("write", lambda: self._answer(unique, b"", failure))
            return
        content = bytes(body[40:40 + size])
        self.counts["bytes"] += size
        self.current[offset:offset + size] = content
        entry = [offset, content, False]
        self.pending.append(entry)

        def act() -> None:
            entry[2] = True
            self._answer(unique, struct.pack("<II", size, 0))

        self._after("write", act)

    def _fsync(self, unique: int) -> None:
        failure = self._fails("fsync")
        covered = [entry for entry in self.pending if entry[2]]

        def act() -> None:
            if not failure:
                for offset, content, _ in covered:
                    self.durable[offset:offset + len(content)] = content
                gone = {id(entry) for entry in covered}
                self.pending = [entry for entry in self.pending if id(entry) not in gone]
            self._answer(unique, b"", failure)

        self._after("fsync", act)

    def _command(self, peer: socket.socket) -> bool:
        line = peer.recv(65_536)
        if not line:
            return False
        request = json.loads(line)
        what = request.pop("do")
        if what == "cut":
            self._cut(peer, **request)
            return True
        if what == "fail":
            self.faults[request["kind"]] = (request["error"], request["probability"])
        elif what == "delay":
            self.delays[request["kind"]] = (request["low"], request["high"])
        elif what == "heal":
            self.faults.clear()
            self.delays.clear()
        peer.sendall(json.dumps(self.counts | {"pending": len(self.pending)}).encode() + b"\n")
        return True

    def _cut(self, peer: socket.socket, path: str, seed: int) -> None:
        at = time.time_ns()
        if os.fork():
            return  # The child answers.
        chance = random.Random(seed)
        kept = chance.choice((0.0, chance.random(), chance.random(), 1.0))
        torn = chance.choice((0.0, 0.3))
        told = {"at": at, "pending": len(self.pending), "kept": 0, "torn": 0, "lost": 0}
        for offset, content, _ in self.pending:
            if chance.random() >= kept:
                told["lost"] += 1
            elif chance.random() < torn and len(content) > self.sector:
                told["torn"] += 1
                for begin in range(0, len(content), self.sector):
                    if chance.random() < 0.5:
                        self.durable[offset + begin:offset + begin + self.sector] = content[begin:begin + self.sector]
            else:
                told["kept"] += 1
                self.durable[offset:offset + len(content)] = content
        write_sparse(Path(path), self.durable)
        peer.sendall(json.dumps(told).encode() + b"\n")
        os._exit(0)


def write_sparse(path: Path, content: bytearray) -> None:
    zeros, view = bytes(ZERO_RUN_BYTES), memoryview(content)
    with path.open("wb") as file:
        for begin in range(0, len(content), ZERO_RUN_BYTES):
            part = bytes(view[begin:begin + ZERO_RUN_BYTES])
            if part != zeros:
                file.seek(begin)
                file.write(part)
        file.truncate(len(content))


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def make(kind: str, device: str) -> None:
    """A file system. Nothing is left for the kernel to initialise later, so that a quiet disk is quiet."""
    if kind == "ext4":
        run("mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", device)
    elif kind == "xfs":
        run("mkfs.xfs", "-q", "-K", device)
    else:
        run("mkfs.btrfs", "-q", "-K", device)


def is_sound(kind: str, device: str) -> str:
    """What the file system's own checker finds wrong, after its log was replayed by a mount."""
    words = {"ext4": ["e2fsck", "-fn"], "xfs": ["xfs_repair", "-n"], "btrfs": ["btrfs", "check"]}[kind]
    done = subprocess.run([*words, device], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


class Image:
    """An image file as a mounted file system."""

    def __init__(self, path: Path, mount: Path, kind: str = "ext4", sector: int = 512) -> None:
        self.path = path
        self.kind = kind
        self.mount = mount
        self.sector = sector
        self.device = ""
        self.is_mounted = False

    def attach(self) -> None:
        words = ["--sector-size", str(self.sector)] if self.sector != 512 else []
        self.device = run("losetup", "--find", "--show", *words, self.path)

    def mount_it(self) -> None:
        self.mount.mkdir(parents=True, exist_ok=True)
        # XFS refuses what has the identity of a file system that is mounted, as a copy has.
        options = ["-o", "nouuid"] if self.kind == "xfs" else []
        run("mount", *options, self.device, self.mount)
        self.is_mounted = True

    def unmount(self) -> None:
        if self.is_mounted:
            unmount(self.mount)
            self.is_mounted = False

    def detach(self) -> None:
        if self.device:
            run("losetup", "--detach", self.device)
            self.device = ""

    def __enter__(self) -> Image:
        self.attach()
        try:
            self.mount_it()
        except OSError:
            self.detach()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()
        self.detach()


def unmount(path: Path) -> None:
    """Processes that have just ended may hold it for a moment."""
    for _ in range(100):
        try:
            run("umount", path)
            return
        except OSError as failure:
            if "busy" not in str(failure):
                raise
            time.sleep(0.1)
    run("umount", "--lazy", path)


class Disk(Image):
    """The faulty disk, formatted and mounted at `directory/mount`."""

    def __init__(self, directory: Path, size: int, kind: str = "ext4", sector: int = 512) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(directory / "disk", directory / "mount", kind, sector)
        self.size = size
        self._control_path = directory / "control"
        self._server: subprocess.Popen | None = None
        self._control: socket.socket | None = None

    def attach(self) -> None:
        self.path.touch()
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
        options = f"fd={fuse},rootmode=100600,user_id=0,group_id=0,allow_other"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"faulty-disk", bytes(self.path), b"fuse", ctypes.c_ulong(6), options.encode()):
            os.close(fuse)
            raise OSError(ctypes.get_errno(), "mount of FUSE is refused")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._control_path))
        listener.listen()
        words = [sys.executable, __file__, "serve", fuse, self.size, self.sector, listener.fileno()]
        self._server = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, pass_fds=(fuse, listener.fileno()), start_new_session=True)
        os.close(fuse)
        listener.close()
        self._control = socket.socket(socket.AF_UNIX)
        self._control.settimeout(READY_SECONDS_MAX)
        self._control.connect(str(self._control_path))
        self._ask(do="heal")
        words = ["--direct-io=on", "--sector-size", str(self.sector)]
        self.device = run("losetup", "--find", "--show", *words, self.path)
        make(self.kind, self.device)

    def detach(self) -> None:
        super().detach()
        if self._control:
            self._control.close()
        unmount(self.path)  # The loop device lets go of it a moment later.
        if self._server:
            self._server.wait(READY_SECONDS_MAX)

    def _ask(self, **words: object) -> dict:
        assert self._control
        self._control.sendall(json.dumps(words).encode())
        answer = b""
        while not answer.endswith(b"\n"):
            part = self._control.recv(65_536)
            if not part:
                raise OSError("the disk's server has ended")
            answer += part
        return json.loads(answer)

    def cut(self, path: Path, seed: int) -> dict:
        """Writes what a power cut at this instant could have left; `at` is when that was, in nanoseconds since 1970."""
        return self._ask(do="cut", path=str(path), seed=seed)

    def fail(self, kind: str, error: int = errno.EIO, probability: float = 1.0) -> None:
        """Lets reads, writes or fsyncs fail from now on."""
        self._ask(do="fail", kind=kind, error=error, probability=probability)

    def delay(self, kind: str, low: float, high: float) -> None:
        """Lets reads, writes or fsyncs take so many seconds from now on."""
        self._ask(do="delay", kind=kind, low=low, high=high)

    def heal(self) -> dict:
        """The disk works again; returns what it has counted."""
        return self._ask(do="heal")

    def __enter__(self) -> Disk:
        try:
            self.attach()
            self.mount_it()
        except BaseException:
            self._abandon()
            raise
        return self

    def _abandon(self) -> None:
        """Undoes what there is of it."""
        if self._control:
            self._control.close()
        for step in (self.unmount, super().detach, lambda: run("umount", "--lazy", self.path)):
            with contextlib.suppress(OSError):
                step()
        if self._server:
            self._server.terminate()
            self._server.wait(READY_SECONDS_MAX)


def main() -> None:
    _, _, device, size, sector, control = sys.argv
    listener = socket.socket(fileno=int(control))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    Server(int(device), int(size), int(sector), listener).serve()


if __name__ == "__main__":
    main()
