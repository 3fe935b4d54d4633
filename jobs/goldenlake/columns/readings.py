"""What a text says beneath the ways in which machines write texts down."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

DEEPEST = 16
"""Layers of writing that are undone: a JSON text in a JSON text is two."""

TOKEN = re.compile(r"[\w.+@%-]+")

_HEX = "[0-9a-fA-F]"
_ESCAPED = re.compile(
    rf"\\(?:u([dD][89abAB]{_HEX}{{2}})\\u([dD][c-fC-F]{_HEX}{{2}})"
    rf"""|(?:u({_HEX}{{4}})|x({_HEX}{{2}}))|([nrtbf"'\\/]))"""
)
_MEANT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_PERCENT = re.compile(rf"%{_HEX}{{2}}")


def readings(text: str) -> Iterator[str]:
    """The text in small letters as it stands, then with one layer of writing undone after another:
    escapes of JSON and of Python, of addresses on the web, and of HTML.

    Each layer takes time in proportion to the text's length, and none where it is not used.
    """
    return (layer.casefold() for layer in _layers(text))


def in_plain(text: str) -> str:
    """The text with all layers of writing undone that ``readings`` undoes."""
    *_, plain = _layers(text)
    return plain


def _layers(text: str) -> Iterator[str]:
    yield text
    for _ in range(DEEPEST):
        before = text
        for undone in (_unescaped, _unquoted, _without_entities):
            plain = undone(text)
            if plain != text:
                text = plain
                yield text
        if text == before:
            return


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_meant, text) if "\\" in text else text


def _meant(found: re.Match[str]) -> str:
    high, low, point, byte, letter = found.groups()
    if letter:
        return _MEANT.get(letter, letter)
    if high:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    return chr(int(point or byte, 16))


def _unquoted(text: str) -> str:
    """A plus is a blank where it is encoded; elsewhere a plus, as in ``ann+news@example.com``."""
    if "%" not in text or not _PERCENT.search(text):
        return text
    if "+" in text:
        text = TOKEN.sub(_with_blanks, text)
    return unquote(text)


def _with_blanks(found: re.Match[str]) -> str:
    token = found[0]
    return token.replace("+", " ") if "+" in token and _PERCENT.search(token) else token


def _without_entities(text: str) -> str:
    return html.unescape(text) if "&" in text and ";" in text else text
