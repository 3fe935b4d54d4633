"""Checks of a source against itself: what would be missed in silence, or fail only at night."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from goldenlake.declarations.access_log import known_fields, unknown_directives
from goldenlake.declarations.base import carries_offset
from goldenlake.declarations.derivations import derivation_problems
from goldenlake.declarations.documents import Document, KeyPath
from goldenlake.declarations.formats import AccessLogFormat
from goldenlake.declarations.sentences import hint
from goldenlake.declarations.source import Origin, Source
from goldenlake.errors import Problem


def contract_problems(document: Document, source: Source) -> Iterator[Problem]:
    """All that is wrong with a source whatever else is declared."""
    is_files = isinstance(source.origin, Origin)
    if source.load == "snapshot" and is_files and source.origin.file_date is None:
        yield document.problem(
            ("origin", "file_date"),
            "is missing, but load is snapshot: of two files the newer one is the truth. Write "
            "where the day stands in their names, such as "
            r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2}).",
        )
    if source.sessions and source.load != "append":
        yield document.problem(
            ("sessions",),
            f"are counted over append sources only, but load is {source.load}. Load it as append, "
            "or leave them out.",
        )
    yield from _days_elsewhere(document, source)
    if not source.model_fields_set & {"region", "region_from"}:
        yield from _dialled_anywhere(document, source)
    yield from derivation_problems(document, source)
    if isinstance(source.format, AccessLogFormat):
        yield from _log_fields(document, source, source.format.log_format)
    for at, mapping in enumerate(source.consents):
        path = ("consents", at, "statuses")
        yield from _words(document, source, path, mapping.status, mapping.statuses)
        yield from _one_meaning(document, path, mapping.statuses)
    if events := source.interactions:
        yield from _words(document, source, ("interactions", "kinds"), events.kind, events.kinds)


def _days_elsewhere(document: Document, source: Source) -> Iterator[Problem]:
    for at, column in enumerate(source.columns):
        for number, pattern in enumerate(column.formats):
            is_word = pattern in ("iso", "epoch")
            if column.type == "date" and not is_word and carries_offset(pattern):
                yield document.problem(
                    ("columns", at, "formats", number),
                    f"{pattern!r} reads an offset from UTC, but {column.name} is a date: the day "
                    "would be that of UTC, not the one that was written. Make the column a "
                    "timestamp.",
                )


def _dialled_anywhere(document: Document, source: Source) -> Iterator[Problem]:
    for at, column in enumerate(source.columns):
        if column.normalise == "phone":
            yield document.problem(
                ("columns", at, "normalise"),
                "is phone, but neither region nor region_from says in which country numbers "
                "without a country code are dialled. Add one; region: ZZ reads international "
                "numbers only.",
            )


def _log_fields(document: Document, source: Source, log_format: str) -> Iterator[Problem]:
    path: KeyPath = ("format", "log_format")
    if unknown := unknown_directives(log_format):
        yield document.problem(
            path,
            f"has {unknown[0]!r}, which is no directive of Apache's LogFormat. Copy the server's "
            "own line; a percent sign by itself is %%.",
        )
        return
    known = known_fields(log_format)
    for at, column in enumerate(source.columns):
        asked = column.source or column.name
        if column.derive is None and not column.optional_in_file and asked.casefold() not in known:
            yield document.problem(
                ("columns", at, "from" if column.source else "name"),
                f"{asked!r} is no field of format.log_format. {hint(asked, known)}",
            )


def _words(
    document: Document, source: Source, path: KeyPath, column: str | None, words: Iterable[str]
) -> Iterator[Problem]:
    """Words that the contract's own rule says a column never holds: they would mean nothing."""
    known = _values_of(source, column)
    for word in words:
        if known is not None and word not in known:
            yield document.problem(
                (*path, word),
                f"{word!r} is not among the values that rules allow in {column}. "
                f"{hint(word, known)}",
            )


def _one_meaning(
    document: Document, path: KeyPath, statuses: Mapping[str, str]
) -> Iterator[Problem]:
    """Words of consent are compared without case and blanks around them."""
    meanings: dict[str, str] = {}
    for word, meaning in statuses.items():
        if meanings.setdefault(word.strip().lower(), meaning) != meaning:
            yield document.problem(
                (*path, word),
                f"{word!r} means two things: case and blanks around a word do not count. Leave "
                "one of them.",
            )


def _values_of(source: Source, column: str | None) -> set[str] | None:
    """The values that a rule of the source lists for a column."""
    for rule in source.rules:
        if rule.rule == "in_set" and rule.column == column:
            return {str(value) for value in rule.values}
    return None
