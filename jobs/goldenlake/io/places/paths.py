"""What a path and a glob mean, the same in every place."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, TypeVar

from goldenlake.errors import UnsafePath
from goldenlake.ports import EVERYTHING, RemoteFile

#: What matches every name that ``unfinished`` gives.
UNFINISHED = ".*.part"
LONGEST = 1024
"""Bytes of a path: no key of S3 is longer. Folders are not entered beyond them."""

Found = TypeVar("Found")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Glob:
    """A glob over ``/``-separated paths, case-sensitive.

    ``*``, ``?`` and ``[...]`` stay within one segment, ``**`` crosses any number of folders, none
    included. As in a shell, a segment that begins with a dot is matched only by a pattern that
    does too, so half-written files (``.name.part``) stay invisible. ``EVERYTHING`` sees all.
    """

    pattern: str

    def matches(self, path: str) -> bool:
        """Whether the whole path matches. What ends with a slash is no file."""
        if self.pattern == EVERYTHING:
            return not f"/{path}".endswith("/")
        return _compiled(self.pattern).fullmatch(path) is not None

    @property
    def folder(self) -> str:
        """The deepest folder that holds all matches, ``""`` for the place itself."""
        parts = self.pattern.split("/")[:-1]
        fixed = next((at for at, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
        return "/".join(parts[:fixed])

    def may_enter(self, folder: str) -> bool:
        """Whether files below this folder can match; keeps listings from walking everything."""
        if self.pattern == EVERYTHING:
            return True
        patterns = self.pattern.split("/")
        if patterns[-1] != "**":
            patterns = patterns[:-1]
        for at, segment in enumerate(folder.split("/")):
            if at >= len(patterns):
                return False
            if patterns[at] == "**":
                return True
            if not _compiled(patterns[at]).fullmatch(segment):
                return False
        return True


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = pattern.split("/")
    compiled = ""
    for at, part in enumerate(parts):
        is_last = at == len(parts) - 1
        if part == "**":
            compiled += r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if is_last else "")
            continue
        if not part.startswith("."):
            compiled += r"(?!\.)"
        compiled += _segment(part) + ("" if is_last else "/")
    return re.compile(compiled, re.DOTALL)


def _segment(part: str) -> str:
    """One segment; ``**`` inside of it is the same as ``*``."""
    out, at = "", 0
    while at < len(part):
        sign = part[at]
        closing = part.find("]", at + 2) if sign == "[" else -1
        if sign == "*":
            out += "[^/]*"
        elif sign == "?":
            out += "[^/]"
        elif closing > 0:
            inside = part[at + 1 : closing].replace("\\", "\\\\").replace("[", "\\[")
            negated = inside[0] in "!^"
            out += f"(?!/)[{'^' if negated else ''}{inside[1:] if negated else inside}]"
            at = closing
        else:
            out += re.escape(sign)
        at += 1
    return out


def walk(
    glob: Glob, entries: Callable[[str], Iterable[tuple[str, bool, Found]]]
) -> Iterator[tuple[str, Found]]:
    """Paths that match; with a slash at its end, a folder whose path is too long to be entered.

    Args:
        entries: of a folder, the name of each, whether it is a folder, and what is known of it.
    """
    waiting = [glob.folder]
    while waiting:
        folder = waiting.pop()
        for name, is_folder, found in entries(folder):
            path = f"{folder}/{name}" if folder else name
            if not is_folder:
                if glob.matches(path):
                    yield path, found
            elif glob.may_enter(path):
                if unfit(f"{path}/") == _TOO_LONG:
                    yield f"{path}/", found
                else:
                    waiting.append(path)


_TOO_LONG = f"its path is longer than {LONGEST} bytes."


def unfit(path: str) -> str:
    """Why a path that was found cannot be asked for, the same in every place; empty if it can."""
    if len(path.encode("utf-8", "surrogateescape")) > LONGEST:
        return _TOO_LONG
    try:
        path.encode()
        return "" if safe("", path) == path else "its path has empty parts."
    except UnicodeEncodeError:
        return "its name is not in UTF-8."
    except UnsafePath:
        return "its path is absolute, or has '..', a backslash or a NUL."


def listed(path: str, **others: Any) -> RemoteFile:
    """A file that was found, under a path that can be told whatever its name is."""
    why = unfit(path)
    return RemoteFile(path=_escaped(path) if why else path, unfit=why, **others)


def _escaped(path: str) -> str:
    text = path.encode("utf-8", "surrogateescape").replace(b"\\", b"\\\\")
    shown = text.decode("utf-8", "backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in shown
    )


def safe(place: str, path: str) -> str:
    """The path, if it stays below its place.

    Raises:
        UnsafePath: it is absolute, empty, has ``..``, a backslash or a NUL.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or set(path) & {"\\", "\0"}:
        raise UnsafePath(place=place, path=path)
    return str(pure)


def unfinished(path: str) -> str:
    """A name beside ``path`` to write under until the file is whole; no glob sees it."""
    pure = PurePosixPath(path)
    return str(pure.with_name(f".{pure.name[:150]}.{secrets.token_hex(6)}.part"))
