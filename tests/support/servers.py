"""Real servers on this machine, for tests of the edges: OpenSSH and SeaweedFS.

Each listens on 127.0.0.1 at a free port, belongs to the test run and is ended by its process id.
A test that asks for one is skipped with the reason where its program is absent.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from goldenlake.declarations.environment import S3Place, SftpPlace

ACCESS_KEY, SECRET_KEY = "test-access", "test-secret-of-nothing"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def unused_port() -> int:
    """A port at which no server answers."""
    return free_port()


def program(name: str, variable: str) -> str:
    """Where a program is: named by an environment variable, on PATH, or beside this Python."""
    beside = os.pathsep.join(
        [os.environ.get("PATH", ""), "/usr/sbin", str(Path(sys.executable).parent)]
    )
    found = os.environ.get(variable) or shutil.which(name, path=beside)
    if not found:
        pytest.skip(f"{name} is not on this machine; name it in {variable}")
    return found


@dataclass
class Server:
    """A running server; ``stop`` and ``start`` let a test break a connection."""

    command: list[str]
    port: int
    log: Path
    env: dict[str, str]
    is_ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.env},
                cwd=self.log.parent,
                start_new_session=True,
            )
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            if self.is_ready():
                return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.command[0]} did not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End it and what it started: they are a session of their own."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)
        self.process = None


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class SftpServer:
    """An OpenSSH server that serves one folder to the user who runs the tests."""

    server: Server
    folder: Path
    private_key: Path
    known_hosts: Path

    def place(self, **changes: object) -> SftpPlace:
        """The folder as ``conf/env`` would declare it."""
        declared = {
            "kind": "sftp",
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": getpass.getuser(),
            "path": str(self.folder),
            "private_key": {"file": str(self.private_key)},
            "known_hosts": str(self.known_hosts),
        }
        return SftpPlace.model_validate({**declared, **changes})


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """A real sshd with its own keys."""
    sshd, keygen = (
        program("sshd", "GOLDENLAKE_SSHD"),
        program("ssh-keygen", "GOLDENLAKE_SSH_KEYGEN"),
    )
    home = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)
    authorized, folder, port = home / "authorized_keys", home / "served", free_port()
    folder.mkdir()
    authorized.write_text((home / "user.pub").read_text())
    authorized.chmod(0o600)
    known = home / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(home / 'host.pub').read_text()}")
    config = home / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPubkeyAuthentication yes\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nLogLevel ERROR\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [sshd, "-D", "-e", "-f", str(config)]
    server = Server(command, port, home / "sshd.log", {}, lambda: _answers(port))
    server.start()
    yield SftpServer(server, folder, home / "user", known)
    server.stop()


@dataclass(frozen=True)
class S3Server:
    """A SeaweedFS store. Its keys are in the environment as the tests run."""

    server: Server
    endpoint: str

    def bucket(self, name: str) -> str:
        """A bucket of that name, made if need be."""
        client = self.client()
        if name not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """A plain client, for looking at the store without our own code."""
        import boto3

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def place(self, bucket: str, **changes: object) -> S3Place:
        """A bucket as ``conf/env`` would declare it."""
        declared = {
            "kind": "s3",
            "bucket": self.bucket(bucket),
            "endpoint": self.endpoint,
            "access_key": {"env": "AWS_ACCESS_KEY_ID"},
            "secret_key": {"env": "AWS_SECRET_ACCESS_KEY"},
        }
        return S3Place.model_validate({**declared, **changes})


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real object store that honours conditional puts."""
    weed = program("weed", "GOLDENLAKE_WEED")
    home = tmp_path_factory.mktemp("weed")
    listening = ("s3", "master", "volume", "filer", "admin")
    ports = {f"{of}.{kind}": free_port() for of in listening for kind in ("port", "port.grpc")}
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    command = [
        weed, "mini", f"-dir={home}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false", "-admin.ui=false", "-webdav=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        *[f"-{option}={port}" for option, port in ports.items()],
    ]  # fmt: skip
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    server = Server(command, ports["s3.port"], home / "weed.log", keys, lambda: True)
    found = S3Server(server, endpoint)

    def is_ready() -> bool:
        if not _answers(ports["s3.port"]):
            return False
        try:
            found.bucket("probe")
        except Exception:  # noqa: BLE001 - whatever it says, it is not ready yet
            return False
        return True

    server.is_ready = is_ready
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "AWS_ENDPOINT_URL_S3": endpoint}.items():
            patch.setenv(name, value)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server.start()
        yield found
    server.stop()
