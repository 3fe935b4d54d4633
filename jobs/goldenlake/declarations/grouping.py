"""What cannot be right about groups, held against the tables and attributes that there are."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence

from goldenlake.declarations.documents import Document, KeyPath
from goldenlake.declarations.groups import Group
from goldenlake.declarations.sentences import unknown
from goldenlake.errors import Problem
from goldenlake.schemas import GOLD_TABLES

_CUSTOMERS = "gold.customers"
ATTRIBUTES = "gold.customers as one with survivorship"
"""Where attributes of customers are declared, as problems say it."""


def group_problems(
    groups: Sequence[tuple[Document, Group]],
    tables: Container[str],
    attributes: Collection[str] | None,
) -> Iterator[Problem]:
    """``tables`` have files of their own; ``attributes`` are those of gold.customers, None where
    its file is faulty.
    """
    prefixes = {"c_": _CUSTOMERS}
    for document, group in groups:
        yield from _names(document, group, tables)
        yield from _prefix(document, group, prefixes)
        prefixes.setdefault(group.id_prefix, group.table)
        yield from _rules(document, group, attributes)


def _names(document: Document, group: Group, tables: Container[str]) -> Iterator[Problem]:
    if group.table in GOLD_TABLES:
        yield document.problem(
            ("group",), f"makes {group.table}, which every lake has. Choose another name."
        )
    elif group.table in tables:
        yield document.problem(
            ("group",),
            f"makes {group.table} and describes it, as conf/tables/{group.table}.yml does. Remove "
            "that file, or choose another name.",
        )
    elif group.group.startswith(("gold_", "identity_")):
        yield document.problem(
            ("group",),
            f"is {group.group!r}, which is how `goldenlake sql` names a table with its layer. "
            "Choose another name.",
        )
    if group.singular == "customer":
        yield document.problem(
            ("singular",), "makes a column customer_id, which names the member. Choose another."
        )


def _prefix(document: Document, group: Group, prefixes: Mapping[str, str]) -> Iterator[Problem]:
    if taken := prefixes.get(group.id_prefix):
        yield document.problem(
            ("prefix",) if group.prefix else ("singular",),
            f"makes ids begin with {group.id_prefix}, as those of {taken} do. Give "
            f"{'' if taken == _CUSTOMERS else 'the newer one '}another prefix.",
        )


def _rules(
    document: Document, group: Group, attributes: Collection[str] | None
) -> Iterator[Problem]:
    for name, rule in group.rules.items():
        for at, attribute in enumerate(rule.agree):
            path: KeyPath = ("rules", name, "agree", at)
            yield from unknown(document, path, attribute, attributes, where=ATTRIBUTES)
            if attribute in rule.agree[:at]:
                yield document.problem(path, f"{attribute!r} is named twice. Name it once.")
    for name in group.placeholders:
        path = ("placeholders", name)
        yield from unknown(document, path, name, group.attributes, where="any rule above")
