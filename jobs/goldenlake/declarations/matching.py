"""``conf/identity/matching.yml``: which columns are compared, and how a model is trained.

What is declared is which column plays which role. Everything else has a default that serves
every data set: blocking keys, comparisons and joint tables follow from the roles.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field, model_validator

from goldenlake.declarations.base import ColumnName, Declaration

Role = Literal[
    "given_name",
    "family_name",
    "full_name",
    "birth_date",
    "email",
    "phone",
    "postcode",
    "place",
    "address",
    "gender",
    "category",
    "code",
]
"""What a column says of a person.

``category`` is a value out of few (an occupation, a state), ``code`` an identifier or a number
in which a character may be wrong (a social security number, a house number); both may stand for
several columns, and so may ``place`` and ``address``.
"""

SEVERAL: frozenset[Role] = frozenset({"place", "address", "category", "code", "email", "phone"})
"""Roles that more than one column may play."""


class Blocking(Declaration):
    """Which pairs are looked at."""

    most_records: int = Field(
        default=120,
        ge=2,
        description="A block of more records is left out and reported: narrower keys catch its "
        "pairs, and no hot value costs a square. Counts in nights once a model is trained or "
        "imported again.",
    )
    rules: list[str] = Field(
        default=[],
        description="Names of the rules whose keys bring records together; all by default. "
        "`goldenlake identity profile` tells what each costs and finds. Counts in nights once a "
        "model is trained or imported again.",
    )


class Training(Declaration):
    """How a model comes from a sample, without labels."""

    seed: int = 1
    sample_records: int = Field(
        default=200_000,
        ge=2,
        description="Of more records than these a sample is drawn, by a hash of their ids: the "
        "same records give the same sample.",
    )
    random_pairs: int = Field(
        default=2_000_000,
        ge=1_000,
        description="Pairs drawn at random, from which the agreement of strangers is learnt.",
    )
    prior_share: float = Field(
        default=0.1,
        ge=0,
        description="Weight of the prior on m, as a share of the expected matches; it keeps rare "
        "levels, and data with weak identifiers, from drifting.",
    )
    most_rounds: int = Field(default=100, ge=1)
    tolerance: float = Field(
        default=1e-4, gt=0, description="Training ends when no m changes by more than this."
    )
    passes: int = Field(
        default=2,
        ge=1,
        description="At most so many: each after the first learns from the clusters of the one "
        "before (pairs that blocking missed, aliases, frequencies by person), as long as it passes "
        "the self-checks.",
    )
    alias_clusters: int = Field(
        default=3,
        ge=2,
        description="Two values are aliases only if so many clusters hold both, and five or more "
        "hold each.",
    )
    alias_lift: float = Field(
        default=8.0,
        gt=1,
        description="... and if they meet so many times more often than by chance.",
    )


class Clustering(Declaration):
    """How scored pairs become clusters."""

    edge: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="Pairs of at least this probability connect. Counts once a model is trained or "
        "imported again.",
    )
    cut: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="Two clusters are joined while the mean probability between them is at least "
        "this. Counts once a model is trained or imported again.",
    )
    most_dense: int = Field(
        default=3_000,
        ge=2,
        description="Records of a component that are refined at once; a larger one is cut at "
        "higher probabilities first, and reported. Memory grows with the square. Counts once a "
        "model is trained or imported again.",
    )
    doubtful: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Pairs of at least this probability are kept for stewards, though they connect "
        "nothing. Counts once a model is trained or imported again.",
    )


class Matching(Declaration):
    """Probabilistic matching of the records of people."""

    columns: dict[ColumnName, Role]
    blocking: Blocking = Blocking()
    training: Training = Training()
    clustering: Clustering = Clustering()

    @model_validator(mode="after")
    def _roles_make_sense(self) -> Matching:
        played = Counter(self.columns.values())
        twice = sorted(role for role, n in played.items() if n > 1 and role not in SEVERAL)
        if twice:
            raise ValueError(f"more than one column is {', '.join(twice)}; name one")
        if played["full_name"] and (played["given_name"] or played["family_name"]):
            raise ValueError("a full_name cannot stand beside given_name or family_name")
        if len(self.columns) < 2:
            raise ValueError("one column tells nobody apart; declare at least two")
        return self

    def playing(self, role: Role) -> list[str]:
        """The columns with this role, in the order of their declaration."""
        return [column for column, played in self.columns.items() if played == role]

    @property
    def has_names(self) -> bool:
        """Whether any column is a name."""
        return bool({"full_name", "given_name", "family_name"} & set(self.columns.values()))
