"""Names of people: tidy forms to show, and keys that say whether two names may be one person's."""

from __future__ import annotations

import re
import unicodedata

from pyspark.sql import Column

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.namekeys import family_key, given_key
from goldenlake.columns.text import shown

_TITLES = re.compile(
    r"mr|mrs|ms|miss|mx|dr|prof|professor|sir|dame|lord|lady|rev|reverend|herr|frau|hr|fr|fräulein"
    r"|dipl-ing|dipl|ing|mag|m|mme|mlle|monsieur|madame|mademoiselle|me|maître|г-н|г-жа|проф|д-р"
    r"|инж|господин|госпожа"
)
_SUFFIXES = re.compile(r"jr|sr|ii|iii|iv|phd|md|esq|obe|mbe|cbe|ba|bsc|ma|msc|mba")
#: Particles that begin a family name; a name is cut before the first of them.
_PARTICLES = re.compile(
    r"van|von|der|den|de|del|della|di|da|dos|du|des|la|le|el|al|bin|ibn|zu|zum|zur|ter|ten|mac"
)
#: Characters of a name; what is longer is no name of anybody.
_LONGEST = 1_000
_WORD = re.compile(r"[^\W\d_]+")
_ELIDED = re.compile(r"\b([DOLdol])(['’])([^\W\d_])")


def clean_name(name: Column) -> Column:
    """A name to show: NFC, single spaces, nothing invisible, no capitals locked; or null.

    Only names written all in capitals or all in small letters are re-cased: who writes McKenzie
    or van Gogh knows better.
    """
    return over_distinct(name, tidy, once=True)


def clean_full_name(name: Column) -> Column:
    """A whole name as ``Given Family``: turned round where it came with a comma, no titles."""
    return over_distinct(name, _whole, once=True)


def given_name_key(given_name: Column) -> Column:
    """One key for a given name over scripts, diacritics, spellings and nicknames; or null.

    The first name alone counts, since second names come and go; a mere initial says nothing. A
    nickname of several names (Alex, Sam) takes one of them: sometimes a link is missed, but
    Alexander and Alexandra stay two people.
    """
    return over_distinct(given_name, given_key)


def family_name_key(family_name: Column) -> Column:
    """One key for a family name over scripts, diacritics and spellings; or null.

    Ivanov and Ivanova stay apart, as do Smith and Smith-Jones: a name that changed is a
    difference, and which differences matter is for the identity rules to say.
    """
    return over_distinct(family_name, family_key)


def tidy(text: str) -> str | None:
    """``clean_name`` for one text."""
    if len(text) > _LONGEST:
        return None
    name = shown(text) or ""
    if not _WORD.search(name):
        return None
    if name == name.upper() or name == name.lower():
        if name.upper() == name.lower() or len(name) == 1:
            return name
        name = _WORD.sub(lambda word: word[0][:1].title() + word[0][1:].lower(), name)
        # A letter after an apostrophe is small, except in names such as O'Brien and D'Arcy.
        name = re.sub(r"(?<=\w)(['’])([^\W\d_])", lambda f: f[1] + f[2].lower(), name)
        name = _ELIDED.sub(lambda found: found[1].upper() + found[2] + found[3].title(), name)
        name = unicodedata.normalize("NFC", name)
    return name


def parts(text: str) -> tuple[str | None, str | None]:
    """Given names and family name of one whole name."""
    if len(text) > _LONGEST:
        return None, None
    name = tidy(re.sub(r"\(.*?\)", " ", text))
    if name is None:
        return None, None
    before, comma, after = name.partition(",")
    after = " ".join(_without_titles(after.replace(",", " ").split()))
    words = _without_titles(before.split())
    if comma and after and words:
        if len(words) > 1 and _SUFFIXES.fullmatch(_bare(words[-1])):
            words = words[:-1]
        return tidy(after), tidy(" ".join(words))
    words = (tidy(" ".join(words)) or "").split()
    if len(words) < 2:
        return None, (words[0] if words else None)
    particles = (i for i, word in enumerate(words) if i and _PARTICLES.fullmatch(word.lower()))
    at = next(particles, -1)
    if at == len(words) - 1:
        at = -1
    return " ".join(words[:at]), " ".join(words[at:])


def _without_titles(words: list[str]) -> list[str]:
    while (
        words and _TITLES.fullmatch(_bare(words[0])) and (len(words) > 1 or words[0].endswith("."))
    ):
        words = words[1:]
    while len(words) > 2 and _SUFFIXES.fullmatch(_bare(words[-1])):
        words = words[:-1]
    return words


def _bare(word: str) -> str:
    return word.lower().replace(".", "").strip(",")


def _whole(text: str) -> str | None:
    given, family = parts(text)
    return " ".join(part for part in (given, family) if part) or None
