"""In which order the columns of a source are computed from each other."""

from __future__ import annotations

from collections.abc import Iterator

from goldenlake.declarations.documents import Document
from goldenlake.declarations.expressions import columns_of
from goldenlake.declarations.source import Source, SourceColumn
from goldenlake.errors import Problem


def layers(source: Source) -> tuple[list[list[SourceColumn]], list[SourceColumn]]:
    """Columns in an order in which each is computed after those that it is computed from, and
    those that no order can compute.
    """
    waiting = list(source.columns)
    done: set[str] = set()
    found: list[list[SourceColumn]] = []
    while ready := [column for column in waiting if _needs(column, source) <= done]:
        found.append(ready)
        done |= {column.name for column in ready}
        waiting = [column for column in waiting if column.name not in done]
    return found, waiting


def read_from(source: Source, name: str) -> frozenset[str]:
    """The columns of its file that a column is, or is computed from by whatever steps."""
    derive = source.column(name).derive
    if derive is None:
        return frozenset({name})
    return frozenset[str]().union(*(read_from(source, need) for need in columns_of(derive)))


def derivation_problems(document: Document, source: Source) -> Iterator[Problem]:
    """Columns that are computed from themselves, or from what is known of a row only later."""
    waiting = layers(source)[1]
    names = {column.name for column in waiting}
    while idle := names - {need for column in waiting for need in _needs(column, source)}:
        late = {
            column.name: sorted(_needs(column, source) - {*source.column_names})
            for column in waiting
            if column.name in idle
        }
        for name, needs in late.items():
            if needs:
                yield _at(
                    document, source, name, f"needs {needs[0]}, which is made of all columns. "
                    "Compute it from columns."
                )  # fmt: skip
        waiting = [column for column in waiting if column.name not in idle]
        names -= idle
    if waiting:
        circle = ", ".join(column.name for column in waiting)
        for column in waiting[:1]:
            yield _at(
                document, source, column.name, "is computed from itself, by way of the circle "
                f"{circle}. Compute one of them from columns of the file alone."
            )  # fmt: skip


def _at(document: Document, source: Source, name: str, message: str) -> Problem:
    at = source.column_names.index(name)
    key = "derive" if source.columns[at].derive is not None else "normalise"
    return document.problem(("columns", at, key), message)


def _needs(column: SourceColumn, source: Source) -> set[str]:
    needs = set(columns_of(column.derive)) if column.derive else set()
    if column.normalise in ("phone", "postcode") and source.region_from:
        needs.add(source.region_from)
    return needs - {column.name} if column.derive is None else needs
