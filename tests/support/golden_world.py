"""A small world for tests of the golden tables: two sources, and an owner for every record.

Identity is decided by the test, not by ``resolve``: what golden does with a membership must hold
for any membership. Silver is written as conform writes it: profiles by a merge, events by file.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F
from ruamel.yaml import YAML

from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table
from goldenlake.identity.links import link_key
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.schemas import GOLD_TABLES, SILVER_COLUMNS, SYSTEM_TABLES, conformed
from goldenlake.steps.generations import IDENTITY_TABLES, begin, publish, stage, staged
from goldenlake.steps.golden import Golden
from support import resolving

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2024, 3, 4)
NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)

_COMMON = {
    "description": "",
    "system": "test",
    "owner": "data",
    "origin": {"place": "drops", "files": "*"},
    "format": {"kind": "csv"},
}
CRM = Source.model_validate(
    _COMMON
    | {
        "source": "crm_contacts",
        "load": "snapshot",
        "key": ["id"],
        "columns": [
            {"name": "id"},
            {"name": "family_name"},
            {"name": "email"},
            {"name": "opt_in"},
            {"name": "stated_at", "type": "timestamp"},
        ],
        "identifiers": {"email": "email"},
        "attributes": {"family_name": "family_name", "email": "email"},
        "consents": [
            {
                "at": "stated_at",
                "constant_purpose": "marketing",
                "constant_channel": "email",
                "status": "opt_in",
                "statuses": {"yes": "granted", "no": "withdrawn"},
            }
        ],
    }
)
WEB = Source.model_validate(
    _COMMON
    | {
        "source": "web_events",
        "load": "append",
        "columns": [
            {"name": "at", "type": "timestamp"},
            {"name": "cookie"},
            {"name": "kind"},
            {"name": "item"},
            {"name": "price", "type": "decimal"},
            {"name": "visit"},
        ],
        "identifiers": {"cookie": "cookie"},
        "interactions": {
            "at": "at",
            "kind": "kind",
            "kinds": {"pv": "view"},
            "channel": "web",
            "item": "item",
            "session": "visit",
            "properties": ["visit"],
            "only": "kind <> 'buy'",
        },
        "purchases": {
            "at": "at",
            "order": "visit",
            "item": "item",
            "quantity": "price",
            "unit_price": "price",
            "constant_currency": "EUR",
            "channel": "web",
            "only": "kind = 'buy'",
        },
    }
)
SOURCES = [CRM, WEB]
HOUSEHOLDS = Group.model_validate(
    {
        "group": "households",
        "description": "",
        "owner": "data",
        "singular": "household",
        "prefix": "h",
        "rules": {"name_and_email": {"agree": ["family_name", "email"], "most_customers": 4}},
    }
)
GOLDEN = (*GOLD_TABLES, HOUSEHOLDS.table)
"""Every golden table that ``build`` makes."""
CRM_DDL = (
    "id STRING, family_name STRING, email STRING, opt_in STRING, stated_at TIMESTAMP, "
    f"{SILVER_COLUMNS}"
)
WEB_DDL = (
    "at TIMESTAMP, cookie STRING, kind STRING, item STRING, price DECIMAL(18,2), visit STRING, "
    f"{SILVER_COLUMNS}"
)


def declared_tables() -> dict[str, Table]:
    """The gold tables of ``conf/``, by name, and those of its groups."""
    read = YAML(typ="safe")
    tables = [
        Table.model_validate(read.load(path))
        for path in sorted((ROOT / "conf" / "tables").glob("gold.*.yml"))
    ]
    tables += [
        Group.model_validate(read.load(path)).contract
        for path in sorted((ROOT / "conf" / "groups").glob("*.yml"))
    ]
    return {table.table: table for table in tables}


def declared_identity() -> IdentityRules:
    """The identifiers of ``conf/``."""
    path = ROOT / "conf" / "identity" / "identifiers.yml"
    return IdentityRules.model_validate(YAML(typ="safe").load(path))


@dataclass
class World:
    """What silver holds and who owns which record; ``save`` writes it and stages identity."""

    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Customer by record id; records that are not alive are left out when it is saved."""
    too_common: set[tuple[str, str]] = field(default_factory=set)
    _saved_contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _saved_files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _published: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    history: list[tuple[Any, ...]] = field(default_factory=list)
    """(customer, event, other customer, generation)"""

    def contact(self, key: str, customer: str, **values: Any) -> None:
        before = self.contacts.get(key, {"at": NOON, "gone": False})
        self.contacts[key] = before | values
        self.owners[f"crm_contacts:{key}"] = customer

    def visit(self, file: str, cookie: str | None, kind: str = "pv", **values: Any) -> None:
        row = {"at": NOON, "item": "tea", "price": 3, "visit": "v1"} | values
        self.files.setdefault(file, []).append(row | {"cookie": cookie, "kind": kind})
        if cookie:
            self.owners.setdefault(f"web_events:{cookie}", f"c_{cookie}")

    def forget(self, file: str) -> None:
        """As if it had never come; silver is the caller's to put right."""
        del self.files[file], self._saved_files[file]

    def members(self) -> dict[str, str]:
        """Customer of every record that is alive."""
        cookies = {row["cookie"] for rows in self.files.values() for row in rows}
        return {
            record: owner
            for record, owner in self.owners.items()
            if (
                not self.contacts[key]["gone"]
                if (key := record.split(":")[1]) in self.contacts
                else key in cookies
            )
        }

    def _state(self) -> dict[str, tuple[Any, ...]]:
        """All that a record says, to see which ones changed."""
        said: dict[str, list[Any]] = {}
        for key, values in self.contacts.items():
            said[f"crm_contacts:{key}"] = [sorted(values.items())]
        for file, rows in sorted(self.files.items()):
            for place, row in enumerate(rows):
                said.setdefault(f"web_events:{row['cookie']}", []).append((file, place, row))
        members = self.members()
        return {record: (members.get(record), str(of)) for record, of in said.items()}

    def save(self, tables: DeltaTables, *, as_of: date = DAY) -> None:
        """Write silver's changes, and stage identity as resolve would."""
        self._save_silver(tables)
        base = begin(tables, IDENTITY_TABLES)
        before, now = (self._published if base else {}), self._state()
        spark = tables.spark
        touched = {
            owner
            for record in set(before) | set(now)
            if before.get(record) != now.get(record)
            for owner in (before.get(record, (None,))[0], now.get(record, (None,))[0])
            if owner
        }
        owners = self.members()
        rows = {
            "identity.records": [self._record(record) for record in sorted(owners)],
            "identity.customers": [
                {
                    "record_id": record,
                    "customer_id": owner,
                    "assigned_on": DAY,
                    "customer_since": DAY,
                }
                for record, owner in sorted(owners.items())
            ],
            "identity.touched": [
                {"customer_id": owner, "change": "membership"} for owner in sorted(touched)
            ],
            "identity.history": [
                {
                    "customer_id": owner,
                    "event": event,
                    "other_customer_id": other,
                    "as_of": as_of,
                    "generation": number,
                }
                for owner, event, other, number in self.history
            ],
        }
        for table, of in rows.items():
            tables.overwrite(table, spark.createDataFrame(of, SYSTEM_TABLES[table].ddl))
        review = spark.createDataFrame(sorted(self.too_common), "identifier STRING, value STRING")
        tables.overwrite(
            "identity.review",
            review.select(
                "identifier",
                link_key(F.col("identifier"), F.col("value")).alias("link_key"),
                F.lit("too_many_records").alias("reason"),
            ),
        )
        read = [name for source in SOURCES for name in conformed(source.source)]
        stage(
            tables,
            "resolve",
            names=IDENTITY_TABLES,
            as_of=as_of,
            run_id="test",
            base=base,
            inputs={name: at for name in read if (at := tables.version(name)) is not None},
            fingerprint=str(hash(str(now))),
            counts={},
        )
        self._next = now

    def published(self) -> None:
        """What was saved last is what the next build is compared with."""
        self._published = self._next

    def _record(self, record: str) -> dict[str, Any]:
        source, key = record.split(":")
        email = self.contacts[key].get("email") if source == "crm_contacts" else None
        pairs = {"email": email} if source == "crm_contacts" else {"cookie": key}
        return {
            "record_id": record,
            "source": source,
            "source_key": key if source == "crm_contacts" else None,
            "identifiers": [(name, value) for name, value in pairs.items() if value],
            "traits": {},
            "is_active": True,
            "first_seen_on": DAY,
        }

    def _save_silver(self, tables: DeltaTables) -> None:
        changed = {
            key: values
            for key, values in self.contacts.items()
            if self._saved_contacts.get(key) != values
        }
        if changed:
            rows = [
                (
                    key, of.get("family_name"), of.get("email"), of.get("opt_in"), of["at"],
                    f"crm_contacts:{key}", of["at"], DAY, "crm", 1, DAY, of["gone"], [], "",
                )
                for key, of in changed.items()
            ]  # fmt: skip
            frame = tables.spark.createDataFrame(rows, CRM_DDL)
            tables.merge("silver.crm_contacts", frame, on=["id"])
        files = {
            name: rows for name, rows in self.files.items() if self._saved_files.get(name) != rows
        }
        if files:
            rows = [
                (
                    of["at"], of["cookie"], of["kind"], of["item"],
                    Decimal(of["price"]), of["visit"],
                    f"web_events:{of['cookie']}" if of["cookie"] else None,
                    of["at"], DAY, name, place, DAY, False, [], "",
                )
                for name, rows in files.items()
                for place, of in enumerate(rows)
            ]  # fmt: skip
            frame = tables.spark.createDataFrame(rows, WEB_DDL)
            tables.replace_slice("silver.web_events", frame, where={"_file_id": sorted(files)})
        self._saved_contacts = {key: dict(of) for key, of in self.contacts.items()}
        self._saved_files = {name: [dict(row) for row in of] for name, of in self.files.items()}

    def as_new(self) -> World:
        """The same world, of which no lake has heard."""
        return World(
            contacts={key: dict(of) for key, of in self.contacts.items()},
            files={name: [dict(row) for row in of] for name, of in self.files.items()},
            owners=dict(self.owners),
            too_common=set(self.too_common),
        )

    def change(self, seed: int) -> None:
        """Something happens: new, changed, deleted and moved records, replaced files."""
        draw = random.Random(seed)
        customers = [f"c_{number}" for number in range(6)]
        for _ in range(4):
            self.contact(
                draw.choice("abcdefgh"),
                draw.choice(customers),
                family_name=draw.choice([None, "Hill", "Hall"]),
                email=draw.choice([None, "a@example.com", "b@example.com"]),
                opt_in=draw.choice([None, "yes", "no"]),
                at=NOON + timedelta(hours=draw.randint(0, 3)),
                gone=draw.random() < 0.2,
            )
        if draw.random() < 0.7 and self.files:
            self.files[draw.choice(sorted(self.files))] = []
        for _ in range(4):
            self.visit(
                f"file{draw.randint(0, 3)}",
                draw.choice([None, "k1", "k2", "k3"]),
                draw.choice(["pv", "cart", "buy"]),
                at=NOON + timedelta(hours=draw.randint(0, 3)),
                visit=draw.choice(["v1", "v2"]),
                price=draw.randint(1, 5),
            )
        for cookie in ("k1", "k2", "k3"):
            if draw.random() < 0.5:
                self.owners[f"web_events:{cookie}"] = draw.choice(customers)
        self.too_common = {
            pair for pair in (("email", "a@example.com"), ("cookie", "k1")) if draw.random() < 0.5
        }


def silent(_message: str) -> None:
    """A progress that says nothing."""


def build(
    tables: DeltaTables, *, as_of: date = DAY, groups: Sequence[Group] = (HOUSEHOLDS,)
) -> StepResult:
    """One run of the golden step over what is staged."""
    return golden(as_of, groups).run(tables, silent)


def golden(as_of: date = DAY, groups: Sequence[Group] = (HOUSEHOLDS,)) -> Golden:
    return Golden(
        sources=SOURCES,
        declared=declared_tables() | {group.table: group.contract for group in groups},
        rules=declared_identity(),
        groups=groups,
        as_of=as_of,
        run_id="test",
    )


def built(
    tables: DeltaTables, sources: Sequence[Source], rules: IdentityRules, day: date
) -> StepResult:
    """A night over what sources brought: resolved, built and published; gives what golden did."""
    resolving.resolve(tables, day, rules, {source.source: source for source in sources})
    step = Golden(
        sources=sources,
        declared=declared_tables(),
        rules=rules,
        groups=(),
        as_of=day,
        run_id="test",
    )
    done = step.run(tables, silent)
    stages = [found for name in ("resolve", "golden") if (found := staged(tables, name))]
    at = datetime.combine(day, time(2), UTC)
    publish(tables, stages, run_id="test", as_of=day, published_at=at)
    return done


def contents(tables: DeltaTables, table: str) -> list[str]:
    """All rows of the newest version, in an order that does not depend on how they lie."""
    return sorted(str(sorted(row.asDict(True).items())) for row in tables.read(table).collect())
