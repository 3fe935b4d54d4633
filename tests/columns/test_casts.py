"""Text to types: what is read, and what is refused rather than guessed."""

from __future__ import annotations

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from goldenlake.columns.casts import SPARK_TYPES, cast_text

BERLIN = "Europe/Berlin"
#: (type, options) and what becomes of each text, as Spark writes it.
READ: list[tuple[str, dict[str, object], dict[str, str | None]]] = [
    (
        "integer",
        {},
        {
            "17850": "17850", "17850.0": "17850", " +4 ": "4", "-3.": "-3", "007": "7",
            "1E5": None, "1.5": None, "12a": None, "99999999999999999999": None,
            "12\x00": None, "\x0b12": None, "12\x1f": None,
        },
    ),
    (
        "integer",
        {"decimal_comma": True},
        {"17": "17", "17,0": "17", "-3,": "-3", "1.000": None, "-1.000": None, "1.0": None,
         "1.234": None, "1,5": None},
    ),
    (
        "decimal",
        {"decimal_comma": True},
        {
            "1,5": "1.5000", "-1.234,56": "-1234.5600", "1234,5": "1234.5000", "7": "7.0000",
            "1.5": None, "1.500": None, "12.34,5": None, "1,2,3": None,
        },
    ),
    (
        "decimal",
        {},
        {"2.5500000000000003": "2.5500", "1,5": None, "1,234.50": None, "1e40": None},
    ),
    (
        "double",
        {},
        {".5": "0.5", "-1e3": "-1000.0", "NaN": None, "Infinity": None, "1e400": None, "x": None},
    ),
    (
        "boolean",
        {},
        {"Yes": "true", "нет": "false", "1": "true", "0.0": "false", "NO": "false", "maybe": None},
    ),
    (
        "date",
        {},
        {
            "2024-02-29": "2024-02-29", "2024-02-30": None, "2023-02-29": None,
            "9999-12-31": "9999-12-31", "2024-05-01T23:30:00-05:00": "2024-05-01",
            "01/02/03": None, "20240501": None, "17850": None, "2024-5-1": None,
        },
    ),
    (
        "date",
        {"formats": ["dd/MM/yyyy", "yyyy-MM-dd"]},
        {"01/02/2003": "2003-02-01", "2003-02-01": "2003-02-01", "01/02/03": None,
         "30/02/2024": None, "02/13/2024": None},
    ),
    ("date", {"formats": ["dd/MM/yy"]}, {"01/02/03": "2003-02-01"}),
    (
        "date",
        {"formats": ["iso", "dd.MM.yyyy"]},
        {"2024-05-01T23:30:00-05:00": "2024-05-01", "1985-05-01T00:00:00+02:00": "1985-05-01",
         "01.05.1985": "1985-05-01", "1985-05-01": "1985-05-01", "1985-05-32": None,
         "1985-05-01 10:00:00+02": "1985-05-01", "1985-05-01 10:00:00 UTC": "1985-05-01",
         "1985-05-01Z": "1985-05-01", "1985-05-01 morning": None},
    ),
    ("date", {"formats": ["epoch"], "timezone": BERLIN}, {"1431900000": "2015-05-18", "x": None}),
    (
        "timestamp",
        {"timezone": BERLIN},
        {
            "2026-07-01 12:00": "2026-07-01 10:00:00",
            "2026-07-01T12:00:00Z": "2026-07-01 12:00:00",
            "2026-07-01T12:00:00+05:30": "2026-07-01 06:30:00",
            "2026-07-01 12:00:00,25": "2026-07-01 10:00:00.25",
            # The hour that daylight saving skips, and the hour that it repeats.
            "2026-03-29 02:30:00": "2026-03-29 01:30:00",
            "2026-10-25 02:30:00": "2026-10-25 00:30:00",
            "9999-12-31 23:00:00": "9999-12-31 22:00:00",
            "2026-02-30 10:00:00": None,
            "17850": None,
            "25:00": None,
        },
    ),
    (
        "timestamp",
        {"formats": ["dd/MMM/yyyy:HH:mm:ss Z", "dd.MM.yyyy HH:mm"], "timezone": BERLIN},
        {
            "17/May/2015:10:05:03 +0000": "2015-05-17 10:05:03",
            "17/May/2015:10:05:03 -0700": "2015-05-17 17:05:03",
            "01.07.2026 12:00": "2026-07-01 10:00:00",
            "2026-07-01 12:00": None,
        },
    ),
    (
        "timestamp",
        {"formats": ["epoch"], "timezone": BERLIN},
        {
            "1431857103": "2015-05-17 10:05:03", "1431857103.5": "2015-05-17 10:05:03.5",
            "-1": "1969-12-31 23:59:59", "1431857103000": None, "253402300800": None,
        },
    ),
]  # fmt: skip


def test_every_text_is_read_as_declared_or_not_at_all(spark: SparkSession) -> None:
    """All in one job: a cast is one column of one row a text."""
    found: list[Column] = [
        cast_text(F.lit(text), kind, **options).cast("string")  # type: ignore[arg-type]
        for kind, options, texts in READ
        for text in texts
    ]
    expected = [
        (kind, str(options), text, result)
        for kind, options, texts in READ
        for text, result in texts.items()
    ]
    [row] = spark.range(1).select(F.array(*found)).collect()
    got = [(*case[:3], result) for case, result in zip(expected, row[0], strict=True)]
    assert got == expected


@pytest.mark.parametrize("kind", sorted(SPARK_TYPES))
def test_a_cast_has_its_declared_type_and_leaves_null_alone(spark: SparkSession, kind: str) -> None:
    nothing = F.lit(None).cast("string")
    frame = spark.range(1).select(cast_text(nothing, kind).alias("value"))
    assert frame.schema["value"].dataType.simpleString() == SPARK_TYPES[kind]
