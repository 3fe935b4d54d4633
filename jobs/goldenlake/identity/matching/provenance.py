"""Where a model comes from, and what its trainer doubted."""

from __future__ import annotations

from goldenlake.declarations.base import Declaration


class Finding(Declaration):
    """One doubt about a model."""

    name: str
    subject: str
    """The comparison or the part of the run that it is about."""
    message: str
    """What was seen, and what to do."""


class Provenance(Declaration):
    """Where a model comes from."""

    data_version: str = ""
    records: int
    blocked_pairs: int
    random_pairs: int
    seed: int
    passes: int
    rounds: int
    expected_matches: float
    expected_households: float
    findings: tuple[Finding, ...] = ()
