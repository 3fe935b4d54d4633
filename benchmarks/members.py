"""A lake in which everybody is a member of one segment, made by Spark at once."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from benchmarks.homes import SEGMENT
from benchmarks.made_up import ADDRESS, NAME
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import MEMBERS, PUBLICATIONS, SIZES


def publish(tables: DeltaTables, number: int, as_of: date) -> None:
    """Publish so many known customers with their consents, all of them members on the day."""
    everybody = tables.spark.range(number).select(
        F.sha2(F.concat(F.lit("customer"), F.col("id")), 256).alias("customer_id"),
        F.sha2(F.col("id").cast("string"), 256).alias("_told"),
    )
    customers = everybody.select(
        "customer_id",
        F.lit(True).alias("is_known"),
        F.concat(_part(ADDRESS), F.lit("@example.com")).alias("email"),
        _part(NAME).alias("given_name"),
    )
    nowhere = F.lit(None).cast("string")
    # Whenever this runs, a consent of yesterday holds.
    yesterday = F.current_timestamp() - F.expr("INTERVAL 1 DAY")
    consents = everybody.select(
        "customer_id",
        F.lit("marketing").alias("purpose"),
        F.lit("email").alias("channel"),
        F.lit("granted").alias("status"),
        nowhere.alias("jurisdiction"),
        yesterday.alias("stated_at"),
        F.lit(None).cast("timestamp").alias("expires_at"),
    )
    contents = {
        "gold.customers": customers,
        "gold.consents": consents,
        "gold.metrics": tables.frame([], "customer_id STRING, orders BIGINT"),
    }
    versions = {name: tables.overwrite(name, rows) for name, rows in contents.items()}
    day = {"as_of": as_of}
    published = {"generation": 1, "tables": versions} | day
    tables.append("ops.publications", tables.frame([published], PUBLICATIONS.ddl))
    members = {"segment": SEGMENT, "generation": 1} | day
    tables.append("segments.members", _told(everybody, members, MEMBERS.ddl, tables))
    size = {"members": number, "content": str(number)} | members
    tables.append("segments.sizes", tables.frame([size], SIZES.ddl))


def _part(of: slice) -> Column:
    return F.substring("_told", of.start + 1, of.stop - of.start)


def _told(
    rows: DataFrame, constants: dict[str, object], ddl: str, tables: DeltaTables
) -> DataFrame:
    schema = tables.frame([], ddl).schema
    return rows.select(
        *(
            (F.lit(constants[f.name]) if f.name in constants else F.col(f.name))
            .cast(f.dataType)
            .alias(f.name)
            for f in schema
        )
    )
