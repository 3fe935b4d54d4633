"""What comes back over HTTP: whoever answers decides neither how much is read nor for how long."""

from __future__ import annotations

import ssl
import time
from typing import Any

import httpcore
import httpx

from goldenlake.errors import CallRefused

LARGEST = 256 * 2**20
"""Bytes of a reply, unpacked."""
LONGEST = 900.0
"""Seconds from the first byte of a question to the last of its reply, however steadily bytes come;
a wait between two of them ends with the connection's ``timeout_seconds`` anyway."""
_PIECE = 2**16


class NoEnd(httpx.TransportError):
    """A question and its reply took longer than ``LONGEST``."""


def whole(response: httpx.Response, *, system: str, call: str, largest: int | None = None) -> bytes:
    """The content of a reply that is being received, of at most ``LARGEST`` bytes by default.

    Raises CallRefused for one that is too large.
    """
    largest = LARGEST if largest is None else largest
    pieces, size = [], 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > largest:
            raise CallRefused(
                system=system,
                call=call,
                status=response.status_code,
                mend=f"Its reply is longer than {largest} bytes.",
            )
        pieces.append(piece)
    return b"".join(pieces)


def transport(*, verify: ssl.SSLContext | bool, limits: httpx.Limits) -> httpx.HTTPTransport:
    """What a client of httpx calls through. Raises NoEnd.

    httpx itself bounds the wait for the next bytes alone: a header that comes a letter at a time,
    or one interim reply after the other, would hold a night for days.
    """
    found = httpx.HTTPTransport(verify=verify, trust_env=False, limits=limits)
    # httpx takes nothing in place of the network; httpcore, on which it stands, does.
    found._pool._network_backend = _Network()
    return found


class _Network(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Timed(super().connect_tcp(*args, **kwargs))


class _Timed(httpcore.NetworkStream):
    """A connection of HTTP/1.1: one question after the other, each when the one before has its
    reply.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._until = 0.0
        self._is_answered = True

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._is_answered:
            self._is_answered, self._until = False, time.monotonic() + LONGEST
        for at in range(0, len(buffer), _PIECE):
            self._refuse_to_wait()
            self._stream.write(buffer[at : at + _PIECE], timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._is_answered = True
        self._refuse_to_wait()
        return self._stream.read(max_bytes, timeout)

    def _refuse_to_wait(self) -> None:
        if time.monotonic() > self._until:
            raise NoEnd(f"no end within {LONGEST:.0f} seconds")

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()
