"""An export of a handful of people: its declaration, its night, and processes that die."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination
from goldenlake.ports import Tables
from goldenlake.schemas import MEMBERS, SIZES
from goldenlake.steps.activate import Activate
from goldenlake.steps.plan import PlanExport
from support.gold import Row, publish
from support.lake import lay

DAY = date(2024, 5, 31)
POLICY = ConsentPolicy.model_validate(
    {
        "purposes": {"marketing": {"description": "x"}},
        "channels": {"email": {"addresses": ["email"]}},
    }
)


def destination(**others: Any) -> Destination:
    """The newsletter of a CRM, with what a test says about it."""
    return Destination.model_validate(
        {
            "destination": "crm",
            "description": "x",
            "owner": "crm",
            "segments": ["readers"],
            "purpose": "marketing",
            "channel": "email",
            "key": "email",
            "fields": {
                "FNAME": "given_name",
                "country": {"attribute": "country", "overwrite_with_null": True},
                "orders": "orders",
            },
            "target": {"kind": "files", "place": "out"},
            **others,
        }
    )


def members_are(
    tables: Tables, as_of: date, segments: Mapping[str, Collection[str]], generation: int
) -> None:
    """Make these people the members of the day, by segment."""
    rows = [
        {"as_of": as_of, "segment": name, "customer_id": who, "generation": generation}
        for name, people in segments.items()
        for who in people
    ]
    of_day = f"as_of = '{as_of}'"
    lay(tables, "segments.members", rows, MEMBERS.ddl, instead_of=of_day)
    sizes = [
        {
            "as_of": as_of,
            "segment": name,
            "members": len(people),
            "generation": generation,
            "content": " ".join(sorted(people)),
        }
        for name, people in segments.items()
    ]
    lay(tables, "segments.sizes", sizes, SIZES.ddl, instead_of=of_day)


def night(
    tables: Tables,
    as_of: date,
    people: Sequence[Row],
    consents: Sequence[Row],
    members: Mapping[str, Collection[str]],
    **others: Sequence[Row],
) -> None:
    """Publish people who all are known, and make some of them members."""
    contents = {"gold.customers": people, "gold.consents": consents, **others}
    members_are(tables, as_of, members, publish(tables, as_of, contents))


def step(as_of: date = DAY, **others: Any) -> Activate:
    """The export of a day, which waits for nobody."""
    planned = ("destination", "consent", "now", "segments", "sources", "elsewhere")
    plans = {name: others.pop(name) for name in planned if name in others}
    planner = PlanExport(
        **{"destination": destination(), "consent": POLICY, "as_of": as_of, **plans}
    )
    return Activate(planner=planner, sleep=lambda _: None, **{"run_id": "run", **others})


def silent(message: str) -> None:
    """A progress that must never tell an address."""
    assert "@" not in message


class Killed(BaseException):
    """The process is gone: nothing that it would do afterwards happens."""


class Mortal:
    """Tables of a process that can be killed, at a write or from outside."""

    def __init__(self, tables: Tables, kill_at: tuple[int, str] | None = None) -> None:
        self._tables, self._kill_at = tables, kill_at
        self.is_dead, self._writes = False, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tables, name)
        if name not in ("append", "merge", "replace_slice", "overwrite", "delete"):
            return found

        def write(*args: Any, **kwargs: Any) -> Any:
            self._writes += 1
            self._die_if((self._writes, "before"))
            done = found(*args, **kwargs)
            self._die_if((self._writes, "after"))
            return done

        return write

    def _die_if(self, moment: tuple[int, str]) -> None:
        if self.is_dead or self._kill_at == moment:
            self.is_dead = True
            raise Killed
