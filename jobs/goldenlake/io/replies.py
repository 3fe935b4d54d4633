"""What comes back over HTTP: whoever answers decides neither how much is read nor for how long."""

from __future__ import annotations

import time

import httpx

from goldenlake.errors import CallRefused, ReplyLost

LARGEST = 256 * 2**20
"""Bytes of a reply, unpacked."""
LONGEST = 900.0
"""Seconds that a reply may take, however steadily it comes; a wait between two pieces of it ends
with the connection's ``timeout_seconds`` anyway."""


def whole(response: httpx.Response, *, system: str, call: str, largest: int | None = None) -> bytes:
    """The content of a reply that is being received, of at most ``LARGEST`` bytes by default.

    Raises CallRefused for one that is too large, ReplyLost for one that does not end.
    """
    largest = LARGEST if largest is None else largest
    pieces, size = [], 0
    until = time.monotonic() + LONGEST
    for piece in response.iter_bytes():
        size += len(piece)
        if size > largest:
            raise CallRefused(
                system=system,
                call=call,
                status=response.status_code,
                mend=f"Its reply is longer than {largest} bytes.",
            )
        if time.monotonic() > until:
            raise ReplyLost(system=system, call=call, what=f"no end within {LONGEST:.0f} seconds")
        pieces.append(piece)
    return b"".join(pieces)
