"""Why two records are one person, or why they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from goldenlake.declarations.decisions import Decision
from goldenlake.declarations.identity import IdentityRules
from goldenlake.errors import RecordUnknown, SetupError
from goldenlake.identity import links, matches
from goldenlake.identity.agreement import agree
from goldenlake.identity.apart import Scored, SharedKey, SharedValue, reasons
from goldenlake.identity.components import TOO_LARGE, component_key
from goldenlake.identity.evidence import Link, links_among, links_of, path
from goldenlake.identity.matching.keys import rule_names
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.waterfall import Waterfall, waterfalls
from goldenlake.identity.profiles import is_compared, profile_table
from goldenlake.identity.refinement import CANNOT
from goldenlake.identity.trained import TrainedModel
from goldenlake.ports import Tables
from goldenlake.reporting.pairs import PairExplanation
from goldenlake.steps.generations import read
from goldenlake.steps.reading import generation_of


@dataclass(frozen=True, kw_only=True)
class ExplainPair:
    """All that a published generation and a model know of two records.

    What is given holds personal data: it is for the eyes of the person who asked.

    Args:
        left: a record id; so is ``right``.
        rules: what may link.
        trained: the model at hand; None without one.
        decisions: as declared, also those that no night has heard of yet.
    """

    left: str
    right: str
    rules: IdentityRules
    trained: TrainedModel | None = None
    decisions: Sequence[Decision] = ()

    def run(self, tables: Tables) -> PairExplanation:
        """Raises RecordUnknown, SetupError; TableMissing before the first publication."""
        if self.left == self.right:
            raise SetupError("both records are one.", mend="Name two different record ids.")
        generation = generation_of(tables)
        customers = read(tables, generation, "identity.customers")
        records = read(tables, generation, "identity.records")
        edges = read(tables, generation, "identity.edges")
        own = self._own(customers)
        one, other = own[self.left], own[self.right]
        people = customers.where(
            F.col("customer_id").isin(one["customer_id"], other["customer_id"])
        ).select("record_id", "customer_id")
        customer = {row["record_id"]: row["customer_id"] for row in people.collect()}
        profiles = {
            row["record_id"]: row
            for row in records.join(F.broadcast(people), on="record_id", how="left_semi").collect()
        }
        left, right = profiles[self.left], profiles[self.right]
        among = links_among(people, edges)
        parted = _parted(one, other, read(tables, generation, "identity.review"))
        values = self._values(tables, left, right, records, edges, parted)
        model = Model.from_json(self.trained.text) if self.trained else None
        keys = _keys(tables, left, right, records, model) if model else []
        waterfall = scored = None
        if model and is_compared(left["profile"]) and is_compared(right["profile"]):
            waterfall, scored = self._scored(model, profiles, customer)
        is_one = one["customer_id"] == other["customer_id"]
        apart: Sequence[str] = ()
        if not is_one:
            apart = tuple(
                reasons(
                    is_one_component=one["component"] == other["component"],
                    links=among,
                    values=values,
                    keys=keys,
                    scored=scored,
                    is_comparable=model is not None,
                )
            )
        return PairExplanation(
            left=self.left,
            right=self.right,
            left_customer=one["customer_id"],
            right_customer=other["customer_id"],
            is_one_component=one["component"] == other["component"],
            generation=generation.generation,
            left_values=_said(left),
            right_values=_said(right),
            waterfall=waterfall,
            scored=scored,
            model=model.version if model else None,
            keys=keys,
            values=values,
            links=[link for link in among if link.ends == {self.left, self.right}],
            path=path(among, self.left, self.right) if is_one else (),
            decisions=[each for each in self.decisions if set(each.records) == set(own)],
            apart=apart,
        )

    def _own(self, customers: DataFrame) -> dict[str, Row]:
        rows = customers.where(F.col("record_id").isin(self.left, self.right)).collect()
        found = {row["record_id"]: row for row in rows}
        for record in (self.left, self.right):
            if record not in found:
                raise RecordUnknown(record)
        return found

    def _values(
        self,
        tables: Tables,
        left: Row,
        right: Row,
        records: DataFrame,
        edges: DataFrame,
        parted: str | None,
    ) -> list[SharedValue]:
        """The identifiers' values that both have, and what each led to; ``parted`` says why those
        that link do not hold the two together.
        """
        both = {(pair["name"], pair["value"]) for pair in left["identifiers"]}
        both &= {(pair["name"], pair["value"]) for pair in right["identifiers"]}
        shared = sorted(pair for pair in both if pair[0] in self.rules.identifiers)
        if not shared:
            return []
        wanted = tables.frame(shared, "identifier string, value string")
        members = links.members(records, self.rules, wanted)
        groups = links.value_groups(members, self.rules).collect()
        ends = members.where(F.col("record_id").isin(self.left, self.right)).collect()
        traits = {(row["identifier"], row["record_id"]): row["traits"] for row in ends}
        found = edges.where(F.col("link_key").isin([row["link_key"] for row in groups])).collect()
        return [
            self._shared(row, traits, links_of(edge for edge in found if _is_of(edge, row)), parted)
            for row in sorted(groups, key=lambda row: (row["identifier"], row["value"]))
        ]

    def _shared(
        self,
        group: Row,
        traits: Mapping[tuple[str, str], Sequence[str | None]],
        ties: list[Link],
        parted: str | None,
    ) -> SharedValue:
        name = group["identifier"]
        rule = self.rules.identifiers[name]
        compared = zip(
            rule.unless_differ, traits[name, self.left], traits[name, self.right], strict=True
        )
        is_linked = bool(path(ties, self.left, self.right))
        if parted and rule.strength == "unique":
            parted = CANNOT
        return SharedValue(
            identifier=name,
            value=group["value"],
            records=group["records"],
            most_records=rule.most_records,
            largest_cluster=self.rules.largest_cluster,
            is_tie=is_linked and parted is None,
            reason=parted if is_linked else group["reason"],
            differing=tuple(
                trait
                for trait, one, other in compared
                if one is not None and other is not None and not agree(trait, one, other)
            ),
        )

    def _scored(
        self, model: Model, profiles: Mapping[str, Row], customer: Mapping[str, str]
    ) -> tuple[Waterfall, Scored]:
        """The waterfall of the two, and the mean between the records of their customers."""
        compared = {record: row["profile"] for record, row in profiles.items()}
        ids = sorted(record for record in compared if is_compared(compared[record]))
        table = profile_table([compared[record] for record in ids], list(model.matching.columns))
        scorer = Scorer.of(model, table)
        at = {record: number for number, record in enumerate(ids)}
        pair = (_codes(at[self.left]), _codes(at[self.right]))
        (waterfall,) = waterfalls(scorer, *pair)
        whose = np.array([customer[record] for record in ids])
        sides = [np.flatnonzero(whose == customer[end]) for end in (self.left, self.right)]
        crossing = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2).astype(np.int32)
        crossing = crossing[crossing[:, 0] != crossing[:, 1]]
        scores = scorer.score(crossing[:, 0], crossing[:, 1])
        settings = model.matching.clustering
        return waterfall, Scored(
            probability=waterfall.probability,
            mean=float((scores.probabilities * scores.evidence).sum() / scores.evidence.sum()),
            edge=settings.edge,
            cut=settings.cut,
        )


def _keys(
    tables: Tables, left: Row, right: Row, records: DataFrame, model: Model
) -> list[SharedKey]:
    """The blocking keys that both have, in the order in which pairs are born."""
    both = sorted(set(left["keys"] or ()) & set(right["keys"] or ()))
    if not both:
        return []
    wanted = tables.frame([(key,) for key in both], "key bigint")
    held = matches.holders(records, wanted).groupBy("key").count().collect()
    count = {row["key"]: row["count"] for row in held}
    names, most = rule_names(model.matching), model.matching.blocking.most_records
    return [
        SharedKey(
            rule=names[(key >> 56) & 0xFF], records=count[key], is_admitted=count[key] <= most
        )
        for key in both
    ]


def _parted(one: Row, other: Row, review: DataFrame) -> str | None:
    """Why two records are apart whatever identifiers link them: TOO_LARGE, CANNOT, or None where
    they are not, as far as is known.
    """
    # A generation that an earlier release built does not know its link groups.
    groups = {row.asDict().get("link_group") for row in (one, other)}
    if one["component"] != other["component"] or None in groups or len(groups) == 1:
        return None
    large = (F.col("reason") == TOO_LARGE) & (
        F.col("link_key") == component_key(F.lit(one["component"]))
    )
    return CANNOT if review.where(large).isEmpty() else TOO_LARGE


def _is_of(edge: Row, group: Row) -> bool:
    return bool(edge["link_key"] == group["link_key"] and edge["identifier"] == group["identifier"])


def _said(record: Row) -> dict[str, str]:
    """What a record says of a person: what is compared, and its traits."""
    return {**(record["traits"] or {}), **(record["profile"] or {})}


def _codes(number: int) -> np.ndarray:
    return np.array([number], dtype=np.int32)
