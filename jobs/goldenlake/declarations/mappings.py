"""Whether what a target says of fields agrees with the fields that are mapped."""

from __future__ import annotations

from collections.abc import Iterator

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.documents import Document
from goldenlake.declarations.rest import RestTarget
from goldenlake.declarations.sentences import hint, unknown
from goldenlake.declarations.targets import GoogleTarget, MetaTarget, modes_of
from goldenlake.errors import Problem


def mapping_problems(document: Document, destination: Destination) -> Iterator[Problem]:
    """Fields that a target names and nobody maps, and fields that would not be sent; a mode that
    such a system cannot be sent to in.
    """
    modes = modes_of(destination.target)
    if destination.mode not in modes:
        yield document.problem(
            ("mode",),
            f"is {destination.mode!r}, which this target cannot do. Use one of "
            f"{', '.join(sorted(modes))}, or see what it needs for that in docs/destinations.",
        )
    match destination.target:
        case GoogleTarget() | MetaTarget() as target:
            yield from _of_an_audience(document, destination, target)
        case RestTarget() as target:
            yield from _of_calls(document, destination, target)


def _of_an_audience(
    document: Document, destination: Destination, target: GoogleTarget | MetaTarget
) -> Iterator[Problem]:
    """Every segment has its audience, and every field is an identifier."""
    for at, name in enumerate(destination.segments):
        if name not in target.audiences:
            yield document.problem(
                ("segments", at), f"{name!r} has no audience. Name its id in target.audiences."
            )
    for identifier, name in target.identifiers.items():
        path = ("target", "identifiers", identifier)
        yield from unknown(document, path, name, destination.fields, where="fields")
    for name in destination.fields:
        if name not in target.identifiers.values():
            yield document.problem(
                ("fields", name),
                "is no identifier, so it would not be sent. Say in target.identifiers which one "
                "it is, or take it out.",
            )


def _of_calls(
    document: Document, destination: Destination, target: RestTarget
) -> Iterator[Problem]:
    """Every field of a body is mapped, and every mapped field is in a body."""
    named = {name for call in target.upsert for name in call.fields}
    for name in sorted(named - {"*"} - set(destination.fields)):
        yield document.problem(
            ("target", "upsert"), f"{{fields.{name}}} is no field. {hint(name, destination.fields)}"
        )
    for name in destination.fields:
        if not named & {name, "*"}:
            yield document.problem(
                ("fields", name), f"is in no body of target.upsert. Add {{fields.{name}}} there."
            )
