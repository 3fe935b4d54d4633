"""Systems that audiences are sent to: one module a kind, all of them ``ports.DestinationKind``."""

from __future__ import annotations

from collections.abc import Callable

from goldenlake.declarations.destination import Destination
from goldenlake.destinations import files
from goldenlake.destinations.sending import deliver, finish
from goldenlake.ports import Capabilities, DestinationKind, FilePlace

__all__ = ["capabilities_of", "deliver", "finish", "open_destination"]


def capabilities_of(destination: Destination) -> Capabilities:
    """What the destination's kind can do, without calling anybody."""
    return files.capabilities(destination.target)


def open_destination(
    destination: Destination, place: Callable[[str], FilePlace]
) -> DestinationKind:
    """The adapter for a declared destination; ``place`` opens a place of ``conf/env`` by name.

    Raises PlaceUnreachable; DeclarationError where its fields cannot be written.
    """
    return files.FilesDestination.open(destination, place(destination.target.place))
