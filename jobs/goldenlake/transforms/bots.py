"""Automated traffic, recognised by its user agent."""

from __future__ import annotations

from functools import lru_cache

from crawlerdetect import CrawlerDetect
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct_flag


def with_is_bot(events: DataFrame, user_agent: str) -> DataFrame:
    """The events with ``is_bot``: false where the user agent is unknown or absent.

    Each user agent is judged once in the whole frame, since its test is some 1,500 regular
    expressions long; the verdicts (a few thousand rows) are sent to the events. A filter on the
    verdicts would be moved below the aggregation, and judge the agent of every event.
    """
    agents = (
        events.select(F.col(user_agent).alias("_agent"))
        .where(F.col("_agent").isNotNull())
        .distinct()
        .select("_agent", over_distinct_flag(F.col("_agent"), is_crawler).alias("_is_crawler"))
    )
    joined = events.join(F.broadcast(agents), on=events[user_agent] == F.col("_agent"), how="left")
    return joined.withColumn("is_bot", F.coalesce("_is_crawler", F.lit(False))).drop(
        "_agent", "_is_crawler"
    )


def is_crawler(user_agent: str) -> bool:
    """Whether a program announces itself under this name."""
    return bool(_detector().is_crawler(user_agent))


@lru_cache(maxsize=1)
def _detector() -> CrawlerDetect:
    return CrawlerDetect()
