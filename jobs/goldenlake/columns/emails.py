"""E-mail addresses in the form in which they are matched."""

from __future__ import annotations

import re
import unicodedata

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.text import shown

#: Good enough for matching, not a proof that the mailbox exists: one @, no dot at either end of
#: the local part nor two in a row, and a domain of labels with a top level that is not a number.
_ADDRESS = re.compile(
    r"(?!\.)(?!.*\.\.)[\w!#$%&'*+/=?^`{|}~.-]{1,64}(?<!\.)@"
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:[^\W\d_]{2,}|xn--[a-z0-9-]+)"
)
_WRAPPED = re.compile(r"\A(?:<|mailto:)+")
_WITHOUT_MEANING = r"(?:\+[^@]*|\.)(?=[^@]*@(?:gmail|googlemail)\.com$)"
"""Parts of a Gmail address that lead to the same mailbox without them."""
#: Characters of what may hold an address, with all that is taken off; RFC 5321 gives it 254.
_LONGEST = 1_000


def normalise_email(email: Column) -> Column:
    """The form used for matching: visible characters, NFC, lower case; null if no address.

    Dots and ``+tags`` are kept: collapsing them is one provider's rule, and merging two people
    is worse than missing a match. ``mailto:`` and angle brackets are taken off.
    """
    return over_distinct(email, address, once=True)


def google_mailbox(email: Column) -> Column:
    """An address as Google compares it, which is ``hashing.google_email`` for a column."""
    bare = F.lower(F.regexp_replace(email, r"\s", ""))
    return F.regexp_replace(bare, _WITHOUT_MEANING, "")


def address(text: str) -> str | None:
    """``normalise_email`` for one text."""
    if len(text) > _LONGEST:
        return None
    lowered = unicodedata.normalize("NFC", (shown(text) or "").lower())
    bare = _WRAPPED.sub("", lowered).rstrip(">")
    return bare if len(bare) <= 254 and _ADDRESS.fullmatch(bare) else None
