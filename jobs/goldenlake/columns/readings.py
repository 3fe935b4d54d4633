"""What a text says beneath the ways in which machines write texts down."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from urllib.parse import unquote

DEEPEST = 16
"""Layers of writing that are undone: a JSON text in a JSON text is two."""

TOKEN = re.compile(r"[\w.+@%-]+")

_HEX = "[0-9a-fA-F]"
_ESCAPED = re.compile(
    rf"\\(?:u([dD][89abAB]{_HEX}{{2}})\\u([dD][c-fC-F]{_HEX}{{2}})"
    rf"""|x({_HEX}{{2}}(?:\\x{_HEX}{{2}})*)|u({_HEX}{{4}})|([nrtbf"'\\/]))"""
)
_MEANT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_WORDS = re.compile(r"=\?[\w*-]+\?[bBqQ]\?[^?\s]*\?=(?:\s+=\?[\w*-]+\?[bBqQ]\?[^?\s]*\?=)*")
_LANGUAGE = re.compile(r"(=\?[\w-]+)\*[\w-]*\?")
_PERCENT = re.compile(rf"%{_HEX}{{2}}")


def readings(text: str) -> Iterator[str]:
    """The text in small letters as it stands, then with one layer of writing undone after another:
    escapes of JSON and of Python, of addresses on the web, of HTML, and words of mail headers
    (RFC 2047).

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
        for undone in (_unescaped, _unquoted, _without_entities, _without_words):
            plain = undone(text)
            if plain != text:
                text = plain
                yield text
        if text == before:
            return


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_meant, text) if "\\" in text else text


def _meant(found: re.Match[str]) -> str:
    high, low, bytes_, point, letter = found.groups()
    if letter:
        return _MEANT.get(letter, letter)
    if high:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    if bytes_:
        return _of_bytes(bytes.fromhex(bytes_.replace("\\x", "")))
    return chr(int(point, 16))


def _of_bytes(data: bytes) -> str:
    """Where they are no UTF-8, Python meant characters by them."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


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


def _without_words(text: str) -> str:
    return _WORDS.sub(_word, text) if "=?" in text else text


def _word(found: re.Match[str]) -> str:
    # RFC 2231 lets a word name its language.
    words = _LANGUAGE.sub(r"\1?", found[0])
    try:
        return str(make_header(decode_header(words)))
    except (MessageError, LookupError, ValueError):
        return found[0]
