"""What gives a person away in a text, and what stands for it once the person is forgotten."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, unquote

LEAST_TOLD = 6
"""Characters below which a value says nothing of anybody: it stands in too many texts by chance."""

_TOKEN = re.compile(r"[\w.+@%-]+")
_EDGES = ".-+%"


def pseudonym(key: bytes, name: str, value: str) -> str:
    """32 hexadecimal digits of HMAC-SHA-256 (RFC 2104) that stand for a value of an identifier.

    Without the key, values that are guessed cannot be tried.
    """
    return hmac.new(key, f"{name}\x1f{value}".encode(), hashlib.sha256).hexdigest()[:32]


def spellings(value: str) -> frozenset[str]:
    """The ways in which a value is written, in small letters: as it is, for an address on the
    web, in base64, and as the digests by which partners are told of people. Those of a phone
    number are told without its plus, too.
    """
    plain = value.strip().casefold()
    found: set[str] = set()
    for text in {plain, plain.removeprefix("+")} - {""}:
        digests = (hashlib.new(name, text.encode()).hexdigest() for name in _DIGESTS)
        coded = base64.b64encode(text.encode()).decode()
        found |= {text, quote(text, safe=""), coded.rstrip("=").casefold(), *digests}
    raw = base64.b64encode(value.strip().encode()).decode()
    return frozenset({*found, raw.rstrip("=").casefold()})


_DIGESTS = ("md5", "sha1", "sha256")


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
        tokens = {each for each in every if _TOKEN.fullmatch(each) and each == each.strip(_EDGES)}
        # A phone number's plus is stripped from a token's edge, and so told by its digits alone.
        return frozenset(tokens), tuple(sorted(every - tokens))

    def found_in(self, text: str) -> bool:
        """Whether the text tells of any of them."""
        tokens, phrases = self._spelled
        if not tokens and not phrases:
            return False
        small = text.casefold()
        texts = {small, unquote(small)} if "%" in small else {small}
        return any(
            any(token in tokens or token.strip(_EDGES) in tokens for token in _TOKEN.findall(each))
            or any(_stands_alone(phrase, each) for phrase in phrases)
            for each in texts
        )


def _stands_alone(phrase: str, text: str) -> bool:
    at = text.find(phrase)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(phrase) : at + len(phrase) + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        at = text.find(phrase, at + 1)
    return False
