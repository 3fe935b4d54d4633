"""Identifiers of people as advertisers' systems compare them: normalised, then SHA-256 in hex.

Google: https://developers.google.com/data-manager/api/devguides/concepts/formatting. Meta:
https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences#hash. The two
differ in phones, in Gmail addresses and in postcodes, so no rule is shared but for names. What
normalises to nothing gives None: the digest of an empty text would match nobody, or everybody.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

_GMAIL = ("gmail.com", "googlemail.com")
_E164 = re.compile(r"\+[1-9]\d{6,14}")


def sha256(text: str | None) -> str | None:
    """The digest of a normalised text in UTF-8, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def google_email(text: str) -> str | None:
    """Without any white space, in lower case; of Gmail's addresses without dots and ``+tag``."""
    local, at, domain = "".join(text.split()).lower().rpartition("@")
    if not (local and domain):
        return None
    if domain in _GMAIL:
        local = local.partition("+")[0].replace(".", "")
    return f"{local}{at}{domain}" if local else None


def meta_email(text: str) -> str | None:
    """Trimmed, in lower case; dots and ``+tag`` stay."""
    bare = text.strip().lower()
    return bare if re.fullmatch(r"[^@\s]+@[^@\s]+", bare) else None


def google_phone(text: str) -> str | None:
    """E.164 with its ``+``; what has no country code is no number."""
    bare = re.sub(r"[\s()./-]", "", text)
    return bare if _E164.fullmatch(bare) else None


def meta_phone(text: str) -> str | None:
    """Digits with the country code, and without the ``+``."""
    number = google_phone(text)
    return number[1:] if number else None


def google_name(text: str) -> str | None:
    """Lower case without punctuation, trimmed; several given names stay apart."""
    kept = "".join(c for c in _lowered(text) if not unicodedata.category(c).startswith("P"))
    return kept.strip() or None


def meta_name(text: str) -> str | None:
    """Lower-case letters of any script and nothing else; so for names, cities and regions.

    Meta's own client keeps a to z alone, which leaves nothing of a Cyrillic name.
    """
    kept = (c for c in _lowered(text) if unicodedata.category(c)[0] in "LM")
    return "".join(kept) or None


def google_region(text: str) -> str | None:
    """A country by its two letters, ISO 3166-1; sent in clear."""
    bare = text.strip().upper()
    return bare if re.fullmatch("[A-Z]{2}", bare) else None


def meta_country(text: str) -> str | None:
    """A country by its two letters, ISO 3166-1, in lower case."""
    region = google_region(text)
    return region.lower() if region else None


def google_postcode(text: str) -> str | None:
    """Trimmed; sent in clear."""
    return text.strip() or None


def meta_postcode(text: str) -> str | None:
    """Lower case without spaces and dashes; of a ZIP+4 code the first five digits."""
    bare = "".join(text.split()).lower()
    if re.fullmatch(r"\d{5}-\d{4}", bare):
        return bare[:5]
    return bare.replace("-", "") or None


def _lowered(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()
