"""What customers did: every event condition of a night as one shared column of one aggregation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.expressions import columns_of, lenient
from goldenlake.declarations.segment import EventFilter, SequenceCondition
from goldenlake.errors import TableMissing
from goldenlake.transforms.segments.values import Day, comparable, unfit

INTERACTIONS, PURCHASES = "gold.interactions", "gold.purchases"
PURCHASE = "purchase"

_NO_STEPS = T.ArrayType(
    T.StructType([T.StructField("t", T.LongType()), T.StructField("m", T.IntegerType())])
)


@dataclass(kw_only=True)
class Behaviour:
    """Gathers what event conditions need to know of each customer, then finds it out at once.

    ``count`` and ``completed`` give columns of the frame that ``attach`` makes afterwards. Equal
    conditions share a column, whichever segments they stand in.
    """

    day: Day
    events: Mapping[str, DataFrame]
    """``gold.interactions`` and ``gold.purchases``; a table may lack if no condition asks it."""
    _measures: dict[str, dict[str, tuple[str, Column]]] = field(default_factory=dict)
    _kinds: set[str] = field(default_factory=set)
    _since: dict[str, list[date | None]] = field(default_factory=dict)

    def count(self, wanted: EventFilter, within: str | None, *, segment: str) -> Column:
        """How many such events lie in the window; never null, since no event means none."""
        happened = self._happened(wanted, within, segment=segment)
        key = _key("count", [wanted], within)
        return F.coalesce(self._measure(wanted, key, lambda: F.count_if(happened)), F.lit(0))

    def completed(self, wanted: SequenceCondition, *, segment: str) -> Column:
        """Whether some chain of such events happened and nothing undid it; never null.

        Each event is strictly later than the one before, by its instant: what arrived first does
        not matter. The last is at most ``gap`` after the first. ``not_followed_by`` spares a
        chain after whose last event there was none of that kind, up to the end of the day.

        Purchases of which the day alone is known are taken to be at its end in
        ``not_followed_by``, and in a sequence that ends with a purchase: in all of its steps, so
        that none of them follows itself, or another line of its order.
        """
        steps = _by_table(wanted.sequence)
        ends_with_purchase = wanted.sequence[-1].event == PURCHASE
        tracks, kinds = [], []
        for table, numbers in steps.items():
            first = wanted.sequence[numbers[0]]
            at = _latest_of(table) if ends_with_purchase else F.col("at")
            flags = [
                F.when(
                    self._happened(wanted.sequence[number], wanted.within, segment=segment, at=at),
                    F.lit(1 << number),
                ).otherwise(F.lit(0))
                for number in numbers
            ]
            mask = reduce(Column.__add__, flags)
            stamped = F.struct(F.unix_micros(at).alias("t"), mask.cast("int").alias("m"))
            key = _key(f"track {table}", wanted.sequence, wanted.within)
            track = self._measure(
                first,
                key,
                lambda mask=mask, stamped=stamped: F.collect_list(  # type: ignore[misc]
                    F.when((mask > 0) & F.col("at").isNotNull(), stamped)
                ),
            )
            tracks.append(F.coalesce(track, F.array().cast(_NO_STEPS)))
            kind = self._measure(
                first,
                _key(f"kinds {table}", wanted.sequence, wanted.within),
                lambda mask=mask: F.bit_or(mask),  # type: ignore[misc]
            )
            kinds.append(F.coalesce(kind, F.lit(0)))
        chain = _last_completion(F.array_sort(F.concat(*tracks)), len(wanted.sequence), wanted.gap)
        # To go through somebody's events in order is slow, and few did all of the steps.
        did_all = reduce(Column.bitwiseOR, kinds) == (1 << len(wanted.sequence)) - 1
        done = F.when(did_all, chain)
        if wanted.not_followed_by is None:
            return done.isNotNull()
        undone = wanted.not_followed_by
        at = _latest_of(_table_of(undone))
        happened = self._happened(undone, wanted.within, segment=segment, at=at)
        latest = self._measure(
            undone,
            _key("latest", [undone], wanted.within),
            lambda: F.max(F.when(happened, F.unix_micros(at))),
        )
        return done.isNotNull() & F.coalesce(latest <= done, F.lit(True))

    def attach(self, customers: DataFrame) -> DataFrame:
        """The customers with a column for everything asked so far: one aggregation a table."""
        for table, measures in self._measures.items():
            aggregated = (
                self._relevant(table)
                .groupBy("customer_id")
                .agg(*(column.alias(name) for name, column in measures.values()))
            )
            customers = customers.join(aggregated, "customer_id", how="left")
        return customers

    def _relevant(self, table: str) -> DataFrame:
        events = self._events(table).where(
            F.col("customer_id").isNotNull() & (F.col("on") <= F.lit(self.day.as_of))
        )
        since = self._since[table]
        if None not in since:
            events = events.where(F.col("on") >= F.lit(min(each for each in since if each)))
        if table == INTERACTIONS:
            events = events.where(F.col("kind").isin(sorted(self._kinds)))
        return events

    def _events(self, table: str) -> DataFrame:
        if table not in self.events:
            raise TableMissing(table, mend="A segment asks for events. Publish a generation first.")
        return self.events[table]

    def _measure(self, wanted: EventFilter, key: str, column: Callable[[], Column]) -> Column:
        measures = self._measures.setdefault(_table_of(wanted), {})
        if key not in measures:
            taken = sum(len(each) for each in self._measures.values())
            measures[key] = (f"_did_{taken}", column())
        return F.col(measures[key][0])

    def _happened(
        self, wanted: EventFilter, within: str | None, *, segment: str, at: Column | None = None
    ) -> Column:
        """Whether an event is one of those wanted; null tests count as failed. ``at``: its instant,
        if other than it stands.
        """
        table = _table_of(wanted)
        schema = self._events(table).schema
        types = {column.name: column.dataType for column in schema}
        key = f"event {wanted.event}"
        tests = [self._in_window(table, within, F.col("at") if at is None else at)]
        if table == INTERACTIONS:
            self._kinds.add(wanted.event)
            tests += [F.col("kind") == F.lit(wanted.event), ~_flag("is_bot")]
        else:
            tests.append(~_flag("is_cancellation"))
        for name, value in wanted.where.items():
            if name not in types:
                raise unfit(segment, key, f"{table} has no column {name!r}.")
            values = value if isinstance(value, list) else [value]
            column, literals = comparable(
                F.col(name), types[name], values, segment=segment, key=f"{key}: {name}"
            )
            tests.append(column.isin(literals))
        for name, allowed in wanted.properties.items():
            if "properties" not in types:
                raise unfit(segment, key, f"{table} has no properties.")
            named = allowed if isinstance(allowed, list) else [allowed]
            tests.append(F.col("properties")[F.lit(name)].isin(named))
        if wanted.matching:
            unknown = sorted(columns_of(wanted.matching) - set(types))
            if unknown:
                raise unfit(segment, key, f"{table} has no column {', '.join(unknown)}.")
            tests.append(F.expr(lenient(wanted.matching)))
        return F.coalesce(reduce(Column.__and__, tests), F.lit(False))

    def _in_window(self, table: str, within: str | None, at: Column) -> Column:
        """Whole days are judged by the event's day, shorter windows by its instant."""
        since = self._since.setdefault(table, [])
        if within is None:
            since.append(None)
            return F.col("on") <= F.lit(self.day.as_of)
        start = self.day.start(within)
        if parse_duration(within) % timedelta(days=1):
            since.append(start.date() - timedelta(days=1))
            return (at >= F.lit(start)) & (at < F.lit(self.day.end))
        since.append(start.date())
        return F.col("on") >= F.lit(start.date())


def _last_completion(steps: Column, length: int, gap: str | None) -> Column:
    """The instant (µs) at which a chain was last completed, or null; ``steps`` sorted by instant.

    A fold that keeps, for each prefix of the chain, the latest instant at which such a prefix
    could have begun: no other prefix can do better under a gap. ``b`` are those of earlier
    instants than the present one, ``c`` include it, so that one instant serves one step only.
    """
    prefixes = range(1, length)
    nothing = F.lit(None).cast("bigint")
    start = F.struct(
        F.lit(-(2**63)).cast("bigint").alias("t"),
        *(nothing.alias(f"b{k}") for k in prefixes),
        *(nothing.alias(f"c{k}") for k in prefixes),
        nothing.alias("d"),
    )

    def is_step(step: Column, number: int) -> Column:
        return step["m"].bitwiseAND(F.lit(1 << (number - 1))) > 0

    def advance(state: Column, step: Column) -> Column:
        is_later = step["t"] > state["t"]
        before = {k: F.when(is_later, state[f"c{k}"]).otherwise(state[f"b{k}"]) for k in prefixes}
        begun = {1: F.when(is_step(step, 1), step["t"]).otherwise(state["c1"])}
        for k in range(2, length):
            begun[k] = F.when(
                is_step(step, k), F.greatest(state[f"c{k}"], before[k - 1])
            ).otherwise(state[f"c{k}"])
        first = before[length - 1]
        completes = is_step(step, length) & first.isNotNull()
        if gap is not None:
            micros = parse_duration(gap) // timedelta(microseconds=1)
            completes = completes & (step["t"] - first <= F.lit(micros))
        return F.struct(
            step["t"].alias("t"),
            *(before[k].alias(f"b{k}") for k in prefixes),
            *(begun[k].alias(f"c{k}") for k in prefixes),
            F.when(completes, step["t"]).otherwise(state["d"]).alias("d"),
        )

    return F.aggregate(steps, start, advance, lambda state: state["d"])


def _latest_of(table: str) -> Column:
    """The last instant at which an event may have been: a purchase at midnight, UTC, is one of
    which the day alone is known.
    """
    at = F.col("at")
    if table != PURCHASES:
        return at
    day = timedelta(days=1) // timedelta(microseconds=1)
    micros = F.unix_micros(at)
    return F.when(micros % day == 0, F.timestamp_micros(micros + (day - 1))).otherwise(at)


def _table_of(wanted: EventFilter) -> str:
    return PURCHASES if wanted.event == PURCHASE else INTERACTIONS


def _by_table(wanted: list[EventFilter]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, each in enumerate(wanted):
        numbers.setdefault(_table_of(each), []).append(number)
    return numbers


def _flag(name: str) -> Column:
    return F.coalesce(F.col(name), F.lit(False))


def _key(measure: str, wanted: list[EventFilter], within: str | None) -> str:
    filters = [
        {
            "event": each.event,
            "where": each.where,
            "properties": each.properties,
            "matching": lenient(each.matching) if each.matching else None,
        }
        for each in wanted
    ]
    return json.dumps([measure, filters, within], sort_keys=True)
