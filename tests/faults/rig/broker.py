"""The broker under test: Logan's binary with its metrics, and what the operating system knows of its process."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
sys.path.insert(0, str(CLIENTS))
sys.path.insert(0, str(CLIENTS / "groups"))

from harness import install  # noqa: E402
from harness.broker import ROOT, BrokerError, Logan, free_port  # noqa: E402

SCRAPE_SECONDS_MAX = 20
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
TROUBLE = re.compile(r" (WARN|ERROR) (.*)")
QUIET: dict[str, object] = {"log_level": 0, "reconnect.backoff.max.ms": 200}
"""librdkafka says nothing on standard error, and comes back soon after a crash."""


class Rigged(Logan):
    """`command_prefix` wraps the process, as `prlimit` does."""

    def __init__(self, directory: Path, binary: Path, overrides: dict[str, str] | None = None,
                 command_prefix: list[str] | None = None, cpus: str | None = None) -> None:
        self.metrics_port = free_port()
        super().__init__(directory, binary, {
            "logan.metrics.listener": f"127.0.0.1:{self.metrics_port}", "shard.cores": "2", **(overrides or {})}, cpus)
        self.command_prefix = command_prefix or []

    def command(self) -> list[str]:
        return [*self.command_prefix, *super().command()]

    def metrics(self) -> dict[str, float]:
        """All series; the name with its labels as they are served."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=SCRAPE_SECONDS_MAX) as answer:
            lines = answer.read().decode().splitlines()
        found = (SERIES.match(line) for line in lines if not line.startswith("#"))
        return {f"{it[1]}{{{it[2] or ''}}}": float(it[3]) for it in found if it}

    def metric(self, name: str, *labels: str) -> float:
        """The sum of the series of this name that have these labels, written as `operation="sync"`."""
        return sum(value for key, value in self.metrics().items()
                   if key.startswith(name + "{") and all(label in key for label in labels))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self) -> tuple[int, int]:
        """Threads of its own, and the kernel's workers that io_uring adds and takes away."""
        names = []
        for task in os.listdir(f"/proc/{self.pid}/task"):
            try:
                names.append(Path(f"/proc/{self.pid}/task/{task}/comm").read_text())
            except OSError:
                pass  # It has just ended.
        workers = sum(name.startswith("iou-") for name in names)
        return len(names) - workers, workers

    def troubles(self) -> list[str]:
        """The warnings and errors of its log, without their times."""
        lines = self.log_path.read_text(errors="replace").splitlines()
        return [found[0].strip() for line in lines if (found := TROUBLE.search(line))]

    def start_and_kill(self, seconds: float) -> None:
        """Starts the process, and kills it after that time, whether or not it answers by then."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, start_new_session=True)
        time.sleep(seconds)
        self.kill()

    def status(self) -> int | None:
        """How the process ended; None as long as it runs."""
        return self._process.poll() if self._process else None

    def reap(self, seconds: float) -> int | None:
        """Waits for an end that was asked for in another way."""
        return self._process.wait(seconds) if self._process else None


def prepare() -> None:
    """Makes confluent-kafka known to this interpreter, and SIGTERM an orderly end, so that nothing stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    install.python()
    site = str(next((install.CACHE / "python").glob("lib/python*/site-packages")))
    if site not in sys.path:
        sys.path.insert(0, site)


class Actor(threading.Thread):
    """Calls a function again and again until it is told to stop. What it raises ends it, and is kept."""

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._act = act
        self.stopping = threading.Event()
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._act()
        except BaseException as problem:  # noqa: BLE001, told by whoever joins
            self.problem = problem

    def end(self, seconds: float = 60) -> None:
        self.stopping.set()
        self.join(seconds)


class Wire:
    """A connection on which bytes are written by hand."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self.peer = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def send(self, key: int, version: int, body: bytes, is_flexible: bool = False, number: int = 1) -> None:
        header = struct.pack(">hhih", key, version, number, -1) + (b"\0" if is_flexible else b"")
        self.peer.sendall(struct.pack(">i", len(header) + len(body)) + header + body)

    def receive(self) -> bytes:
        """A response behind its length."""
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        content = bytearray()
        while len(content) < size:
            part = self.peer.recv(min(size - len(content), 1 << 20))
            if not part:
                raise ConnectionError("the broker closed the connection")
            content += part
        return bytes(content)

    def close(self) -> None:
        self.peer.close()


__all__ = ["QUIET", "ROOT", "Actor", "BrokerError", "Rigged", "Wire", "free_port", "install", "prepare"]
