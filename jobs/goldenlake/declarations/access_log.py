"""What the directives of an Apache ``LogFormat`` are, and what columns may call their fields.

Source: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
"""

from __future__ import annotations

import re
from collections.abc import Iterator

FIELDS = {
    "a": "client_ip", "A": "server_ip", "b": "bytes", "B": "bytes", "D": "microseconds",
    "f": "file", "h": "host", "H": "protocol", "I": "bytes_in", "k": "keepalives", "l": "logname",
    "L": "log_id", "m": "method", "O": "bytes_out", "p": "port", "P": "process", "q": "query",
    "r": "request", "R": "handler", "s": "status", "S": "bytes_moved", "t": "time", "T": "seconds",
    "u": "user", "U": "path", "v": "server_name", "V": "server_name", "X": "connection",
}  # fmt: skip
"""What a directive is called in ``from``; headers and cookies are called by their own name."""
REQUEST_PARTS = {"method": 1, "target": 2, "protocol": 3, "path": 4, "query": 5}
"""What ``request`` is made of."""

_PREFIX = {"i": "", "o": "response_", "C": "cookie_", "e": "env_", "n": "note_"}
#: Of mod_ssl.
_NAMED = {*_PREFIX, "x", "c"}
_DIRECTIVE = re.compile(r"%(?P<when>[!<>0-9,]*)(?:\{(?P<of>[^}]*)\})?(?P<kind>\^?[A-Za-z]{1}|%)")


def directives(log_format: str) -> Iterator[re.Match[str]]:
    """Every directive, with the groups ``of`` (what stands in braces) and ``kind``."""
    return _DIRECTIVE.finditer(log_format)


def names(directive: re.Match[str]) -> Iterator[str]:
    """All that a column may call the field, the plain directive included."""
    kind, of = directive["kind"], directive["of"]
    yield directive[0].casefold()
    if of and kind in _PREFIX:
        yield of.casefold()
        yield _PREFIX[kind] + re.sub(r"[^a-z0-9]+", "_", of.casefold())
    elif kind in FIELDS:
        yield FIELDS[kind]


def known_fields(log_format: str) -> set[str]:
    """All that a column may ask for, in small letters, the parts of the request included."""
    found = {name for each in directives(log_format) if each["kind"] != "%" for name in names(each)}
    return found | (REQUEST_PARTS.keys() if "request" in found else set())


def unknown_directives(log_format: str) -> list[str]:
    """What begins with a percent sign and means nothing to Apache."""
    unknown = [found[0] for found in directives(log_format) if not _is_known(found)]
    return unknown + re.findall(r"%\S*", _DIRECTIVE.sub("", log_format))


def _is_known(directive: re.Match[str]) -> bool:
    kind = directive["kind"]
    if kind in _NAMED:
        return bool(directive["of"])
    return kind == "%" or kind in FIELDS
