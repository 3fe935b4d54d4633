"""Each golden table of a build: what is computed, and what is written of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.groups import Group
from goldenlake.declarations.source import Source
from goldenlake.identity import groups as belonging
from goldenlake.identity.links import is_blocked, keyed
from goldenlake.steps.generations import Generation, Stage
from goldenlake.steps.golden_build import KEYS, Build, Written, names_of
from goldenlake.steps.refusals import naming_nobody, refusals, untied
from goldenlake.transforms.campaigns import campaign_results
from goldenlake.transforms.conforming import as_declared
from goldenlake.transforms.golden_changes import difference, shaped
from goldenlake.transforms.golden_consents import COLUMNS as CONSENTS
from goldenlake.transforms.golden_consents import (
    latest_consents,
    statements_of,
    union_of,
)
from goldenlake.transforms.golden_customers import golden_customers
from goldenlake.transforms.golden_events import last_state
from goldenlake.transforms.golden_history import OVERTAKEN, history_changes
from goldenlake.transforms.golden_identifiers import golden_identifiers, identifier_values
from goldenlake.transforms.golden_interactions import interactions_of
from goldenlake.transforms.golden_metrics import golden_metrics
from goldenlake.transforms.golden_purchases import purchases_of
from goldenlake.transforms.golden_sources import golden_sources
from goldenlake.transforms.segments import follow_merges
from goldenlake.transforms.survivorship import observations, survivors

Writer = Callable[[Build], dict[str, Written]]


def customers(build: Build) -> dict[str, Written]:
    """gold.customers, and gold.customers_history after it."""
    attributes = build.declared["gold.customers"].attributes
    observed = [
        observations(build.of_members(silver), source, attributes)
        for source in build.sources
        if source.attributes and (silver := build.silver(source)) is not None
    ]
    owners = build.owners(build.members)
    survived = (
        survivors(union_of(observed).join(owners, "record_id", how="inner"), attributes)
        if observed
        else build.empty("gold.customers").select(
            "customer_id", *names_of(attributes), "provenance"
        )
    )
    profiles = [source.source for source in build.sources if source.is_profile]
    customers = shaped(
        golden_customers(
            build.members, survived, attributes, profiles=profiles, naming=build.naming
        ),
        build.declared["gold.customers"],
    )
    customers = build.cache(customers)
    old = build.of_touched(build.old("gold.customers"))
    return {
        "gold.customers": build.write("gold.customers", customers, old),
        "gold.customers_history": _write_history(build, customers, names_of(attributes)),
    }


def _write_history(build: Build, customers: DataFrame, names: Sequence[str]) -> Written:
    table = "gold.customers_history"
    old = build.tables.read_or_empty(table, _history_ddl(build))
    for name in names:
        if name not in old.columns:
            old = old.withColumn(name, F.lit(None).cast(customers.schema[name].dataType))
    changes = build.cache(
        history_changes(build.of_touched(old), customers, names, as_of=build.as_of)
    )
    written = changes.count()
    if written or not build.tables.exists(table):
        on = ("customer_id", "valid_from")
        build.tables.merge(table, changes, on=on, delete_when=OVERTAKEN)
    return Written(written=written)


def _history_ddl(build: Build) -> str:
    attributes = build.declared["gold.customers"].attributes
    columns = [("customer_id", "STRING"), *((each.name, each.type) for each in attributes)]
    columns += [("valid_from", "DATE"), ("valid_to", "DATE")]
    return ", ".join(f"{name} {type_}" for name, type_ in columns)


def sources_of_customers(build: Build) -> dict[str, Written]:
    """gold.sources."""
    old = build.of_touched(build.old("gold.sources"))
    return {"gold.sources": build.write("gold.sources", golden_sources(build.members), old)}


def identifiers(build: Build) -> dict[str, Written]:
    """gold.identifiers; also of customers whose values became, or ceased to be, too common."""
    table = "gold.identifiers"
    withheld = _withheld(build, build.identity)
    members, old = _bearing_what_changed(build, table, _withheld, withheld)
    values = keyed(identifier_values(members))
    # One that a single record bears is in no review.
    placeholders = values.where(_is_placeholder(build)).select("link_key")
    new = golden_identifiers(values, withheld.union(placeholders))
    return {table: build.write(table, new, old)}


def consents(build: Build) -> dict[str, Written]:
    """gold.consents: what records say, and what was refused that holds beyond its record."""
    table = "gold.consents"
    said = [
        statements_of(silver, source)
        for source in build.sources
        if source.consents and (silver := build.silver(source)) is not None
    ]
    if not said:
        return {table: build.write(table, build.empty(table), build.of_touched(build.old(table)))}
    members, old = build.members, build.of_touched(build.old(table))
    refused = _refused(build, build.identity)
    if refused is not None:
        members, old = _bearing_what_changed(build, table, _refused, refused)
    stated = union_of(said).join(build.owners(members), "record_id", how="inner")
    if refused is not None:
        bearers = keyed(identifier_values(members)).select("link_key", "customer_id").distinct()
        by_value = refused.join(bearers, "link_key", how="inner").drop("link_key")
        stated = stated.unionByName(by_value)
    return {table: build.write(table, latest_consents(stated), old)}


def _refused(build: Build, at: Generation | Stage) -> DataFrame | None:
    """What ``refusals`` and ``untied`` give, by each value that names who said it: ``link_key`` and
    what ``statements_of`` gives; None as there.

    Values that are weak, blocked or on too many records name nobody, and are held back as the
    addresses that they are when it is planned who is sent to. A contested one does, so that among
    people who share it nobody is written to against a no.
    """
    columns = ["link_key", *(name for name in CONSENTS if name != "customer_id")]
    asked = build.tables, at, build.sources
    noes = refusals(*asked), untied(*asked, build.rules)
    found = [said for said in noes if said is not None]
    if not found:
        return None
    is_naming = F.col("identifier").isin(build.naming) & ~_is_placeholder(build)
    named = union_of(found).where(is_naming)
    nobodys = naming_nobody(build.tables, at)
    return build.cache(named.join(nobodys, "link_key", how="left_anti").select(*columns))


def _withheld(build: Build, at: Generation | Stage) -> DataFrame:
    """Values that link nobody, being blocked, contested or too common: (link_key)."""
    return build.read("identity.review", at).select("link_key")


def _is_placeholder(build: Build) -> Column:
    return is_blocked(F.col("identifier"), F.col("value"), build.rules)


def _bearing_what_changed(
    build: Build,
    table: str,
    told: Callable[[Build, Generation | Stage], DataFrame | None],
    now: DataFrame,
) -> tuple[DataFrame, DataFrame]:
    """Records, and old rows of a table, of touched customers and of who bears a value of which
    something else is told (by ``link_key``) ``now`` than when the base was built.
    """
    if not build.is_incremental or build.base is None:
        return build.members, build.old(table)
    before = told(build, build.base)
    differing = now
    if before is not None:
        differing = now.exceptAll(before).union(before.exceptAll(now))
    link_keys = build.cache(differing.select("link_key").distinct())
    if link_keys.isEmpty():
        return build.members, build.of_touched(build.old(table))
    bearers = build.cache(
        keyed(identifier_values(build.all_members))
        .join(link_keys, "link_key", how="left_semi")
        .select("customer_id")
        .union(build.touched)
        .distinct()
    )
    return (
        build.all_members.join(bearers, "customer_id", how="left_semi"),
        build.old(table).join(bearers, "customer_id", how="left_semi"),
    )


def interactions(build: Build) -> dict[str, Written]:
    """gold.interactions."""
    sources = [source for source in build.sources if source.interactions]
    return _events(build, "gold.interactions", sources, interactions_of)


def purchases(build: Build) -> dict[str, Written]:
    """gold.purchases."""
    sources = [source for source in build.sources if source.purchases]
    return _events(build, "gold.purchases", sources, purchases_of)


def _events(
    build: Build,
    table: str,
    sources: Sequence[Source],
    mapped: Callable[[DataFrame, Source], DataFrame],
) -> dict[str, Written]:
    owners = build.owners(build.read("identity.customers"))
    if not build.is_incremental or build.base is None:
        found = [
            mapped(silver, source)
            for source in sources
            if (silver := build.silver(source)) is not None
        ]
        events = (
            union_of(found).join(owners, "record_id", how="left") if found else build.empty(table)
        )
        return {table: build.write(table, events, build.old(table))}
    (key,), _ = KEYS[table]
    changed = _changed_events(build, key, sources, mapped)
    if changed is None and build.moved.isEmpty():
        return {table: Written()}
    old = build.old(table)
    moved = old.drop("customer_id").join(build.moved, "record_id", how="inner")
    if changed is None:
        return {table: build.merge(table, shaped(moved, build.declared[table]))}
    changed = build.cache(changed.join(owners, "record_id", how="left"))
    new = shaped(changed.where("_is_new"), build.declared[table])
    known = changed.where("NOT _is_new")
    if build.moved.isEmpty() and known.isEmpty():
        return {table: build.append(table, new)}
    present = shaped(known.where("source IS NOT NULL"), build.declared[table])
    before = old.join(known.select(key), key, how="left_semi")
    moved = moved.join(changed.select(key), key, how="left_anti")
    rows = new.unionByName(difference(present, before, on=[key])).unionByName(
        shaped(moved, build.declared[table])
    )
    return {table: build.merge(table, rows)}


def _changed_events(
    build: Build,
    key: str,
    sources: Sequence[Source],
    mapped: Callable[[DataFrame, Source], DataFrame],
) -> DataFrame | None:
    """Rows that changed in silver as they are now, with ``_is_new``; only the key: gone."""
    found = []
    for source in sources:
        table = f"silver.{source.source}"
        after = build.base.inputs.get(table) if build.base else None
        to = build.identity.inputs.get(table)
        if to is None or after == to:
            continue
        changes = as_declared(build.tables.changes(table, after=after, to=to), source)
        last = last_state(changes, source)
        ids = last.select(F.col("_event_id").alias(key), "_is_new")
        rows = mapped(last.where("NOT _is_gone"), source)
        found.append(ids.join(rows, key, how="left").where("source IS NOT NULL OR NOT _is_new"))
    return union_of(found) if found else None


def metrics(build: Build) -> dict[str, Written]:
    """gold.metrics, from the golden tables that are already written."""
    table = "gold.metrics"
    customers, interactions, purchases = (
        build.of_touched(build.tables.read(name))
        for name in ("gold.customers", "gold.interactions", "gold.purchases")
    )
    new = golden_metrics(customers, interactions, purchases)
    return {table: build.write(table, new, build.of_touched(build.old(table)))}


def members(build: Build, group: Group) -> dict[str, Written]:
    """A group's table, from gold.customers as it is written: of all customers, since one who
    moves in or out changes the rows of others; nothing where no customer changed.
    """
    table, customers = group.table, "gold.customers"
    base = build.base
    if build.is_incremental and base and base.tables[customers] == build.tables.version(customers):
        return {table: Written()}
    old = build.old(table)
    number = base.generation if base else 0
    history = build.read("identity.history")
    previous = follow_merges(old, history, after=number, to=number + 1)
    ties = build.cache(belonging.ties(build.tables.read(customers), group, build.rules))
    components = build.cache(belonging.components(ties))
    as_of = F.lit(build.as_of)
    new = belonging.members(ties, components, previous, group, base=number, as_of=as_of)
    return {table: build.write(table, new, old)}


def campaigns(build: Build) -> dict[str, Written]:
    """gold.campaigns, from the golden tables that are already written: whole, being small."""
    table = "gold.campaigns"
    if table not in build.declared:
        return {}
    old = build.old(table)
    if not build.tables.exists("activation.assignments"):
        return {table: build.write(table, build.empty(table), old)}
    to = (build.base.generation if build.base else 0) + 1
    assigned = follow_merges(
        build.tables.read("activation.assignments"),
        build.read("identity.history"),
        after=0,
        to=to,
    )
    new = campaign_results(
        assigned, build.tables.read("gold.interactions"), build.tables.read("gold.purchases")
    )
    return {table: build.write(table, new, old)}


def waves(groups: Sequence[Group]) -> Sequence[Sequence[Writer]]:
    """What may be written side by side, one wave after the other."""
    return (
        (interactions, customers, purchases, identifiers, consents, sources_of_customers),
        (metrics, *(partial(members, group=group) for group in groups), campaigns),
    )
