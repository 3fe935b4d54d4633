"""What a full snapshot changes in what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.transforms.newest import PLACED, TIES

_LAST_RECORD = 2**62
_PLACED = ("_file_on", "_place", "_file_id", "_record")
"""``TIES``, with the file's place among those about its day."""


@dataclass(frozen=True, kw_only=True)
class SnapshotState:
    """What is known about snapshots when new ones are applied."""

    seen: tuple[date, str] | None
    """Day and file of the newest snapshot that was applied before: every live row is in it."""
    newest: str | None
    """The file among the new rows that is newer than ``seen``; None where all are late."""
    keeps_missing: bool
    places: Mapping[str, int] = field(default_factory=dict)
    """Of files about a day that has several: which comes first, from 0. Ids alone tell no order."""


def changed_by_snapshot(
    known: DataFrame,
    arrived: DataFrame,
    *,
    key: Sequence[str],
    order: Sequence[str],
    state: SnapshotState,
) -> DataFrame:
    """Rows to insert or to put where the row with their key stands: those with ``_is_changed``.

    ``known`` is silver, ``arrived`` the rows of new snapshots, any number a key, both with
    silver's columns; ``arrived`` with ``_is_set_aside``, too: a row that was not accepted. Of it
    nothing but its key is known, so its record is there, and stays what it was. The newest other
    row of a key is kept whatever the order of arrival; ``_is_deleted`` says that the newest
    snapshot of all lacks the key, so late snapshots delete nothing and bring nothing back. Rows
    that stay as they are lack the mark: what has not changed must not look changed to whoever reads
    the change feed. ``_overtaken`` is what another row of the key took the place of, or kept out.
    """
    columns = known.columns
    placed = {"_place": _place(state)}
    known, arrived = known.withColumns(placed), arrived.withColumns(placed)
    order = [*(name for name in order if name not in PLACED), *_PLACED]
    newest = arrived.groupBy(*key).agg(
        F.max_by(F.struct(*known.columns), F.when(~F.col("_is_set_aside"), F.struct(*order))).alias(
            "_new"
        ),
        F.bool_or(F.col("_file_id") == F.lit(state.newest or "")).alias("_present"),
    )
    before = known.select(*key, F.struct(*known.columns).alias("_old"))
    joined = before.join(newest, on=list(key), how="full").where(
        "_old IS NOT NULL OR _new IS NOT NULL"
    )
    is_new, is_old = F.col("_old").isNull(), F.col("_new").isNull()
    content = [name for name in columns if name not in {*TIES, "_landed_on", "_run", "_is_deleted"}]
    same = _fields("_old", content).eqNullSafe(_fields("_new", content)) & ~is_old & ~is_new
    earlier = _fields("_new", _PLACED) < _fields("_old", _PLACED)
    newer = _fields("_new", order) >= _effective(order, state)
    takes = F.when(is_old, False).when(is_new, True).when(same, earlier).otherwise(newer)
    judged = joined.withColumns({"_takes": takes, "_gone": _gone(state)})
    differs = F.col("_takes") | ~F.col("_gone").eqNullSafe(F.col("_old._is_deleted"))
    winner = F.when(F.col("_takes"), F.col("_new")).otherwise(F.col("_old"))
    loser = F.when(F.col("_takes"), F.col("_old")).otherwise(F.col("_new"))
    is_other = _fields("_old", _PLACED) != _fields("_new", _PLACED)
    overtaken = F.when(
        ~is_old & ~is_new & ~same & is_other, F.struct(*(loser[name] for name in columns))
    )
    found = judged.select(
        winner.alias("_row"),
        "_gone",
        F.coalesce(differs, F.lit(False)).alias("_is_changed"),
        overtaken.alias("_overtaken"),
    )
    return found.where("_is_changed OR _overtaken IS NOT NULL").select(
        *(
            F.col("_gone").alias(name) if name == "_is_deleted" else F.col(f"_row.{name}")
            for name in columns
        ),
        "_is_changed",
        "_overtaken",
    )


def _place(state: SnapshotState) -> Column:
    if not state.places:
        return F.lit(0)
    known = F.create_map(*(F.lit(part) for pair in state.places.items() for part in pair))
    return F.coalesce(known[F.col("_file_id")], F.lit(0))


def _gone(state: SnapshotState) -> Column:
    if state.keeps_missing:
        return F.lit(False)
    if state.newest is not None:
        return ~F.coalesce(F.col("_present"), F.lit(False))
    # Late snapshots only: what they alone know is gone by now.
    return F.coalesce(F.col("_old._is_deleted"), F.lit(True))


def _effective(order: Sequence[str], state: SnapshotState) -> Column:
    """The order of the known row; a live one was seen again in the newest snapshot applied."""
    own = _fields("_old", _PLACED)
    if state.seen is not None and not state.keeps_missing:
        again = F.struct(
            F.lit(state.seen[0]).alias("_file_on"),
            F.lit(state.places.get(state.seen[1], 0)).alias("_place"),
            F.lit(state.seen[1]).alias("_file_id"),
            F.lit(_LAST_RECORD).cast("bigint").alias("_record"),
        )
        own = F.when(~F.col("_old._is_deleted"), F.greatest(own, again)).otherwise(own)
    leading = [F.col(f"_old.{name}") for name in order if name not in _PLACED]
    return F.struct(*leading, *(own[name] for name in _PLACED))


def _fields(of: str, names: Sequence[str]) -> Column:
    return F.struct(*(F.col(f"{of}.{name}") for name in names))
