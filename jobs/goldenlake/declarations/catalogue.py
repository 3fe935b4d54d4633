"""Everything that ``conf/`` declares, loaded and cross-checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.environment import Environment
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.segment import Segment
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The declarations of one installation, by name."""

    root: Path
    environment: Environment
    environment_name: str = "local"
    sources: Mapping[str, Source]
    tables: Mapping[str, Table]
    identity: IdentityRules
    consent: ConsentPolicy
    segments: Mapping[str, Segment]
    destinations: Mapping[str, Destination]
