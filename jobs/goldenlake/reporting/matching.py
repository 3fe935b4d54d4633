"""What matching could do and did, as tables for the terminal. Counts, shares and ids only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as Grid

from goldenlake.declarations.matching import Clustering
from goldenlake.errors import with_options
from goldenlake.identity.accuracy import Accuracy
from goldenlake.identity.matching.blocking import RuleReport
from goldenlake.identity.matching.charts import figures_of
from goldenlake.identity.matching.columns import ColumnFill
from goldenlake.identity.matching.em import Priors
from goldenlake.identity.matching.labelling import Estimate, Estimates
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.tuning import Outcome

_SIZES = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, 19), (20, 49), (50, None))


@dataclass(frozen=True, kw_only=True)
class IdentifierFill:
    """How full one declared identifier is, over all active records."""

    identifier: str
    records: int
    filled: int
    distinct: int
    most_frequent: int
    most_records: int
    """The declared cap: a value on more records links nobody."""


@dataclass(frozen=True, kw_only=True)
class MatchingProfile:
    """What there is to match by."""

    version: str
    records: int
    matchable: int
    columns: Sequence[ColumnFill]
    identifiers: Sequence[IdentifierFill]
    keys: Sequence[RuleReport]
    chosen: Sequence[str]
    """Rules that the declaration names; none: all are in use."""
    cap: int


@dataclass(frozen=True, kw_only=True)
class BlockingRecall:
    """How many true pairs of some records share a key."""

    records: int
    pairs: int
    recall: float


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Published customers against the truth."""

    generation: int
    accuracy: Accuracy
    truth_records: int
    sizes: Mapping[int, int]
    """Customers of each size, over all records."""
    blocking: BlockingRecall | None
    """None without a declaration or profiles."""
    mixed: Sequence[tuple[str, int, int, int]]
    """Customers of several persons: id, records, persons, wrong pairs."""
    divided: Sequence[tuple[str, int, int, int]]
    """Persons with several customers: id, records, customers, missed pairs."""


def profile_text(found: MatchingProfile) -> RenderableType:
    """Columns, identifiers and blocking rules."""
    columns = _grid("Columns", ("column", "as"), ("complete", "distinct", "most frequent"))
    for each in found.columns:
        columns.add_row(
            each.column,
            each.role,
            _percent(each.completeness),
            f"{each.distinct:,}",
            f"{each.most_frequent:,}",
        )
    numbers = ("complete", "distinct", "most frequent", "allowed")
    identifiers = _grid("Identifiers, over all active records", ("identifier",), numbers)
    for held in found.identifiers:
        over = held.most_frequent > held.most_records
        identifiers.add_row(
            held.identifier,
            _percent(held.filled / held.records if held.records else 0.0),
            f"{held.distinct:,}",
            _tinted(f"{held.most_frequent:,}", over),
            f"{held.most_records:,}",
        )
    keys = _grid(
        f"Blocking rules, blocks of at most {found.cap} records",
        ("rule", ""),
        ("keys", "pairs", "largest block", "blocks left out", "pairs left out"),
    )
    for rule in found.keys:
        is_used = not found.chosen or rule.rule in found.chosen
        keys.add_row(
            escape(rule.rule),
            "" if is_used else "not used",
            f"{rule.keys:,}",
            f"{rule.pairs:,}",
            f"{rule.largest:,}",
            f"{rule.blocks_left_out:,}",
            f"{rule.pairs_left_out:,}",
            style=None if is_used else "dim",
        )
    total = sum(rule.pairs for rule in found.keys)
    return Group(
        _of(found.version, found.records, found.matchable),
        columns,
        identifiers,
        keys,
        f"{total:,} pairs in all, each counted under the first rule that both records have. A pair "
        "that a rule leaves out may be found by a narrower one. Choose rules with blocking.rules, "
        "the limit with blocking.most_records, both in conf/identity/matching.yml.",
    )


def tuning_text(
    model: Model,
    declared: Clustering,
    records: int,
    matchable: int,
    found: Sequence[Outcome],
    *,
    options: str,
) -> RenderableType:
    """A row a threshold; the one in force is marked. ``options`` are those of the installation."""
    grid = _grid(
        "Thresholds",
        ("", "edge", "cut"),
        ("pairs", "clusters", "of several", "largest", "merges"),
    )
    own = model.matching.clustering
    again = "import MODEL.json" if model.comparisons else "train"
    for each in found:
        at = each.threshold
        is_own = (at.edge, at.cut) == (own.edge, own.cut)
        grid.add_row(
            "in force" if is_own else "",
            f"{at.edge:g}",
            f"{at.cut:g}",
            f"{each.pairs:,}",
            f"{each.clusters:,}",
            f"{each.several:,}",
            f"{each.largest:,}",
            f"{each.merges:,}",
            style="bold" if is_own else None,
        )
    said: list[RenderableType] = [
        _of(f"model {model.version}", records, matchable),
        grid,
        "pairs connect at the probability edge; clusters are joined while the mean probability "
        "between them is at least cut. merges: how many clusters fewer there are than groups that "
        "identifiers and stewards alone make. To set another, write clustering.edge and "
        "clustering.cut into conf/identity/matching.yml and run "
        + with_options(f"`goldenlake identity {again} --write`", options)
        + "; the next night resolves everything anew.",
    ]
    if (declared.edge, declared.cut) != (own.edge, own.cut):
        said.append(
            f"[yellow]conf/identity/matching.yml says edge {declared.edge:g} and cut "
            f"{declared.cut:g}: not in force until `{again} --write` is run again.[/yellow]"
        )
    return Group(*said)


def assessment_text(found: Assessment) -> RenderableType:
    """Accuracy, sizes, blocking, and the worst of both kinds of error."""
    of = found.accuracy
    figures = _grid(
        f"Generation {found.generation} against the truth", ("",), ("precision", "recall", "F1")
    )
    figures.add_row("pairs", *(f"{each:.4f}" for each in (of.precision, of.recall, of.f1)))
    figures.add_row("B³", *(f"{each:.4f}" for each in (of.b3_precision, of.b3_recall, of.b3_f1)))
    said: list[RenderableType] = [
        figures,
        (
            f"{of.records:,} of {found.truth_records:,} records of the truth are published: "
            f"{of.persons:,} persons, {of.customers:,} customers. Of {of.pairs_found:,} pairs "
            f"found {of.pairs_right:,} are right, of {of.pairs_true:,} true ones "
            f"{of.pairs_true - of.pairs_right:,} are missed."
        ),
    ]
    if found.blocking:
        said.append(
            f"blocking recall {found.blocking.recall:.4f}: the share of true pairs that share a "
            f"key, among {found.blocking.records:,} records with a profile "
            f"({found.blocking.pairs:,} pairs)."
        )
    sizes = _grid("Records in a customer", ("records",), ("customers",))
    for low, high in _SIZES:
        number = sum(n for size, n in found.sizes.items() if low <= size <= (high or size))
        if number:
            label = f"{low}" if low == high else f"{low}–{high}" if high else f"{low} and more"
            sizes.add_row(label, f"{number:,}")
    said.append(sizes)
    mixed = ("customer", "records", "persons", "wrong pairs")
    said += _worst("Customers of several persons, the worst", mixed, found.mixed)
    divided = ("person", "records", "customers", "missed pairs")
    said += _worst("Persons with several customers, the worst", divided, found.divided)
    return Group(*said)


def estimates_text(found: Estimates) -> RenderableType:
    """What labels tell of each stratum, and of all pairs."""
    grid = _grid("Labelled pairs", ("stratum",), ("pairs", "labels", "matches", "share", "95 %"))
    for each in found.strata:
        share = each.share
        grid.add_row(
            escape(each.name),
            f"{each.pairs:,}",
            f"{each.labels:,}",
            f"{each.matches:,}",
            f"{share.value:.3f}" if each.labels else "",
            f"{share.low:.3f}–{share.high:.3f}" if each.labels else "",
        )
    said: list[RenderableType] = [
        grid,
        f"precision {_interval(found.precision)}; recall {_interval(found.recall)}",
        (
            "Both are over the pairs that the sample was drawn from; a true pair that shares no "
            "key and no customer is in neither. Intervals of a stratum are Wilson's, those of the "
            "whole come from Jeffreys' posterior of all strata."
        ),
    ]
    if found.unlabelled:
        said.append(
            "[yellow]Not a label in: " + escape("; ".join(found.unlabelled)) + ". These pairs "
            "count in neither figure; label some of each.[/yellow]"
        )
    return Group(*said)


def model_text(model: Model, matchable: int) -> RenderableType:
    """What was learnt, in a few lines, and the trainer's doubts."""
    came = model.provenance
    said: list[RenderableType] = [
        _of(f"model {model.version}", came.records, matchable),
        (
            f"{came.expected_matches:,.0f} matches are expected, and "
            f"{came.expected_households:,.0f} pairs of one household, from "
            f"{came.blocked_pairs:,} pairs of blocking; {came.passes} passes, "
            f"{came.rounds} rounds in the last."
        ),
    ]
    said += _doubts(model) or ["[green]The trainer has no doubts.[/green]"]
    return Group(*said)


def import_text(model: Model, matchable: int) -> RenderableType:
    """What a model made with Splink says in our terms, and what it makes of the records."""
    grid = _grid(
        "Comparisons",
        ("comparison", "column", "level"),
        ("m", "u", "bits", "frequency counts"),
    )
    for declared, figures in zip(model.comparisons, figures_of(model), strict=True):
        begins = (escape(declared.name), declared.column)
        for level, figure in zip(declared.levels, figures.levels, strict=True):
            grid.add_row(
                *begins,
                escape(level.name),
                f"{figure.m:.4g}",
                f"{figure.u:.4g}",
                f"{figure.bits:+.2f}",
                f"{level.frequency:g}" if level.frequency else "",
            )
            begins = ("", "")
    came, matching = model.provenance, model.matching
    compared = {each.column for each in model.comparisons}
    keys = ", ".join(
        f"{column} as {role}" + ("" if column in compared else " (not compared)")
        for column, role in matching.columns.items()
    )
    said: list[RenderableType] = [
        _of(f"model {model.version}", came.records, matchable),
        grid,
        (
            f"prior: two records at random are one person's with a chance of {model.prior:.4g}, "
            f"{Priors.of(model.odds).match:+.2f} bits."
        ),
        (
            "Candidates come from the roles in conf/identity/matching.yml, not from Splink's "
            f"blocking rules: {keys}. Edge {matching.clustering.edge:g} and cut "
            f"{matching.clustering.cut:g} are from there, too."
        ),
        (
            f"{came.expected_matches:,.0f} matches are expected from {came.blocked_pairs:,} pairs "
            "of blocking."
        ),
    ]
    return Group(*said, *_doubts(model))


def _doubts(model: Model) -> list[RenderableType]:
    return [
        f"[yellow]{each.name}[/yellow] ({escape(each.subject)}): {escape(each.message)}"
        for each in model.provenance.findings
    ]


def _worst(
    title: str, columns: Sequence[str], rows: Sequence[tuple[str, int, int, int]]
) -> list[RenderableType]:
    if not rows:
        return []
    grid = _grid(title, columns[:1], columns[1:])
    for name, *counts in rows:
        grid.add_row(escape(name), *(f"{count:,}" for count in counts))
    return [grid]


def _grid(title: str, words: Sequence[str], numbers: Sequence[str]) -> Grid:
    grid = Grid(title=title, title_justify="left", box=SIMPLE_HEAD)
    for word in words:
        grid.add_column(word)
    for number in numbers:
        grid.add_column(number, justify="right")
    return grid


def _of(what: str, records: int, matchable: int) -> str:
    drawn = f"{records:,} profiles" if records == matchable else f"{records:,} of {matchable:,}"
    return f"{what}: {drawn}"


def _interval(of: Estimate) -> str:
    return f"{of.value:.4f} ({of.low:.4f}–{of.high:.4f})"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _tinted(text: str, is_bad: bool) -> str:
    return f"[red]{text}[/red]" if is_bad else text
