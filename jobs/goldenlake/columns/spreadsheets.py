"""Text in files that people open in a spreadsheet."""

from __future__ import annotations

#: What spreadsheets take for the beginning of a formula; some of them in full width as well.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def guarded(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would run it.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if text.startswith(_FORMULA) else text
