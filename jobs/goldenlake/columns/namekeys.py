"""Keys of names: what is left of a spelling when script, accents and habit are taken away."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from anyascii import anyascii
from nicknames import NickNamer

from goldenlake.columns.marks import with_few_marks

_DIMINUTIVES = Path(__file__).with_name("diminutives.txt")

#: Letters whose usual Latin spelling anyascii does not give.
_LETTERS = str.maketrans(
    {"ъ": "a", "ь": "", "ё": "e", "ä": "a", "ö": "o", "ü": "u", "ß": "ss", "ø": "o", "å": "a"}
    | {"'": "", "’": "", "ʼ": "", "`": "", "´": ""}
)
#: From one spelling to another of the same sound, in this order. Equality is all that counts:
#: the results are not meant to be read.
_SOUNDS = tuple(
    (re.compile(pattern), into)
    for pattern, into in (
        (r"tsch|tch", "ch"),
        (r"shch|sht(?=[aeiouy])|sch", "sh"),
        (r"kh", "h"),
        (r"ph", "f"),
        (r"th", "t"),
        (r"[yj]o(?=v\b)|[yj]e", "e"),
        (r"x", "ks"),
        (r"ck|q", "k"),
        (r"c(?=[eiy])", "s"),
        (r"c(?!h)", "k"),
        (r"zh", "q"),
        (r"ts|tz", "z"),
        (r"w", "v"),
        (r"ae", "a"),
        (r"oe", "o"),
        (r"ue", "u"),
        (r"[yj]", "i"),
        (r"(.)\1+", r"\1"),
    )
)


def family_key(text: str) -> str | None:
    """``family_name_key`` for one text."""
    key = "".join(folded(word) for word in _words(text))
    return key if len(key) > 1 else None


def given_key(text: str) -> str | None:
    """``given_name_key`` for one text."""
    words = _words(text)
    key = folded(words[0].replace("-", "")) if words else ""
    return _canonical().get(key, key) if len(key) > 1 else None


def latin(text: str) -> str:
    """The text in small Latin letters without accents; digits and signs stay."""
    composed = unicodedata.normalize("NFKC", with_few_marks(text)).casefold()
    shown = "".join(char for char in composed if unicodedata.category(char) not in ("Cc", "Cf"))
    return anyascii(unicodedata.normalize("NFC", with_few_marks(shown)).translate(_LETTERS)).lower()


def folded(word: str) -> str:
    """A word in Latin letters, reduced to its sound."""
    word = word.replace("-", "")
    for pattern, into in _SOUNDS:
        word = pattern.sub(into, word)
    return word


def _words(text: str) -> list[str]:
    split = re.split(r"[\s.,/]+", latin(text))
    words = [re.sub(r"[^a-z-]", "", word).strip("-") for word in split]
    return [word for word in words if word]


@lru_cache(maxsize=1)
def _canonical() -> dict[str, str]:
    """From the key of a nickname to the key of the name that it stands for.

    Our own list first; then what the library knows, where a nickname has one name only and is
    none itself: its data ties whole families of names together.
    """
    known: dict[str, str] = {}
    names: set[str] = set()
    for line in _DIMINUTIVES.read_text(encoding="utf-8").splitlines():
        name, _, shorts = line.partition(":")
        if not shorts or line.startswith("#"):
            continue
        names.add(name := folded("".join(_words(name))))
        for short in shorts.split():
            known.setdefault(folded("".join(_words(short))), name)
    library = NickNamer()
    for short in sorted(library._nickname_lookup):
        key = folded("".join(_words(short)))
        full = library.canonicals_of(short)
        if len(full) == 1 and key not in known and key not in names:
            name = folded("".join(_words(next(iter(full)))))
            if not library.nicknames_of(short):
                known[key] = name
    for short in list(known):
        seen = {short}
        while (name := known[short]) in known and known[name] not in seen:
            seen.add(name)
            known[short] = known[name]
    return {short: name for short, name in known.items() if short != name}
