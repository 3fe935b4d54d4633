"""What gives a person away in a text, and what stands for it once the person is forgotten."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from goldenlake.columns.phones import ways_to_write
from goldenlake.columns.readings import TOKEN, readings

LEAST_TOLD = 6
"""Characters below which a value says nothing of anybody: it stands in too many texts by chance."""

_EDGES = ".-+%_"
_LONGEST_DOMAIN = 300
#: What a file's name ends with; no address does.
_ENDING = re.compile(
    r"(?:\.(?:csv|tsv|txt|json|jsonl|ndjson|xml|html?|pdf|eml|msg|vcf|log|sql|avro|orc|parquet|crc|xlsx?"
    r"|docx?|png|jpe?g|gz|bz2|xz|zst|zip|tar|bak|tmp|part))+\Z"
)
#: Between the groups of a phone number, as people write it.
_BETWEEN = r"[ \u00a0\u2007\u2009\u202f./()\-\u2010-\u2015]"
_FEWEST_DIGITS = 7
_NUMBER = re.compile(rf"\d(?:{_BETWEEN}{{0,4}}+\d){{{_FEWEST_DIGITS - 1},}}+")
_GROUP = re.compile(r"\d+")


def pseudonym(key: bytes, name: str, value: str) -> str:
    """32 hexadecimal digits of HMAC-SHA-256 (RFC 2104) that stand for a value of an identifier.

    Without the key, values that are guessed cannot be tried.
    """
    return hmac.new(key, f"{name}\x1f{value}".encode(), hashlib.sha256).hexdigest()[:32]


def digests(value: str, *algorithms: str) -> frozenset[str]:
    """Digests by which partners are told of people, in hexadecimal: of a value in small letters,
    and of a phone number without its plus, too.
    """
    return frozenset(
        hashlib.new(each, text.encode()).hexdigest()
        for text in _plain(value)
        for each in algorithms
    )


def spellings(value: str) -> frozenset[str]:
    """The ways in which a value is written, in small letters: as it is, for an address on the
    web, in base64, and as ``digests``. A phone number is told without its plus, too.
    """
    found = set(digests(value, "md5", "sha1", "sha256"))
    for text in _plain(value):
        coded = base64.b64encode(text.encode()).decode()
        found |= {text, quote(text, safe=""), coded.rstrip("=").casefold()}
    raw = base64.b64encode(value.strip().encode()).decode()
    return frozenset({*found, raw.rstrip("=").casefold()})


def _plain(value: str) -> set[str]:
    plain = value.strip().casefold()
    return {plain, plain.removeprefix("+")} - {""}


@dataclass(frozen=True)
class Traces:
    """Values that give somebody away, looked for in any text, however they are written.

    ``ann@example.com`` is not found in ``joann@example.com`` nor in ``ann@example.com.au``. Values
    of fewer than ``LEAST_TOLD`` characters are not looked for.
    """

    values: frozenset[str]

    @classmethod
    def of(cls, values: Iterable[str]) -> Traces:
        """Those of the values that are long enough to tell."""
        return cls(frozenset(each for each in values if len(each.strip()) >= LEAST_TOLD))

    @cached_property
    def _spelled(self) -> tuple[frozenset[str], tuple[str, ...]]:
        every = {each for value in self.values for each in spellings(value)}
        tokens = {each for each in every if TOKEN.fullmatch(each) and each == each.strip(_EDGES)}
        # A phone number's plus is stripped from a token's edge, and so told by its digits alone.
        return frozenset(tokens), tuple(sorted(every - tokens))

    @cached_property
    def _longest(self) -> int:
        return max((len(each) for each in self._spelled[0]), default=0)

    @cached_property
    def _numbers(self) -> frozenset[str]:
        ways = (way for value in self.values for way in ways_to_write(value.strip()))
        return frozenset(way for way in ways if len(way) >= _FEWEST_DIGITS)

    def found_in(self, text: str) -> bool:
        """Whether the text tells of any of them, or does where what machines have written into it
        is undone; see ``readings``.
        """
        return bool(self.values) and any(self._stand_in(each) for each in readings(text))

    def without(self, name: str, instead: str) -> str:
        """A name of a file with ``instead`` for as few of its parts as tell."""
        parts = re.split(r"([/_ ])", name)
        while self.found_in("".join(parts)):
            start, end = self._fewest(parts)
            parts[start:end] = [instead]
        return "".join(parts)

    def _fewest(self, parts: Sequence[str]) -> tuple[int, int]:
        for width in range(1, len(parts)):
            for start in range(len(parts) - width + 1):
                if self.found_in("".join(parts[start : start + width])):
                    return start, start + width
        return 0, len(parts)

    def _stand_in(self, text: str) -> bool:
        tokens, phrases = self._spelled
        for token in TOKEN.findall(text):
            if token in tokens or token.strip(_EDGES) in tokens:
                return True
            if "@" in token and self._are_named_by(token):
                return True
        return any(_stands_alone(each, text) for each in phrases) or self._are_dialled_in(text)

    def _are_named_by(self, token: str) -> bool:
        """Whether a file's name holds one of them, as ``orders_ann@example.com_2026.csv`` does.

        No domain has an underscore, so an address ends before it. What stands before an address can
        be part of it (``x_ann@example.com``), but where the rest shows that it is a file's name.
        """
        tokens, _ = self._spelled
        before, *rest = token.split("@")
        for at, after in enumerate(rest):
            domain = _ENDING.sub("", after.partition("_")[0][:_LONGEST_DOMAIN])
            if domain != after or at:
                local = "_" + before if len(before) < self._longest else before[-self._longest :]
                starts = (found.end() for found in re.finditer("_", local))
                if any(f"{local[start:]}@{domain}" in tokens for start in starts):
                    return True
            before = after
        return False

    def _are_dialled_in(self, text: str) -> bool:
        """Whether a phone number stands there, in whatever groups: not within a longer group."""
        numbers = self._numbers
        if not numbers:
            return False
        most = max(map(len, numbers))
        for found in _NUMBER.finditer(text):
            groups = _GROUP.findall(found[0])
            if text[found.end() : found.end() + 1].isalnum():
                groups.pop()
            if text[found.start() - 1 : found.start()].isalnum():
                groups = groups[1:]
            for start in range(len(groups)):
                digits = ""
                for at in range(start, len(groups)):
                    digits += groups[at]
                    if len(digits) > most:
                        break
                    if digits in numbers:
                        return True
        return False


def _stands_alone(phrase: str, text: str) -> bool:
    at = text.find(phrase)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(phrase) : at + len(phrase) + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        at = text.find(phrase, at + 1)
    return False
