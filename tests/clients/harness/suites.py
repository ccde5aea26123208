"""The client suites: how each is started and how its output is read."""

from __future__ import annotations

import os
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import install

SUITE_SECONDS_MAX = 180
HERE = Path(__file__).resolve().parents[1]


def python_suite(name: str) -> list[str]:
    return [str(install.python()), str(HERE / name / "main.py")]


def kcat_suite() -> list[str]:
    os.environ["KCAT"] = str(install.debian() / "usr/bin/kcat")
    os.environ["KCAT_LIBRARIES"] = f"{install.librdkafka()}:{next(install.debian().glob('usr/lib/*-linux-gnu'))}"
    return python_suite("kcat")


def java_suite() -> list[str]:
    return ["java", "-cp", f"{install.java()}/*", str(HERE / "java/Suite.java")]


def kafkajs_suite() -> list[str]:
    os.environ["NODE_PATH"] = str(install.node())
    return ["node", str(HERE / "kafkajs/main.js")]


CLIENTS = {
    "java": java_suite,
    "kcat": kcat_suite,
    "confluent-kafka": lambda: python_suite("confluent-kafka"),
    "franz-go": lambda: [str(install.go("franz-go"))],
    "sarama": lambda: [str(install.go("sarama"))],
    "kafka-go": lambda: [str(install.go("kafka-go"))],
    "kafka-python": lambda: python_suite("kafka-python"),
    "aiokafka": lambda: python_suite("aiokafka"),
    "kafkajs": kafkajs_suite,
}

# These do not keep a connection for each node id, so that the broker shows them one node as long as all have one address.
UNAWARE_CLIENTS = {"kafka-go", "aiokafka", "kafkajs"}


@dataclass(frozen=True)
class Nodes:
    """How many nodes the broker shows to clients that keep a connection for each node id, and to others."""

    aware: int = 1
    unaware: int = 1

    def arguments(self, client: str) -> list[str]:
        if client == "kcat":  # runs with two librdkafkas, one of each kind
            return ["--nodes", str(self.aware), "--nodes-unaware", str(self.unaware)]
        return ["--nodes", str(self.unaware if client in UNAWARE_CLIENTS else self.aware)]


@dataclass
class Result:
    client: str
    passed: int
    failed: int
    seconds: float


def run_client(client: str, bootstrap: str, nodes: Nodes, verbose: bool, prefix: str | None = None) -> Result:
    """Runs one suite; its failed checks are printed, and all of them when asked to."""
    command = CLIENTS[client]()
    prefix = prefix or f"{client}-{random.randrange(1 << 32):08x}"
    began = time.monotonic()
    print(f"== {client}", flush=True)
    try:
        done = subprocess.run(
            [*command, "--bootstrap", bootstrap, "--prefix", prefix, *nodes.arguments(client)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            timeout=SUITE_SECONDS_MAX, check=False)
        output, errors, status = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, errors = (part.decode(errors="replace") if part else "" for part in (expired.stdout, expired.stderr))
        status = f"no end within {SUITE_SECONDS_MAX} s"
    lines = output.splitlines()
    failed = [line for line in lines if line.startswith("FAIL ")]
    passed = sum(line.startswith("ok ") for line in lines)
    if status != 0 and not failed:
        failed = [f"FAIL the program ended with {status}: {errors.strip()[-1500:]}"]
    if status == 0 and not passed:
        failed = ["FAIL the program ran no check"]
    print("\n".join(lines if verbose else failed), end="\n" if verbose or failed else "", flush=True)
    if verbose and failed:
        print(errors[-4000:], flush=True)
    return Result(client, passed, len(failed), time.monotonic() - began)
