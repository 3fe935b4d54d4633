"""A folder on an SFTP server whose host key is known beforehand."""

from __future__ import annotations

import io
import posixpath
import stat as modes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_OPENDIR, CMD_READDIR

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.environment import SftpPlace
from goldenlake.errors import FileRefused, PlaceUnreachable, SetupError, UnsafePath
from goldenlake.io.places.paths import UNFINISHED, Glob, listed, safe, unfinished, walk
from goldenlake.ports import RemoteFile

Result = TypeVar("Result")

_LOST = (paramiko.SSHException, EOFError, OSError)
#: How paramiko words that nobody answered whether we may come in: no refusal, though of its class.
_NO_ANSWER = ("transport shut down", "Authentication timeout")
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_ATTRIBUTES: Any = paramiko.SFTPAttributes
_READ_AHEAD = 32 * 2**20


class Sftp:
    """``ports.FilePlace`` over SFTP. A lost connection is opened anew once in each call."""

    def __init__(self, name: str, place: SftpPlace, root: Path) -> None:
        self.name = name
        self._place = place
        self._known_hosts = root / Path(place.known_hosts).expanduser()
        self._seconds = parse_duration(place.timeout).total_seconds()
        self._ssh: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None
        self._base = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ssh": None, "_sftp": None}

    def close(self) -> None:
        """Let go of the connection; the next call opens another."""
        if self._ssh:
            self._ssh.close()
        self._ssh = self._sftp = None

    def list(self, pattern: str) -> Iterator[RemoteFile]:
        """Files that match, in order of their path. Symbolic links are left out."""
        glob = Glob(pattern)
        if glob.folder:
            safe(self.name, glob.folder)
        yield from self._once_more(lambda sftp: sorted(self._found(sftp, glob)))

    def _found(self, sftp: paramiko.SFTPClient, glob: Glob) -> Iterator[RemoteFile]:
        for path, entry in walk(glob, lambda folder: self._entries(sftp, folder)):
            if path.endswith("/") or modes.S_ISREG(entry.st_mode or 0):
                yield _remote(path, entry)

    def _entries(
        self, sftp: paramiko.SFTPClient, folder: str
    ) -> Iterator[tuple[str, bool, paramiko.SFTPAttributes]]:
        try:
            entries = _list(sftp, posixpath.join(self._base, folder))
        except FileNotFoundError:
            if not folder:
                raise PlaceUnreachable(place=self.name, what="its folder does not exist") from None
            return
        for name, entry in entries:
            yield name, modes.S_ISDIR(entry.st_mode or 0), entry

    def open(self, path: str) -> BinaryIO:
        """The file's bytes; a reading that breaks off is taken up once where it stopped."""
        file = _Reading(self, path)
        return cast(BinaryIO, io.BufferedReader(file, 2**20))

    def opened(self, path: str, at: int = 0) -> paramiko.SFTPFile:
        """The server's file from a byte on, reading ahead so that distance costs little."""

        def call(sftp: paramiko.SFTPClient) -> paramiko.SFTPFile:
            try:
                file = sftp.open(self._inside(sftp, path), "rb")
            except PermissionError as error:
                what = error.strerror or "it is not permitted"
                raise FileRefused(place=self.name, path=path, what=what) from error
            size = file.stat().st_size or 0
            if size <= _READ_AHEAD and not at:
                file.prefetch(size, max_concurrent_requests=64)
            file.seek(at)
            return file

        return self._once_more(call)

    def write(self, path: str, content: Iterable[bytes]) -> RemoteFile:
        """Create or replace the file whole, by a rename that replaces in one go."""
        inside = self._once_more(lambda sftp: self._made_folder(sftp, path))
        temporary = unfinished(inside)
        with self._answers():
            sftp = self._connected()
            try:
                sent = 0
                with sftp.open(temporary, "wb") as file:
                    file.set_pipelined(True)
                    for piece in content:
                        file.write(piece)
                        sent += len(piece)
                if sftp.stat(temporary).st_size != sent:
                    raise PlaceUnreachable(place=self.name, what=f"{path} did not arrive whole")
                sftp.posix_rename(temporary, inside)
                return _remote(path, sftp.stat(inside))
            except BaseException:
                with suppress(*_LOST):
                    sftp.remove(temporary)
                raise

    def _made_folder(self, sftp: paramiko.SFTPClient, path: str) -> str:
        *folders, name = safe(self.name, path).split("/")
        inside = self._base
        for folder in folders:
            inside = posixpath.join(inside, folder)
            with suppress(OSError):  # it is there already; if not, the writing says why
                sftp.mkdir(inside)
            # Of each before anything is made in it: it may be a link.
            self._refuse_outside(sftp, inside, path)
        return posixpath.join(inside, name)

    def stat(self, path: str) -> RemoteFile | None:
        """The file, or None."""
        try:
            return self._once_more(lambda s: _remote(path, s.stat(self._inside(s, path))))
        except FileNotFoundError:
            return None

    def remove(self, path: str) -> None:
        """Remove the file; absent is fine."""
        with suppress(FileNotFoundError):
            self._once_more(lambda sftp: sftp.remove(self._inside(sftp, path)))

    def clear_unfinished(self, folder: str) -> None:
        """Remove what writings that were cut off left in a folder."""
        with suppress(PlaceUnreachable):  # a letter box takes files and shows none
            for rest in self.list(f"{folder}/{UNFINISHED}"):
                if not rest.unfit:
                    self.remove(rest.path)

    def _inside(self, sftp: paramiko.SFTPClient, path: str) -> str:
        inside = posixpath.join(self._base, safe(self.name, path))
        self._refuse_outside(sftp, inside, path)
        return inside

    def _refuse_outside(self, sftp: paramiko.SFTPClient, inside: str, path: str) -> None:
        real = sftp.normalize(inside)
        if real != self._base and not real.startswith(self._base.rstrip("/") + "/"):
            raise UnsafePath(place=self.name, path=path)

    def _once_more(self, call: Callable[[paramiko.SFTPClient], Result]) -> Result:
        with self._answers():
            if self._sftp is None:
                return call(self._connected())
            try:
                return call(self._sftp)
            except (FileNotFoundError, PermissionError):
                raise
            except _LOST:
                self.close()
                return call(self._connected())

    def _connected(self) -> paramiko.SFTPClient:
        if self._sftp is None:
            if not self._known_hosts.is_file():
                raise SetupError(
                    f"place {self.name!r}: the file of known hosts is missing.",
                    mend="Put the server's host key there; connecting without it is not done.",
                )
            ssh = paramiko.SSHClient()
            ssh.load_host_keys(str(self._known_hosts))
            ssh.set_missing_host_key_policy(_RefuseUnknown(self.name))
            ssh.connect(
                self._place.host,
                self._place.port,
                self._place.user,
                password=self._place.password.reveal() if self._place.password else None,
                pkey=self._key(),
                timeout=self._seconds,
                banner_timeout=self._seconds,
                auth_timeout=self._seconds,
                channel_timeout=self._seconds,
                look_for_keys=False,
                allow_agent=False,
            )
            self._ssh = ssh
            self._sftp = ssh.open_sftp()
            channel = self._sftp.get_channel()
            assert channel is not None
            channel.settimeout(self._seconds)
            try:
                self._base = self._sftp.normalize(self._place.path)
            except FileNotFoundError:
                raise PlaceUnreachable(place=self.name, what="its folder does not exist") from None
        return self._sftp

    def _key(self) -> paramiko.PKey | None:
        if self._place.private_key is None:
            return None
        text = self._place.private_key.reveal() + "\n"
        for kind in _KEYS:
            with suppress(paramiko.SSHException, ValueError):
                return kind.from_private_key(io.StringIO(text))
        raise SetupError(
            f"place {self.name!r}: the private key cannot be read.",
            mend="Give an unencrypted Ed25519, ECDSA or RSA key in OpenSSH or PEM form.",
        )

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except paramiko.BadHostKeyException as error:
            raise SetupError(
                f"place {self.name!r}: the server shows another host key than the known one.",
                mend="Ask its owner whether the key was changed; if so, correct known_hosts.",
            ) from error
        except paramiko.AuthenticationException as error:
            if any(words in str(error) for words in _NO_ANSWER):
                raise PlaceUnreachable(place=self.name, what="lost while it let us in") from error
            raise SetupError(
                f"place {self.name!r}: the server refused the user or its key.",
                mend="Check user, private_key and password in conf/env.",
            ) from error
        except FileNotFoundError:
            raise
        except _LOST as error:
            self.close()
            raise PlaceUnreachable(place=self.name, what=type(error).__name__) from error


class _RefuseUnknown(paramiko.MissingHostKeyPolicy):
    def __init__(self, place: str) -> None:
        self._place = place

    def missing_host_key(self, *_: object) -> None:
        raise SetupError(
            f"place {self._place!r}: the server's host key is not among the known ones.",
            mend="Compare the key with its owner, then add it to known_hosts.",
        )


class _Reading(io.RawIOBase):
    """A file's bytes in order."""

    def __init__(self, place: Sftp, path: str) -> None:
        self._place, self._path, self._at = place, path, 0
        self._file = place.opened(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._file.read(len(buffer))
        except _LOST:
            self._place.close()
            self._file = self._place.opened(self._path, self._at)
            with self._place._answers():
                piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            with suppress(*_LOST):
                self._file.close()
        super().close()


def _list(sftp: paramiko.SFTPClient, folder: str) -> list[tuple[str, paramiko.SFTPAttributes]]:
    """Names in a folder and what the server says of each. Bytes that are no UTF-8 are kept as
    lone surrogates: ``listdir_attr`` fails for the whole folder if one name has such.
    """
    client: Any = sftp
    _, reply = client._request(CMD_OPENDIR, folder.encode("utf-8", "surrogateescape"))
    handle = reply.get_binary()
    found = []
    try:
        while True:
            _, reply = client._request(CMD_READDIR, handle)
            for _ in range(reply.get_int()):
                name = reply.get_binary().decode("utf-8", "surrogateescape")
                reply.get_binary()  # the line that a terminal would show
                found.append((name, _ATTRIBUTES._from_msg(reply)))
    except EOFError:
        client._request(CMD_CLOSE, handle)
    return [(name, entry) for name, entry in found if name not in (".", "..")]


def _remote(path: str, found: paramiko.SFTPAttributes) -> RemoteFile:
    return listed(
        path,
        size_bytes=found.st_size or 0,
        modified_at=datetime.fromtimestamp(found.st_mtime or 0, UTC),
    )
