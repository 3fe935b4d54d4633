"""Everything that ``conf/`` declares, loaded and cross-checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.decisions import Decision
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.environment import Environment
from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.segment import Segment
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The declarations of one installation, by name."""

    root: Path
    conf: Path
    environment: Environment
    environment_name: str = "local"
    sources: Mapping[str, Source]
    tables: Mapping[str, Table]
    """Those of groups as well."""
    groups: Mapping[str, Group]
    identity: IdentityRules
    matching: Matching | None = None
    decisions: Sequence[Decision] = ()
    consent: ConsentPolicy
    segments: Mapping[str, Segment]
    destinations: Mapping[str, Destination]
