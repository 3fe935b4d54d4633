"""Why two records are apart, or one: what they share, and what the sharing led to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldenlake.identity.components import TOO_LARGE
from goldenlake.identity.evidence import Link
from goldenlake.identity.links import BLOCKED, TOO_MANY
from goldenlake.identity.refinement import CANNOT


@dataclass(frozen=True, kw_only=True)
class SharedValue:
    """A value of an identifier that both records have."""

    identifier: str
    value: str
    records: int
    """That have it."""
    most_records: int
    is_tie: bool
    """Whether it ties the two, perhaps by way of others that have it."""
    largest_cluster: int
    """Records of a group in which more than unique identifiers link."""
    reason: str | None = None
    """Why it may link nobody, or does not hold these two together."""
    differing: tuple[str, ...] = ()
    """Traits in which these two differ, so that it does not link them."""

    @property
    def outcome(self) -> str:
        """What became of it, in words."""
        if self.is_tie:
            return "ties them"
        if self.reason == BLOCKED:
            return "is a placeholder and links nobody"
        if self.reason == TOO_MANY:
            return f"is on {self.records} records, more than {self.most_records}: it links nobody"
        if self.reason == TOO_LARGE:
            return (
                f"is in a group of more than {self.largest_cluster} records, in which only unique "
                "identifiers link"
            )
        if self.reason == CANNOT:
            return "gives way to what a steward decided"
        if self.differing:
            return f"does not tie them, for they differ in {' and '.join(self.differing)}"
        return "is in dispute among those who have it, and does not tie these two"


@dataclass(frozen=True, kw_only=True)
class SharedKey:
    """A blocking key that both records have."""

    rule: str
    records: int
    """That have it."""
    is_admitted: bool
    """Whether so few have it that it makes pairs."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a model says of the two, and of their customers."""

    probability: float
    mean: float
    """Between all records of the two customers, as average linkage weighs them."""
    edge: float
    cut: float


def reasons(
    *,
    is_one_component: bool,
    links: Sequence[Link],
    values: Sequence[SharedValue],
    keys: Sequence[SharedKey],
    scored: Scored | None,
    is_comparable: bool,
) -> Iterator[str]:
    """What keeps two records apart, as sentences.

    Args:
        is_one_component: whether links, perhaps by way of others, connect the two.
        links: between the customers of the two.
        values: that both have.
        keys: that both have.
        scored: None without a model, or where one of the two has too little to compare.
        is_comparable: whether there is a model at all.
    """
    for link in links:
        if link.strength == CANNOT:
            yield f"{link.left} and {link.right} cannot be one person: {link.rule}"
    if not values:
        yield "they share no value of an identifier"
    for value in values:
        if not value.is_tie:
            yield f"their common {value.identifier} {value.outcome}"
    if scored is None:
        if is_comparable:
            yield "one of them has too little to compare, so the model says nothing of them"
        else:
            yield "no model is trained, so only identifiers and decisions join records"
        return
    if not keys:
        yield "they share no blocking key, so nobody has compared them"
    elif not any(key.is_admitted for key in keys):
        yield "all blocking keys that they share are on too many records to make pairs"
    if scored.probability < scored.edge:
        yield (
            f"the model gives the two {scored.probability:.3f}, and pairs connect from "
            f"{scored.edge} on"
        )
    if scored.mean < scored.cut:
        yield (
            f"between all records of the two customers the mean is {scored.mean:.3f}, and they are "
            f"joined from {scored.cut} on"
        )
    elif is_one_component and not any(link.strength == CANNOT for link in links):
        yield (
            "the model at hand would join them: the generation was built under another one, or "
            "their component was too large to be refined at once"
        )
