"""Starts, measures, kills and stops a broker (Logan or the real Kafka) on a free loopback port with a directory of its own.

Every process is started here and ended by its process id. Nothing else on the machine is touched.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
READY_SECONDS_MAX = 180
STOP_SECONDS_MAX = 30
LOG_TAIL_LINES = 20


class BrokerError(Exception):
    """The broker did not start or did not stop."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    """Whether ApiVersions v0 is answered: an accepted connection alone proves little."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as peer:
            peer.sendall(struct.pack(">i", len(request)) + request)
            return len(peer.recv(4)) == 4
    except OSError:
        return False


class Broker:
    """One broker process. `start` may be called again after `kill` or `stop`: port and data stay."""

    name = "broker"
    own_session = True
    """Whether it is out of reach of the terminal's signals, and of the scheduler's priority of this session."""

    def __init__(self, directory: Path, cpus: str | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        self.cpus = cpus
        self.ready_seconds = 0.0
        self._process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process, "the broker runs"
        return self._process.pid

    def command(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        """What is to be done once before the first start and is not part of the start."""

    def start(self) -> None:
        """Starts the process and returns when it answers; `ready_seconds` says how long that took."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prepare()
        command = self.command()
        if self.cpus:
            command = ["taskset", "--cpu-list", self.cpus, *command]
        began = time.monotonic()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, start_new_session=self.own_session)
        while not answers(self.port):
            if self._process.poll() is not None:
                raise BrokerError(f"{self.name} ended with {self._process.returncode} before it answered:\n{self.log_tail()}")
            if time.monotonic() - began > READY_SECONDS_MAX:
                self.kill()
                raise BrokerError(f"{self.name} did not answer within {READY_SECONDS_MAX} s:\n{self.log_tail()}")
            time.sleep(0.002)
        self.ready_seconds = time.monotonic() - began

    def kill(self) -> None:
        """kill -9: what a crash of the process is like."""
        if self._process and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM and a bounded wait."""
        if not self._process or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired as expired:
            self.kill()
            raise BrokerError(f"{self.name} did not stop within {STOP_SECONDS_MAX} s of SIGTERM") from expired

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        return self.directory / f"{self.name}.log"

    def log_tail(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def cpu_seconds(self) -> float:
        """User and system time of the process so far, from /proc/PID/stat (fields 14 and 15, in clock ticks)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self, field: str) -> int:
        """`VmRSS` (now) or `VmHWM` (peak) from /proc/PID/status."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise BrokerError(f"/proc/{self.pid}/status has no {field}")

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Kafka(Broker):
    """The reference: Apache Kafka from its Maven jars, by tests/kafka/start.sh."""

    name = "kafka"

    def __init__(self, directory: Path, overrides: dict[str, str] | None = None, cpus: str | None = None,
                 features: dict[str, int] | None = None) -> None:
        super().__init__(directory, cpus)
        self.overrides = overrides or {}
        self.features = features or {}

    def _arguments(self) -> list[str]:
        arguments = [str(ROOT / "tests/kafka/start.sh"), "--dir", str(self.directory), "--port", str(self.port)]
        for key, value in self.overrides.items():
            arguments += ["--override", f"{key}={value}"]
        for name, level in self.features.items():
            arguments += ["--feature", f"{name}={level}"]
        return arguments

    def prepare(self) -> None:
        subprocess.run([*self._arguments(), "--prepare"], check=True, stdin=subprocess.DEVNULL)

    def command(self) -> list[str]:
        return [*self._arguments(), "--foreground"]


class Logan(Broker):
    """Logan's own binary."""

    name = "logan"

    def __init__(self, directory: Path, binary: Path, overrides: dict[str, str] | None = None, cpus: str | None = None) -> None:
        super().__init__(directory, cpus)
        self.binary = binary.resolve()
        self.overrides = {
            "listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": str(directory / "data"),
            **(overrides or {}),
        }

    def command(self) -> list[str]:
        command = [str(self.binary)]
        for key, value in self.overrides.items():
            command += ["--override", f"{key}={value}"]
        return command
