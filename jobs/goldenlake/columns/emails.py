"""E-mail addresses in the form in which they are matched."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.text import clean_text

#: Good enough for matching, not a proof that the mailbox exists: one @, no dot at either end of
#: the local part nor two in a row, and a domain of labels with a top level that is not a number.
_ADDRESS = (
    r"\A(?!\.)(?!.*\.\.)[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~.-]{1,64}(?<!\.)@"
    r"(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?\.)+"
    r"(?:\p{L}[\p{L}\p{M}]+|xn--[a-z0-9-]+)\z"
)


def normalise_email(email: Column) -> Column:
    """The form used for matching: visible characters, NFC, lower case; null if no address.

    Dots and ``+tags`` are kept: collapsing them is one provider's rule, and merging two people
    is worse than missing a match. ``mailto:`` and angle brackets are taken off.
    """
    shown = F.lower(clean_text(email))
    bare = F.regexp_replace(shown, r"\A(?:mailto:|<)+|>+\z", "")
    return F.when(bare.rlike(_ADDRESS) & (F.length(bare) <= 254), bare)
