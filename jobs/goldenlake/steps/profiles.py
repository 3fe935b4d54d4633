"""The profiles that a model is trained, tuned and evaluated on: those of one state of the lake."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.matching import Matching
from goldenlake.errors import ProfilesMissing
from goldenlake.identity.matches import profile_columns
from goldenlake.identity.records import is_matchable
from goldenlake.identity.samples import sampled
from goldenlake.ports import Progress, Tables
from goldenlake.steps.generations import Generation, latest_generation, read


@dataclass(frozen=True)
class IdentityState:
    """The identity tables as readers see them; before any publication, as they are now."""

    tables: Tables
    generation: Generation | None

    @classmethod
    def of(cls, tables: Tables) -> IdentityState:
        """Raises ProfilesMissing where no record was ever resolved."""
        generation = latest_generation(tables)
        if generation is None and not tables.exists("identity.records"):
            raise ProfilesMissing("there are no records yet")
        return cls(tables, generation)

    def read(self, table: str) -> DataFrame:
        """One of the identity tables."""
        if self.generation is None:
            return self.tables.read(table)
        return read(self.tables, self.generation, table)

    @property
    def version(self) -> str:
        """Which state of the records this is, for a person who wants it again."""
        if self.generation is None:
            return (
                f"identity.records version {self.tables.version('identity.records')}, unpublished"
            )
        at = self.generation.tables.get("identity.records")
        return f"generation {self.generation.generation}, identity.records version {at}"


@dataclass(frozen=True)
class ProfileSample:
    """Profiles in this process, in the order of their record ids."""

    table: pa.Table
    """record_id, and a column for each that matching compares."""
    matchable: int
    """Active records with enough in their profile, of which these are drawn."""
    version: str

    @property
    def records(self) -> int:
        """How many there are."""
        return int(self.table.num_rows)

    @property
    def is_all(self) -> bool:
        """Whether nothing was left out."""
        return self.records == self.matchable


def read_profiles(state: IdentityState, matching: Matching, progress: Progress) -> ProfileSample:
    """Profiles of active records, at most ``training.sample_records``.

    Raises ProfilesMissing where no record has a profile, or none has what is declared.
    """
    records = state.read("identity.records").where(F.col("is_active") & is_matchable())
    matchable = records.count()
    if not matchable:
        raise ProfilesMissing("no record has a profile with anything to compare")
    wanted = matching.training.sample_records
    columns = list(matching.columns)
    drawn = sampled(records, wanted) if matchable > wanted else records
    table = drawn.select("record_id", *profile_columns(columns)).toArrow().sort_by("record_id")
    empty = [column for column in columns if table[column].null_count == table.num_rows]
    if empty:
        raise ProfilesMissing(f"no profile has {', '.join(empty)}")
    progress(f"{state.version}: {table.num_rows:,} of {matchable:,} profiles are read")
    return ProfileSample(table, matchable, state.version)
