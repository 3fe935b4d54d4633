"""What all declarations share: closed, frozen models and the small types in them."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from goldenlake.declarations.expressions import lenient
from goldenlake.errors import ExpressionRefused, SecretMissing


class Declaration(BaseModel):
    """Base of everything under ``conf/``: unknown keys are errors, values never change."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


Slug = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,62}$")]
"""A name of ours: lower case letters, digits and underscores."""

ColumnName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,62}$")]

_DURATION = re.compile(r"\A(\d+)(min|h|d|w)\Z")
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """``30min``, ``24h``, ``90d`` or ``2w`` as a timedelta; ValueError for anything else."""
    found = _DURATION.match(text)
    if not found:
        raise ValueError("is not a duration; write it like 30min, 24h, 90d or 2w")
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError as error:
        raise ValueError("is longer than can be reckoned with") from error


def _checked_duration(text: str) -> str:
    parse_duration(text)
    return text


Duration = Annotated[
    str,
    AfterValidator(_checked_duration),
    Field(json_schema_extra={"pattern": r"^\d+(min|h|d|w)$"}),
]
"""A length of time such as ``30min``, ``24h``, ``90d`` or ``2w``."""


def _checked_days(text: str) -> str:
    if not (length := parse_duration(text)) or length % timedelta(days=1):
        raise ValueError("is not of whole days, one at least; write it like 7d or 2w")
    return text


Days = Annotated[Duration, AfterValidator(_checked_days)]
"""A length of time that is counted by days."""


def _checked_expression(text: str) -> str:
    try:
        lenient(text)
    except ExpressionRefused as error:
        raise ValueError(f"is not an admitted expression: {error.reason}") from error
    return text


Expression = Annotated[str, AfterValidator(_checked_expression)]
"""One SQL expression over columns: parsed, admitted, and never pasted into a statement."""


def _checked_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_checked_pattern)]
"""A regular expression that means the same in Python and in Java."""


def _checked_file_date(text: str) -> str:
    lacks = {"year", "month", "day"} - set(re.compile(_checked_pattern(text)).groupindex)
    if lacks:
        named = " and ".join(f"(?P<{group}>…)" for group in sorted(lacks))
        raise ValueError(f"has no {named}: every file would be of the day on which it came")
    return text


FileDate = Annotated[str, AfterValidator(_checked_file_date)]
"""A regular expression with the groups year, month and day."""


def _checked_delimiter(text: str) -> str:
    if text == r"\t":
        raise ValueError('is a backslash and a t; write a tab in double quotes, "\\t"')
    if len(text) != 1 or text in '\r\n\0"':
        raise ValueError("must be one character that ends no line and is no quote, such as ; or ,")
    return text


Delimiter = Annotated[
    str,
    AfterValidator(_checked_delimiter),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1}),
]
"""What stands between two fields of delimited text."""


def _checked_encoding(name: str) -> str:
    try:
        "a".encode(name)
        b"a\xff".decode(name, "replace")
    except (LookupError, ValueError) as error:
        raise ValueError(
            f"is {name!r}, no encoding that is known; write one such as utf-8, cp1252 or utf-16"
        ) from error
    return name


Encoding = Annotated[str, AfterValidator(_checked_encoding)]
"""An encoding of text, by a name that Python knows."""


def _checked_inside(path: str) -> str:
    parts = path.split("/")
    if not parts[0] or ".." in parts or "\\" in path:
        raise ValueError(
            "leads out of its place; write a path below it, without .., a backslash or a leading /"
        )
    return path


PathInside = Annotated[str, AfterValidator(_checked_inside)]
"""A path or glob below a place."""


def filled_in(text: str, known: set[str], *, hint: str = "") -> str:
    """Text with names in braces. Raises ValueError for a name that nothing fills in."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(f"is no text with names in braces: {error}") from error
    if unknown := names - known:
        listed = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise ValueError(f"has {{{min(unknown)}}}, which nothing fills in. Known: {listed}{hint}")
    return text


# https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html
_TIME_LETTERS = frozenset("GyMLdDQqEFahHkKmsSVzOXxZ")


def carries_offset(pattern: str) -> bool:
    """Whether times of this pattern of Spark say how far they are from UTC."""
    return bool(re.search(r"[VzOXxZ]", re.sub(r"'[^']*'", "", pattern)))


def _checked_time_format(text: str) -> str:
    if text in ("iso", "epoch"):
        return text
    letters = set(re.findall(r"[A-Za-z]", re.sub(r"'[^']*'", "", text)))
    unknown = sorted(letters - _TIME_LETTERS)
    if "%" in text:
        raise ValueError("is a pattern of C; write Spark's, such as dd.MM.yyyy HH:mm:ss")
    if unknown:
        mend = " (the year is y)" if "Y" in unknown else ""
        raise ValueError(f"has {', '.join(unknown)}, which Spark's patterns do not know{mend}")
    if {"D", "M"} <= letters:
        raise ValueError("has D, the day of the year; the day of the month is d")
    if not letters:
        raise ValueError("has no letter of Spark's patterns, such as dd.MM.yyyy")
    return text


TimeFormat = Annotated[str, AfterValidator(_checked_time_format)]
"""A date or time pattern of Spark, or ``iso``, or ``epoch``."""


class AirflowSecret(Declaration):
    """A field of an Airflow connection, as Airflow keeps it in ``AIRFLOW_CONN_<ID>``."""

    connection: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")
    field: str = Field(
        default="password", description="login, password, host, or a name in the extras."
    )

    def find(self) -> str | None:
        """The value, of a connection written as JSON or as an address."""
        text = os.environ.get(f"AIRFLOW_CONN_{self.connection.upper()}", "")
        if text.lstrip().startswith("{"):
            found = json.loads(text)
            extra = found.get("extra") or {}
            extra = json.loads(extra) if isinstance(extra, str) else extra
            value = found.get(self.field, extra.get(self.field))
        else:
            parts = urlsplit(text)
            plain = {"login": parts.username, "password": parts.password, "host": parts.hostname}
            extra = {name: values[0] for name, values in parse_qs(parts.query).items()}
            value = unquote(plain.get(self.field) or "") or extra.get(self.field)
        return None if value is None else str(value)

    def __str__(self) -> str:
        return f"{self.connection}.{self.field}"


class SecretReference(Declaration):
    """Where a secret is to be found; the secret itself never stands in a declaration."""

    env: str | None = Field(default=None, description="Name of an environment variable.")
    file: str | None = Field(default=None, description="Path of a file that holds only the secret.")
    airflow: AirflowSecret | None = None
    aws: str | None = Field(
        default=None, description="Name or ARN of a secret in AWS Secrets Manager."
    )

    def model_post_init(self, _context: Any) -> None:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError("name exactly one of env, file, airflow and aws")

    def __str__(self) -> str:
        return next(f"{where}:{value}" for where, value in self if value is not None)

    def reveal(self) -> str:
        """The secret. Raises SecretMissing; call it as late as possible and never log it."""
        try:
            value = self._find()
        except (ValueError, PermissionError) as error:
            # Told by its class alone: of a text that is not what it should be, it quotes some.
            why = f"cannot be read ({type(error).__name__})"
            raise SecretMissing(str(self), why=why) from None
        if not value:
            raise SecretMissing(str(self))
        return value

    def _find(self) -> str | None:
        if self.env is not None:
            return os.environ.get(self.env)
        if self.airflow is not None:
            return self.airflow.find()
        if self.aws is not None:
            import boto3

            found = boto3.client("secretsmanager").get_secret_value(SecretId=self.aws)
            return str(found.get("SecretString") or "")
        path = Path(str(self.file)).expanduser()
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None
