"""Cross-checks between declarations: everything that one names must be declared by another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from goldenlake.declarations.audiences import Vocabulary, cap_problems, segment_problems
from goldenlake.declarations.base import Declaration
from goldenlake.declarations.connections import Connection
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.contracts import contract_problems
from goldenlake.declarations.decisions import Decisions
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.documents import Document, KeyPath
from goldenlake.declarations.environment import Environment
from goldenlake.declarations.expressions import columns_of
from goldenlake.declarations.grouping import ATTRIBUTES, group_problems
from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.mappings import mapping_problems
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.pulls import ApiOrigin, DepartureOrigin
from goldenlake.declarations.secrets import secrets_in_clear
from goldenlake.declarations.segment import Segment
from goldenlake.declarations.sentences import hint, unknown
from goldenlake.declarations.source import ConsentMapping, Origin, Source
from goldenlake.declarations.table import Table, TableColumn
from goldenlake.declarations.targets import (
    OWN_COLUMNS,
    ConnectedTarget,
    FilesTarget,
    whereabouts,
)
from goldenlake.errors import Problem

ModelT = TypeVar("ModelT", bound=Declaration)

TRAITS = ("given_name", "family_name", "birth_on")
"""Attributes that ``unless_differ`` can compare, besides every identifier."""
CUSTOMERS, METRICS = "gold.customers", "gold.metrics"
INTERACTIONS, PURCHASES = "gold.interactions", "gold.purchases"


@dataclass(frozen=True, kw_only=True)
class Read(Generic[ModelT]):
    """A file, and its model where the file fits it."""

    document: Document
    model: ModelT | None


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """All files that were read, by name, whether or not each of them is sound."""

    environment: Read[Environment] | None
    sources: Mapping[str, Read[Source]]
    tables: Mapping[str, Read[Table]]
    groups: Mapping[str, Read[Group]]
    segments: Mapping[str, Read[Segment]]
    destinations: Mapping[str, Read[Destination]]
    identity: Read[IdentityRules]
    matching: Read[Matching] | None
    decisions: Read[Decisions] | None
    consent: Read[ConsentPolicy]


def check_references(loaded: Loaded) -> list[Problem]:
    """Every name that leads nowhere, at its place in the file.

    What refers to a file that is itself faulty is not judged: one fault, one problem.
    """
    known = _known(loaded)
    found: list[Problem] = []
    if loaded.environment and loaded.environment.model:
        found += secrets_in_clear(loaded.environment.document, loaded.environment.model)
    for source in _sound(loaded.sources):
        found += contract_problems(source.document, source.model)
        found += _source(source.document, source.model, known)
    for table in _sound(loaded.tables):
        found += _table(table.document, table.model, known)
    found += group_problems(
        [(each.document, each.model) for each in _sound(loaded.groups)],
        loaded.tables,
        known.attributes,
    )
    if loaded.identity.model is not None:
        found += _identity(loaded.identity.document, loaded.identity.model)
    if loaded.matching and loaded.matching.model:
        found += _matching(loaded.matching.document, loaded.matching.model, loaded.sources)
    if loaded.decisions and loaded.decisions.model:
        found += _decisions(loaded.decisions.document, loaded.decisions.model, loaded.sources)
    if loaded.consent.model is not None:
        found += _policy(loaded.consent.document, loaded.consent.model, known)
    found += segment_problems(
        [(each.document, each.model) for each in _sound(loaded.segments)], known.vocabulary
    )
    for destination in _sound(loaded.destinations):
        found += _destination(destination.document, destination.model, known)
    found += _in_one_place(_sound(loaded.destinations))
    return found


@dataclass(frozen=True, kw_only=True)
class _Sound(Generic[ModelT]):
    document: Document
    model: ModelT


def _sound(reads: Mapping[str, Read[ModelT]]) -> Iterator[_Sound[ModelT]]:
    for read in reads.values():
        if read.model is not None:
            yield _Sound(document=read.document, model=read.model)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What can be referred to; None where the declaring file is faulty or absent."""

    places: frozenset[str] | None
    connections: Mapping[str, Connection] | None
    """By their names."""
    destinations: frozenset[str]
    environment: str
    sources: frozenset[str]
    identifiers: frozenset[str] | None
    attributes: frozenset[str] | None
    purposes: frozenset[str] | None
    channels: frozenset[str] | None
    sendable: Mapping[str, TableColumn] | None
    """Columns of customers and metrics."""
    vocabulary: Vocabulary


def _known(loaded: Loaded) -> _Known:
    environment = loaded.environment
    model = environment.model if environment else None
    identity, consent = loaded.identity.model, loaded.consent.model
    tables = {name: read.model for name, read in loaded.tables.items() if read.model is not None}
    customers = tables.get(CUSTOMERS)
    return _Known(
        connections=model.connections if model else None,
        places=frozenset(model.places) if model else None,
        destinations=frozenset(loaded.destinations),
        environment=environment.document.file if environment else "",
        sources=frozenset(loaded.sources),
        identifiers=frozenset(identity.identifiers) if identity else None,
        attributes=frozenset(c.name for c in customers.attributes) if customers else None,
        purposes=frozenset(consent.purposes) if consent else None,
        channels=frozenset(consent.channels) if consent else None,
        sendable=_sendable(loaded.tables),
        vocabulary=Vocabulary(
            customers=customers,
            metrics=tables.get(METRICS),
            interactions=tables.get(INTERACTIONS),
            purchases=tables.get(PURCHASES),
            segments=frozenset(loaded.segments),
        ),
    )


def _sendable(tables: Mapping[str, Read[Table]]) -> dict[str, TableColumn] | None:
    found: dict[str, TableColumn] = {}
    for read in (tables[name] for name in (METRICS, CUSTOMERS) if name in tables):
        if read.model is None:
            return None
        found |= {column.name: column for column in read.model.columns}
    return found


def _source(document: Document, source: Source, known: _Known) -> Iterator[Problem]:
    declared: Iterable[str] | None
    match source.origin:
        case Origin(place=name):
            of, declared = "place", known.places
            where = f"{known.environment}, under places"
        case ApiOrigin(connection=name):
            of, declared = "connection", known.connections
            where = f"{known.environment}, under connections"
        case DepartureOrigin(destination=name):
            of, declared, where = "destination", known.destinations, "conf/destinations"
    yield from unknown(document, ("origin", of), name, declared, where=where)
    for name in source.identifiers:
        yield from unknown(
            document, ("identifiers", name), name, known.identifiers, where=_IDENTIFIERS
        )
    for name in source.attributes:
        yield from unknown(document, ("attributes", name), name, known.attributes, where=ATTRIBUTES)
    for at, name in enumerate(source.purpose):
        yield from unknown(document, ("purpose", at), name, known.purposes, where=_CONSENT)
    personal = sorted(column.name for column in source.columns if column.personal != "none")
    if personal and not source.purpose:
        yield document.problem(
            ("purpose",),
            f"is missing or empty, but {', '.join(personal[:3])} "
            f"{'is' if len(personal) == 1 else 'are'} personal. Name the purposes in {_CONSENT} "
            "that this data was collected for.",
        )
    if source.attributes and source.load == "append":
        yield document.problem(
            ("attributes",),
            "need a source with a key, but load is append. Use increment, or leave them out.",
        )
    yield from _sensitive(document, source)
    if (events := source.interactions) and not (events.kind or events.constant_kind):
        yield document.problem(("interactions",), "says no kind. Add kind or constant_kind.")
    if (sales := source.purchases) and not (sales.currency or sales.constant_currency):
        yield document.problem(
            ("purchases",), "says no currency. Add currency or constant_currency."
        )
    for at, mapping in enumerate(source.consents):
        yield from _consent_mapping(document, ("consents", at), mapping, known)


def _sensitive(document: Document, source: Source) -> Iterator[Problem]:
    """Sensitive columns that would leave silver."""
    sensitive = {column.name for column in source.columns if column.personal == "sensitive"}
    leaving: list[tuple[KeyPath, str]] = [
        *((("identifiers", of), name) for of, name in source.identifiers.items()),
        *((("attributes", of), name) for of, name in source.attributes.items()),
    ]
    if events := source.interactions:
        leaving += [
            (("interactions", field), name)
            for field in ("item", "value", "session")
            if (name := getattr(events, field))
        ]
        leaving += [
            (("interactions", "properties", at), name) for at, name in enumerate(events.properties)
        ]
    if source.purchases and source.purchases.description:
        leaving.append((("purchases", "description"), source.purchases.description))
    for path, name in leaving:
        if name in sensitive:
            yield document.problem(path, f"{name!r} is sensitive and must not leave silver.")


_IDENTIFIERS = "conf/identity/identifiers.yml"
_CONSENT = "conf/consent.yml"


def _consent_mapping(
    document: Document, path: KeyPath, mapping: ConsentMapping, known: _Known
) -> Iterator[Problem]:
    if mapping.constant_purpose:
        yield from unknown(
            document, (*path, "constant_purpose"), mapping.constant_purpose, known.purposes,
            where=_CONSENT,
        )  # fmt: skip
    if mapping.constant_channel:
        yield from unknown(
            document, (*path, "constant_channel"), mapping.constant_channel, known.channels,
            where=_CONSENT,
        )  # fmt: skip
    for of in ("purpose", "channel"):
        if getattr(mapping, of) is None and getattr(mapping, f"constant_{of}") is None:
            yield document.problem(path, f"says no {of}. Add {of} or constant_{of}.")
    if mapping.status is None:
        yield document.problem(path, "says no status. Add the column that holds it.")


def _policy(document: Document, policy: ConsentPolicy, known: _Known) -> Iterator[Problem]:
    for name, channel in policy.channels.items():
        for at, address in enumerate(channel.addresses):
            path: KeyPath = ("channels", name, "addresses", at)
            yield from unknown(document, path, address, known.identifiers, where=_IDENTIFIERS)
    for at, source in enumerate(policy.gone_sources):
        if source in known.sources:
            yield document.problem(
                ("gone_sources", at),
                f"{source!r} is declared in conf/sources, so what it states counts. Take it out "
                "here, or its file there.",
            )


def _table(document: Document, table: Table, known: _Known) -> Iterator[Problem]:
    columns = [column.name for column in table.columns]
    for at, name in enumerate(columns):
        if name in columns[:at]:
            yield document.problem(("columns", at, "name"), f"{name!r} is declared twice.")
    for at, name in enumerate(table.key):
        yield from unknown(document, ("key", at), name, columns, where="columns")
    for at, column in enumerate(table.columns):
        path: KeyPath = ("columns", at, "survivorship")
        for nth, name in enumerate(column.survivorship.sources if column.survivorship else ()):
            yield from unknown(
                document, (*path, "sources", nth), name, known.sources, where="conf/sources"
            )
    for at, rule in enumerate(table.rules):
        path = ("rules", at)
        if rule.rule == "holds":
            for name in sorted(columns_of(rule.expression)):
                yield from unknown(
                    document, (*path, "expression"), name, columns, where=table.table
                )
        elif rule.rule == "unique":
            for nth, name in enumerate(rule.columns):
                yield from unknown(
                    document, (*path, "columns", nth), name, columns, where=table.table
                )
        elif rule.rule != "row_count":
            yield from unknown(document, (*path, "column"), rule.column, columns, where=table.table)


def _identity(document: Document, identity: IdentityRules) -> Iterator[Problem]:
    comparable = {*TRAITS, *identity.identifiers}
    for name, identifier in identity.identifiers.items():
        for at, trait in enumerate(identifier.unless_differ):
            path: KeyPath = ("identifiers", name, "unless_differ", at)
            if trait not in comparable:
                yield document.problem(
                    path,
                    f"{trait!r} is neither a trait ({', '.join(TRAITS)}) nor an identifier. "
                    f"{hint(trait, comparable)}",
                )
            elif trait == name:
                yield document.problem(
                    path, "names the identifier itself; records that share it never differ in it."
                )


def _matching(
    document: Document, matching: Matching, sources: Mapping[str, Read[Source]]
) -> Iterator[Problem]:
    """Columns are attributes that some source of profiles has."""
    if any(each.model is None for each in sources.values()):
        return
    profiles = [each.model for each in _sound(sources) if each.model.is_profile]
    known = {name for source in profiles for name in source.attributes}
    for column, role in matching.columns.items():
        is_made = role == "full_name" and known & {"given_name", "family_name"}
        if column not in known and not is_made:
            yield document.problem(
                ("columns", column),
                f"is no attribute of any source of profiles. {hint(column, known)}",
            )


def _decisions(
    document: Document, decisions: Decisions, sources: Mapping[str, Read[Source]]
) -> Iterator[Problem]:
    for at, decision in enumerate(decisions.decisions):
        for record in decision.records:
            source = record.partition(":")[0]
            if source not in sources:
                yield document.problem(
                    ("decisions", at, "must" if decision.is_must else "cannot"),
                    f"record ids begin with their source, and {source!r} is none. "
                    f"{hint(source, sources)}",
                )


def _of_another_system(
    document: Document, target: ConnectedTarget, known: _Known
) -> Iterator[Problem]:
    """A system's limits count only where the connection says whose they are."""
    connection = (known.connections or {}).get(target.connection)
    if connection and target.kind not in ("rest", connection.system):
        yield document.problem(
            ("target", "connection"),
            f"{target.connection!r} is an account of system {connection.system}. Write `system: "
            f"{target.kind}` under connections.{target.connection} in {known.environment}, or name "
            "another connection.",
        )


def _in_one_place(destinations: Iterable[_Sound[Destination]]) -> Iterator[Problem]:
    """Segments whose people nothing tells apart there, of one destination or of two: who leaves one
    would be taken out of all, or be kept there by another.
    """
    places: dict[str, list[tuple[Destination, str]]] = {}
    for each in destinations:
        ours, called = each.model, each.model.destination
        for at, name in enumerate(ours.segments):
            place = whereabouts(ours.target, destination=called, segment=name)
            kept = places.setdefault(place, []) if place else []
            others = (other for other in kept if other != (ours, name))
            for theirs, first in [other for other in others if _are_rivals(ours, other[0])][:1]:
                told = (
                    f"{name!r} would be kept where {first!r} is, and whoever leaves one of them be "
                    "taken out of both. Name a place for each in target, or make one segment of "
                    "both."
                    if theirs is ours
                    else f"{name!r} would be kept where {theirs.destination} keeps {first!r}, and "
                    "each take out, or keep there, whom the other sends. Name another place in "
                    "target, or make one destination of both."
                )
                yield each.document.problem(("segments", at), told)
            kept.append((ours, name))


def _are_rivals(one: Destination, other: Destination) -> bool:
    """Whether one of them may take out whom the other wants to be there. Who is told of as having
    said no is put nowhere.
    """
    if "suppress" in (one.mode, other.mode):
        return False
    are_alike = (one.purpose, one.channel) == (other.purpose, other.channel)
    return "mirror" in (one.mode, other.mode) or not are_alike


def _destination(document: Document, destination: Destination, known: _Known) -> Iterator[Problem]:
    segments = known.vocabulary.segments
    for at, name in enumerate(destination.segments):
        yield from unknown(document, ("segments", at), name, segments, where="conf/segments")
    target = destination.target
    listed: Iterable[str] | None
    if isinstance(target, FilesTarget):
        name, listed, under = target.place, known.places, "places"
        path: KeyPath = ("target", "place")
    else:
        name, listed, under = target.connection, known.connections, "connections"
        path = ("target", "connection")
        yield from _of_another_system(document, target, known)
    where = f"{known.environment}, under {under}"
    yield from unknown(document, path, name, listed, where=where)
    yield from unknown(document, ("purpose",), destination.purpose, known.purposes, where=_CONSENT)
    yield from unknown(document, ("channel",), destination.channel, known.channels, where=_CONSENT)
    for name in destination.fields if isinstance(target, FilesTarget) else ():
        if name in OWN_COLUMNS:
            yield document.problem(
                ("fields", name), "is a column that every file has. Choose another name."
            )
    yield from mapping_problems(document, destination)
    if destination.cap:
        yield from cap_problems(document, destination.cap, known.vocabulary)
    columns, customers = known.sendable, known.vocabulary.customers
    if columns is None or customers is None:
        return
    names = [column.name for column in customers.columns]
    yield from unknown(document, ("key",), destination.key, names, where=CUSTOMERS)
    mapped: list[tuple[KeyPath, str]] = []
    for field, source in destination.fields.items():
        path = ("fields", field)
        if isinstance(source, str):
            mapped.append((path, source))
        else:
            mapped.append(((*path, "attribute"), source.attribute))
    for path, name in mapped:
        yield from unknown(document, path, name, columns, where=f"{CUSTOMERS} or {METRICS}")
    for path, name in [(("key",), destination.key), *mapped]:
        if name in columns and columns[name].personal == "sensitive":
            yield document.problem(path, f"{name!r} is sensitive and must not leave the lake.")
        elif name in columns and columns[name].type.startswith(("ARRAY", "MAP", "STRUCT")):
            yield document.problem(
                path, f"{name!r} is {columns[name].type}; only single values can be sent."
            )
