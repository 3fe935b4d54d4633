"""``conf/env/<name>.yml``: all that differs between a laptop, CI and a cluster."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, WithJsonSchema, model_validator

from goldenlake.declarations.base import Declaration, Duration, SecretReference, Slug
from goldenlake.declarations.connections import Connection
from goldenlake.declarations.schedules import Schedule


class FolderPlace(Declaration):
    """A folder that this machine sees, a network share included."""

    kind: Literal["folder"]
    path: str = Field(description="Relative paths start at the folder that holds conf/.")


class SftpPlace(Declaration):
    """A folder on an SFTP server; its host key must be known beforehand."""

    kind: Literal["sftp"]
    host: str
    port: int = Field(default=22, ge=1, le=65535)
    user: str
    path: str = "."
    private_key: SecretReference | None = None
    password: SecretReference | None = None
    known_hosts: str = Field(description="File with the server's host key; others are refused.")
    timeout: Duration = "1min"

    @model_validator(mode="after")
    def _is_let_in(self) -> Self:
        if self.private_key is None and self.password is None:
            raise ValueError("has neither private_key nor password: no server lets us in so")
        return self


class S3Place(Declaration):
    """A prefix in a bucket of S3 or of a store that speaks its protocol."""

    kind: Literal["s3"]
    bucket: str
    prefix: str = ""
    endpoint: str | None = Field(default=None, description="Leave out for AWS.")
    region: str = "us-east-1"
    access_key: SecretReference | None = Field(
        default=None, description="Leave out both keys to use the machine's own role."
    )
    secret_key: SecretReference | None = None
    timeout: Duration = "1min"

    @model_validator(mode="after")
    def _has_both_keys_or_none(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError(
                "has one of access_key and secret_key; name both, or neither to use the machine's "
                "own role"
            )
        return self


Place = Annotated[FolderPlace | SftpPlace | S3Place, Field(discriminator="kind")]


def _checked_memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[mMgGtT]", text):
        raise ValueError(f"is {text!r}, no amount of memory; write it like 512m or 3g")
    return text


Memory = Annotated[
    str,
    AfterValidator(_checked_memory),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]*[mMgGtT]$"}),
]
"""Memory of a Java process."""


class SparkSettings(Declaration):
    """How the Spark session is opened when no spark-submit decides it."""

    master: str = Field(
        default="local[*]",
        description="Where Spark runs; under spark-submit, and so in Airflow, the submit says it.",
    )
    memory: Memory = Field(
        default="3g", description="Of the driver; on local[*] it is all there is."
    )
    shuffle_partitions: int = Field(
        default=4,
        ge=1,
        description="Pieces into which rows are dealt out within a query; few rows want few.",
    )
    fast_start: StrictBool = Field(
        default=True, description="Light JVM compilation: best below some ten minutes of work."
    )
    small_data: StrictBool = Field(
        default=False,
        description="For tables of some thousand rows: interpret plans instead of compiling them, "
        "no adaptive plans, new tables without deletion vectors. Half the work there, several "
        "times as much on millions of rows.",
    )
    conf: dict[str, str] = Field(
        default={},
        description="Further settings of Spark by their names; they win over those above. No "
        "secrets.",
    )


class BlastRadius(Declaration):
    """Beyond these shares of yesterday's customers, a generation is not published."""

    merged: float = Field(
        default=0.05, ge=0, le=1, description="Customers that are merged into others."
    )
    split: float = Field(
        default=0.02, ge=0, le=1, description="New customers that take records from one before."
    )
    moved: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Customers that live on and lose records to others that there were before.",
    )
    retired: float = Field(
        default=0.10,
        ge=0,
        le=1,
        description="Customers that are no more and live on in no other: their records are gone.",
    )
    largest_customer: int = Field(
        default=1_000,
        ge=2,
        description="Nor is it while a customer of more records than this is new or has grown.",
    )
    least_customers: int = Field(
        default=200, ge=0, description="Below this many customers the shares mean nothing."
    )


class Night(Declaration):
    """How the nightly graph is run."""

    parallel_sources: int = Field(
        default=2,
        ge=1,
        description="Sources that one process collects side by side, and Airflow's tasks at once.",
    )
    parallel_destinations: int = Field(
        default=2, ge=1, description="Exports that one process makes side by side."
    )
    collect_by: Literal["source", "system", "all"] = Field(
        default="source", description="One Airflow task a source, one a system, or one for all."
    )
    settle: Duration = Field(
        default="1min", description="A file younger than this may still be growing: left alone."
    )
    schedule: Schedule = Field(
        default="0 1 * * *", description="Cron line of the nightly DAG, UTC."
    )


class Retention(Declaration):
    """How long old versions, files and events are kept by maintenance."""

    generations: int = Field(
        default=14,
        ge=1,
        description="Publications that can still be read and returned to; those of maintenance and "
        "of rollback count, too.",
    )
    table_history: Duration = Field(
        default="14d",
        description="How far back old versions of tables go, where no generation that is kept "
        "needs them longer; a week at least. Days of segments are kept as long.",
    )
    runs: Duration = Field(
        default="400d", description="How long rows of ops.runs and activation.held_back are kept."
    )
    classes: dict[Literal["pseudonym", "contact", "sensitive"], Duration] = Field(
        default={},
        description="How long events are kept that have a column of this personal class, unless "
        "their source says otherwise; the shortest counts.",
    )


class Privacy(Declaration):
    """What forgetting people needs."""

    key: SecretReference | None = Field(
        default=None,
        description="Secret of at least 16 characters by which pseudonyms are made of those who "
        "were forgotten. Without it nobody can be, and a lake in which somebody was takes no new "
        "records. Keep it for good: another one would not know them again.",
    )


class Environment(Declaration):
    """Everything that differs between environments; secrets only by reference."""

    lake: str = Field(description="URI or path of the lake's root.")
    landing: str | None = Field(default=None, description="Defaults to <lake>/landing.")
    reports: str = "var/reports"
    places: dict[Slug, Place] = Field(default={})
    connections: dict[Slug, Connection] = Field(default={})
    spark: SparkSettings = SparkSettings()
    night: Night = Night()
    blast_radius: BlastRadius = BlastRadius()
    retention: Retention = Retention()
    privacy: Privacy = Privacy()
