"""Tokens of names: titles dropped, one script, and which tokens stand for each other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from anyascii import anyascii
from nicknames import NickNamer

from goldenlake.columns.namekeys import family_key, given_key

TITLES = frozenset(
    """
    mr mrs ms miss mx dr prof professor sir dame lord lady rev reverend hon honourable the of and
    baron baroness baronet bt earl viscount viscountess duke duchess marquess marquis countess count
    prince princess king queen saint st bishop captain capt col colonel general gen major lt admiral
    jr sr ii iii iv v vi phd md esq obe mbe cbe kbe herr frau hr fr fraulein ing mag dipl mme mlle
    monsieur madame mademoiselle maitre g-n g-zha prof d-r inzh gospodin gospozha
    de del della di da do dos du des la le van von der den zu zum zur ter ten al el bin ibn y und et
    """.split()  # noqa: SIM905
)
"""Titles, ranks, suffixes, particles and connectives: no part of a name that tells people apart."""

_KNOWN_WORDS = 300_000
"""Whose keys a process remembers, some 100 MB: its tasks meet the same names again and again."""

_ORDINAL = re.compile(r"\d+(st|nd|rd|th|\.)?")
_NOT_WORD = re.compile(r"[^a-z0-9-]")
_BREAK = re.compile(r"[\s,./()]+")


class Name(NamedTuple):
    """The tokens of a name by their place in it."""

    given: str | None
    family: str | None
    others: tuple[str, ...]


NO_NAME = Name(None, None, ())


def tokens(text: str) -> list[str]:
    """The words of a name that tell people apart, in order; hyphens stay inside words."""
    return [word for word in _words(text) if word not in TITLES and not _ORDINAL.fullmatch(word)]


def tokens_of_part(text: str) -> list[str]:
    """``tokens`` of a given or a family name that has a column of its own: of words that may all be
    titles the last one is the name, such as King, Le and Earl.
    """
    return tokens(text) or [word for word in _words(text) if not _ORDINAL.fullmatch(word)][-1:]


def of_full_name(text: str) -> Name:
    """First token given, last token family; a single token is left as an only one in ``others``.

    Which role a single token has is not in the name: ``name_attribute.placed`` gives it one. One
    word, a comma and nothing but names behind it is a family name that was put first.
    """
    found = tokens(text)
    if len(found) < 2:
        return Name(None, None, tuple(found))
    before, _, after = text.partition(",")
    if len(tokens(before)) == 1 and tokens(after) == _words(after):
        found = [*found[1:], found[0]]
    return _name(found[0], found[-1], found[1:-1])


def _words(text: str) -> list[str]:
    composed = unicodedata.normalize("NFKC", text).casefold()
    plain = composed if composed.isascii() else anyascii(composed).lower()
    words = (_NOT_WORD.sub("", word).strip("-") for word in _BREAK.split(plain))
    return [word for word in words if word]


def of_tokens(givens: Sequence[str], families: Sequence[str]) -> Name:
    """A name that came in two columns; a family name of several words is one compound."""
    return _name(
        givens[0] if givens else None,
        "-".join(families) if families else None,
        givens[1:],
    )


def _name(given: str | None, family: str | None, others: Sequence[str]) -> Name:
    compounds = [
        part for word in (given, family) if word and "-" in word for part in word.split("-")
    ]
    kept = dict.fromkeys(part for part in (*others, *compounds) if part)
    return Name(given, family, tuple(kept))


def alias_groups(words: Sequence[str]) -> list[frozenset[str]]:
    """For each word the names that it can stand for: two words with one in common are aliases.

    Nicknames (both lists that we have) and spellings of one sound over scripts. Not transitive:
    Bill may be William or Robert.
    """
    return [_alias_group(word) for word in words]


@lru_cache(maxsize=_KNOWN_WORDS)
def _alias_group(word: str) -> frozenset[str]:
    canonical = _nicknames().canonicals_of(word)
    key = given_key(word)
    return frozenset(
        {word, f"={word}", *(f"={name}" for name in canonical)} | ({f"~{key}"} if key else set())
    )


@lru_cache(maxsize=1)
def _nicknames() -> NickNamer:
    return NickNamer()


@lru_cache(maxsize=_KNOWN_WORDS)
def sound(word: str) -> str:
    """One key for all spellings of a family name that sound alike; may be empty."""
    return family_key(word) or word


def skeleton(word: str) -> str:
    """First letter and consonants of the sound, four at most: a coarse key for blocking."""
    key = sound(word)
    return key[:1] + re.sub(r"[aeiou0-9]", "", key[1:])[:4]
