"""Who stands at the other end of a delivery, and a line to them that a test can cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from goldenlake.io.places import open_place
from goldenlake.ports import FilePlace, RemoteFile
from support.servers import S3Server, SftpServer, free_port

_PIECE = 4096


class Relay:
    """Passes bytes on to a server of this machine; closed, it answers nobody.

    Its port stays the same however often it is closed and opened.
    """

    def __init__(self, to: int) -> None:
        self.port = free_port()
        self._to = to
        self._left: int | None = None
        self._listening: socket.socket | None = None
        self._joined: list[socket.socket] = []
        self._turning = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether anybody gets through."""
        return self._listening is not None

    def open(self) -> None:
        """Let everybody through, without a limit."""
        with self._turning:
            self._left = None
            self._listening = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def close(self) -> None:
        """End all connections and refuse new ones."""
        with self._turning:
            listening, self._listening = self._listening, None
            joined, self._joined = self._joined, []
            for each in [*joined, *([listening] if listening else [])]:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def close_after(self, sent: int) -> None:
        """Close when clients have sent so many bytes more, which still get through."""
        self._left = sent

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._joined += [client, server]
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, of: socket.socket, to: socket.socket, is_upload: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := of.recv(_PIECE):
                if is_upload and self._left is not None:
                    piece = piece[: self._left]
                    self._left -= len(piece)
                to.sendall(piece)
                if is_upload and self._left == 0:
                    self.close()
            to.shutdown(socket.SHUT_WR)


class Receiver(Protocol):
    """A place to deliver to; its owner looks at it without our own code."""

    relay: Relay

    def place(self) -> FilePlace:
        """The place behind the relay, as a new process would open it."""

    def files(self) -> Mapping[str, bytes]:
        """All that is there, hidden files included, by path."""

    def remove(self, path: str) -> None:
        """Take a file away."""


class SftpReceiver:
    """A folder of an SFTP server."""

    def __init__(self, server: SftpServer, home: Path) -> None:
        self.relay = Relay(server.server.port)
        self._server, self._home = server, home
        self._folder = server.folder / home.name
        self._folder.mkdir()
        key = server.known_hosts.read_text().split(maxsplit=1)[1]
        (home / "known_hosts").write_text(f"[127.0.0.1]:{self.relay.port} {key}")

    def place(self) -> FilePlace:
        """See ``Receiver.place``."""
        known = str(self._home / "known_hosts")
        declared = self._server.place(
            path=str(self._folder), port=self.relay.port, known_hosts=known
        )
        return open_place("out", declared, self._home)

    def files(self) -> Mapping[str, bytes]:
        """See ``Receiver.files``."""
        return {
            str(path.relative_to(self._folder)): path.read_bytes()
            for path in sorted(self._folder.rglob("*"))
            if path.is_file()
        }

    def remove(self, path: str) -> None:
        """See ``Receiver.remove``."""
        (self._folder / path).unlink()


class S3Receiver:
    """A prefix in a bucket of an object store."""

    def __init__(self, server: S3Server, home: Path) -> None:
        self.relay = Relay(server.server.port)
        self._server, self._home = server, home
        self._client, self._bucket = server.client(), server.bucket("receiver")
        self._prefix = home.name.strip("[]") + "/"

    def place(self) -> FilePlace:
        """See ``Receiver.place``."""
        endpoint = f"http://127.0.0.1:{self.relay.port}"
        declared = self._server.place(self._bucket, prefix=self._prefix, endpoint=endpoint)
        return open_place("out", declared, self._home)

    def files(self) -> Mapping[str, bytes]:
        """See ``Receiver.files``."""
        listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix)
        return {
            key.removeprefix(self._prefix): self._client.get_object(Bucket=self._bucket, Key=key)[
                "Body"
            ].read()
            for key in (each["Key"] for each in listed.get("Contents", []))
        }

    def remove(self, path: str) -> None:
        """See ``Receiver.remove``."""
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)


class Watched:
    """A receiver's place that notes what is written, and whose line is cut in one of the files."""

    def __init__(self, receiver: Receiver, *, cut_in: str = "", after: int = 0) -> None:
        """``cut_in`` is a glob; ``after`` counts the bytes that still get through."""
        self.name = "out"
        self.written: list[str] = []
        self._relay, self._place = receiver.relay, receiver.place()
        self._cut_in, self._after = cut_in, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._place, name)

    def write(self, path: str, content: Iterable[bytes]) -> RemoteFile:
        """Write it, as far as the line lets it through."""
        self.written.append(path)
        if fnmatch(path, self._cut_in):
            self._relay.close_after(self._after)
        return self._place.write(path, content)
