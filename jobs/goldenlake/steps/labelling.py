"""A sample of pairs for people to label, and what their labels tell of the published customers."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from goldenlake.columns.spreadsheets import guarded
from goldenlake.errors import TruthUnfit
from goldenlake.identity.matching.arrays import Codes
from goldenlake.identity.matching.clustering import pairs_within
from goldenlake.identity.matching.em import probability
from goldenlake.identity.matching.labelling import Estimates, Labelled, drawn, estimated
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.resolution import blocked
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.ports import Progress, Tables
from goldenlake.reporting.private import write_private
from goldenlake.steps.generations import read
from goldenlake.steps.profiles import IdentityState, ProfileSample, read_profiles
from goldenlake.steps.reading import generation_of
from goldenlake.steps.tuning import labels

LEAST_BITS = -20.0
"""Pairs of less weight are not drawn, unless they are one customer: a match among them would be a
wonder, and there are too many of them."""

LABEL = "label"
_KNOWN = ("left_record", "right_record", "weight", "probability", "is_one_customer", "stratum")
_PAIRS = "stratum_pairs"
_LABELS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "y", "yes", "true", "match"), True),
    **dict.fromkeys(("0", "n", "no", "false", "no match"), False),
}


@dataclass(frozen=True, kw_only=True)
class DrawClericalSample:
    """Pairs by match weight, with ids alone; with ``with_values`` what is compared stands beside.

    Drawn from the pairs of blocking and of the published customers, among the profiles in the
    sample of training. The same lake, model and seed give the same file.
    """

    model: Model
    out: Path
    wanted: int
    seed: int
    with_values: bool = False

    def run(self, tables: Tables, progress: Progress) -> int:
        """Write the file as CSV, for its owner alone; gives the number of pairs. Raises
        ProfilesMissing.
        """
        generation = generation_of(tables)
        sample = read_profiles(IdentityState.of(tables), self.model.matching, progress)
        customer = labels(
            sample,
            read(tables, generation, "identity.customers").select("record_id", "customer_id"),
        )
        scorer = Scorer.of(self.model, sample.table)
        left, right = _looked_at(scorer, customer)
        weights = scorer.score(left, right).weights
        joined = customer[left] == customer[right]
        kept = np.flatnonzero(joined | (weights >= LEAST_BITS))
        chosen = drawn(weights[kept], joined[kept], self.wanted, self.seed)
        progress(f"{len(chosen.at):,} of {len(kept):,} pairs are drawn")
        ids = sample.table["record_id"].to_pylist()
        at = kept[chosen.at].tolist()
        rows = [
            {
                "left_record": ids[left[pair]],
                "right_record": ids[right[pair]],
                "weight": f"{weights[pair]:.2f}",
                "probability": f"{probability(weights[pair : pair + 1])[0]:.4f}",
                "is_one_customer": int(joined[pair]),
                "stratum": stratum.name,
                _PAIRS: stratum.pairs,
                LABEL: "",
            }
            | self._values(sample, int(left[pair]), int(right[pair]))
            for pair, stratum in zip(at, chosen.strata, strict=True)
        ]
        written = io.StringIO(newline="")
        writer = csv.DictWriter(written, [*_KNOWN, _PAIRS, LABEL, *self._value_columns])
        writer.writeheader()
        writer.writerows(rows)
        write_private(self.out, written.getvalue().encode())
        return len(rows)

    @property
    def _value_columns(self) -> list[str]:
        columns = self.model.matching.columns if self.with_values else ()
        return [f"{side}_{column}" for column in columns for side in ("left", "right")]

    def _values(self, sample: ProfileSample, left: int, right: int) -> dict[str, object]:
        columns = self.model.matching.columns if self.with_values else ()
        return {
            f"{side}_{column}": guarded(sample.table[column][at].as_py() or "")
            for column in columns
            for side, at in (("left", left), ("right", right))
        }


def _looked_at(scorer: Scorer, customer: Codes) -> tuple[Codes, Codes]:
    """The pairs of blocking and those within customers, each once."""
    pairs = blocked(scorer)
    one, other = pairs_within(customer)
    both = np.concatenate([pairs.left, one]).astype(np.int64), np.concatenate([pairs.right, other])
    keys = np.unique(np.minimum(*both) * scorer.records.count + np.maximum(*both))
    count = max(scorer.records.count, 1)
    return (keys // count).astype(np.int32), (keys % count).astype(np.int32)


@dataclass
class _Tally:
    pairs: int
    is_joined: bool
    labels: int = 0
    matches: int = 0


@dataclass(frozen=True, kw_only=True)
class ReadLabels:
    """Estimates from a clerical sample whose ``label`` has been filled in, for some or all pairs.

    Which pairs are one customer is taken from the file: the estimates are of the customers as they
    were when it was drawn.
    """

    labels: Path
    seed: int = 1

    def run(self) -> Estimates:
        """Raises TruthUnfit."""
        tallies: dict[str, _Tally] = {}
        for number, row in enumerate(self._rows(), start=2):
            stratum = tallies.setdefault(
                row["stratum"], _Tally(self._count(row, number), row["is_one_customer"] == "1")
            )
            said = (row[LABEL] or "").strip().lower()
            if not said:
                continue
            if said not in _LABELS:
                raise self._unfit(number, f"the label is none of {', '.join(_LABELS)}")
            stratum.labels += 1
            stratum.matches += _LABELS[said]
        found = [
            Labelled(name, each.is_joined, each.pairs, each.labels, each.matches)
            for name, each in tallies.items()
        ]
        if not any(each.labels for each in found):
            raise TruthUnfit(
                file=str(self.labels),
                what="no pair has a label.",
                mend=f"Write 1 for one person and 0 for two into {LABEL}.",
            )
        return estimated(found, self.seed)

    def _rows(self) -> Sequence[dict[str, str]]:
        try:
            with self.labels.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                missing = {"stratum", "is_one_customer", _PAIRS, LABEL} - set(
                    reader.fieldnames or ()
                )
                rows = list(reader)
        except OSError as error:
            raise TruthUnfit(
                file=str(self.labels), what="it cannot be read.", mend="Correct the path."
            ) from error
        if missing:
            raise self._unfit(1, f"there is no column {', '.join(sorted(missing))}")
        return rows

    def _count(self, row: Mapping[str, str], number: int) -> int:
        if not (row[_PAIRS] or "").isdigit():
            raise self._unfit(number, f"{_PAIRS} is no number")
        return int(row[_PAIRS])

    def _unfit(self, line: int, what: str) -> TruthUnfit:
        return TruthUnfit(
            file=str(self.labels),
            what=f"line {line}: {what}.",
            mend="Fill in the file that `goldenlake identity evaluate --sample N --out FILE` "
            f"writes; only {LABEL} is yours.",
        )
