"""Digests that partners send in place of contacts."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def sha256_hex(digest: Column) -> Column:
    """64 hexadecimal digits in lower case, or null: anything else can match nobody.

    The digest of an empty text is refused too; partners send it for people without an address.
    """
    candidate = F.lower(F.btrim(digest))
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return F.when(candidate.rlike(r"\A[0-9a-f]{64}\z") & (candidate != empty), candidate)
