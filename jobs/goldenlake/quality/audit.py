"""The audit: Great Expectations judges whole tables before they are published."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldenlake.declarations.rules import TableRule, rule_name
from goldenlake.declarations.table import Table
from goldenlake.ports import Progress
from goldenlake.quality.docs import write_docs
from goldenlake.quality.suites import expectation_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Counts, but no example of a broken value: those would be personal, and end in the Data Docs.
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What Great Expectations found about one rule; never a value of a row."""

    table: str
    rule: str
    severity: str
    passed: bool
    reason: str
    broken: int | None = None
    """Rows that break the rule; None where rows are not what it judges."""
    observed: float | None = None
    """What was seen where the rule is about the table: its rows."""
    error: str = ""
    """Class of the error where the rule could not be judged, which counts as broken."""

    @property
    def stops(self) -> bool:
        """Whether this forbids the publication."""
        return not self.passed and self.severity == "critical"

    def __str__(self) -> str:
        if self.error:
            found = f"cannot be judged ({self.error})"
        elif self.broken is not None:
            found = f"{self.broken} rows break it"
        else:
            found = f"found {self.observed:.0f}" if self.observed is not None else "broken"
        return f"{self.table}: {self.rule}: {found}. {self.reason}"

    def as_detail(self) -> dict[str, Any]:
        """For the run's row and the report."""
        return asdict(self)


def audit(
    frames: Iterable[tuple[Table, DataFrame]], *, docs: Path | None, progress: Progress
) -> list[Verdict]:
    """Judge every table by its rules; gives one verdict a rule, in the order of the rules.

    ``docs`` is a folder that becomes the Data Docs of this audit, and of no other. One table is
    judged after the other: GX keeps the one it looks at under a name that is shared by the
    session. Nothing is cached, and no row leaves Spark.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx  # 11 s: only here

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    lake = context.data_sources.add_spark(name="lake", persist=False)
    verdicts: list[Verdict] = []
    for table, frame in frames:
        if not table.rules:
            continue
        expectations = [expectation_of(rule) for rule in table.rules]
        for place, expectation in enumerate(expectations):
            expectation["meta"]["place"] = place
        suite = context.suites.add(gx.ExpectationSuite(name=table.table, expectations=expectations))
        whole = lake.add_dataframe_asset(table.table).add_batch_definition_whole_dataframe("all")
        validation: Any = context.validation_definitions.add(
            gx.ValidationDefinition(name=table.table, data=whole, suite=suite)
        )
        result = validation.run(batch_parameters={"dataframe": frame}, result_format=RESULT_FORMAT)
        found = {
            each.expectation_config.meta["place"]: each.to_json_dict() for each in result.results
        }
        verdicts += [
            _verdict(table, rule, found.get(place, {})) for place, rule in enumerate(table.rules)
        ]
        broken = sum(not each.passed for each in verdicts if each.table == table.table)
        progress(f"audit {table.table}: {len(table.rules) - broken} of {len(table.rules)} rules")
    if docs is not None:
        write_docs(context, docs)
    return verdicts


def _verdict(table: Table, rule: TableRule, found: dict[str, Any]) -> Verdict:
    result = found.get("result") or {}
    error = _error_of(found.get("exception_info") or {}) if found else "no result"
    passed = bool(found.get("success")) and not error
    broken, observed = result.get("unexpected_count"), result.get("observed_value")
    if rule.rule == "holds":
        broken, observed = observed, None
    return Verdict(
        table=table.table,
        rule=rule_name(rule),
        severity=rule.severity,
        passed=passed,
        reason=rule.reason,
        broken=int(broken) if broken is not None else None,
        observed=float(observed) if isinstance(observed, int | float) else None,
        error="" if passed else error,
    )


def _error_of(info: dict[str, Any]) -> str:
    """Kind of the error, never its message: Spark quotes values in some."""
    parts: Sequence[Any] = [info] if "raised_exception" in info else list(info.values())
    for part in parts:
        if isinstance(part, dict) and part.get("raised_exception"):
            text = str(part.get("exception_message") or "error")
            return text.split(":")[0].split("(")[0].split()[0][:60] if text.strip() else "error"
    return ""
