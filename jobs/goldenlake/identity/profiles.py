"""Profiles of single records, for those who look at few of them without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from goldenlake.identity.records import LEAST_COMPARED

Profile = Mapping[str, str] | None


def is_compared(profile: Profile) -> bool:
    """Whether there is enough in it to compare; as ``records.is_matchable``."""
    return len(profile or {}) >= LEAST_COMPARED


def profile_table(profiles: Sequence[Profile], columns: Sequence[str]) -> pa.Table:
    """The columns that a model compares, null where a record is not matched."""
    said = [dict(profile or {}) if is_compared(profile) else {} for profile in profiles]
    return pa.Table.from_pylist(
        [{name: each.get(name) for name in columns} for each in said],
        schema=pa.schema([(name, pa.string()) for name in columns]),
    )
