"""Cross-checks between declarations: everything that one names must be declared by another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from goldenlake.declarations.base import Declaration
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.documents import Document
from goldenlake.declarations.environment import Environment
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.segment import Segment
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table
from goldenlake.errors import Problem

ModelT = TypeVar("ModelT", bound=Declaration)


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
    segments: Mapping[str, Read[Segment]]
    destinations: Mapping[str, Read[Destination]]
    identity: Read[IdentityRules]
    consent: Read[ConsentPolicy]


def check_references(loaded: Loaded) -> list[Problem]:
    """Every name that leads nowhere, at its place in the file."""
    return []
