"""Marks on letters, of which a text can hold piles."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby, islice

#: Marks on one letter, as Unicode's stream-safe format (UAX #15) has it. To order more of them
#: takes time that grows with the square of their number.
_MOST_MARKS = 30
_MARKS = re.compile(rf"([^\w\s\x00-\x7f]{{{_MOST_MARKS}}})[^\w\s\x00-\x7f]+")


def with_few_marks(text: str) -> str:
    """The text, with no more marks on a letter than any writing has; signs that follow each other
    (emoji, punctuation) all stay.
    """
    return _MARKS.sub(_few, text)


def _few(found: re.Match[str]) -> str:
    runs = groupby(found[0], key=lambda char: unicodedata.combining(char) > 0)
    return "".join("".join(islice(run, _MOST_MARKS if marks else None)) for marks, run in runs)
