"""Systems that audiences are sent to: one module a kind, all of them ``ports.DestinationKind``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from goldenlake.declarations.connections import System
from goldenlake.declarations.destination import Destination
from goldenlake.destinations import (
    files,
    google,
    hubspot,
    klaviyo,
    mailchimp,
    mailman,
    meta,
    rest,
    salesforce,
    sendgrid,
    tryton,
)
from goldenlake.destinations.sending import deliver, finish
from goldenlake.ports import Capabilities, DestinationKind, Outside, Published

__all__ = ["PUBLISHED", "capabilities_of", "deliver", "finish", "open_destination"]


class _Kind(Protocol):
    """What a module of this package provides for its kind of target."""

    def capabilities(self, target: Any) -> Capabilities:
        """What a target can do, without calling anybody."""

    def opened(self, destination: Destination, target: Any, outside: Outside) -> DestinationKind:
        """The adapter. Raises PlaceUnreachable."""


_KINDS: Mapping[str, _Kind] = {
    "files": files,
    "google": google,
    "hubspot": hubspot,
    "klaviyo": klaviyo,
    "mailchimp": mailchimp,
    "mailman": mailman,
    "meta": meta,
    "rest": rest,
    "salesforce": salesforce,
    "sendgrid": sendgrid,
    "tryton": tryton,
}


PUBLISHED: Mapping[System, Published] = {
    "google": google.PUBLISHED,
    "hubspot": hubspot.PUBLISHED,
    "klaviyo": klaviyo.PUBLISHED,
    "mailchimp": mailchimp.PUBLISHED,
    "mailman": mailman.PUBLISHED,
    "meta": meta.PUBLISHED,
    "other": Published(concurrency=8),
    "salesforce": salesforce.PUBLISHED,
    "sendgrid": sendgrid.PUBLISHED,
    "tryton": tryton.PUBLISHED,
}
"""What each system publishes of its limits; how many batches a target sends at once counts too."""


def capabilities_of(destination: Destination) -> Capabilities:
    """What the destination's kind can do, without calling anybody."""
    return _KINDS[destination.target.kind].capabilities(destination.target)


def open_destination(destination: Destination, outside: Outside) -> DestinationKind:
    """The adapter for a declared destination.

    Raises PlaceUnreachable; DeclarationError where its fields cannot be written.
    """
    target = destination.target
    return _KINDS[target.kind].opened(destination, target, outside)
