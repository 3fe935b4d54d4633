"""Expressions are admitted by what they consist of, and mean to Spark what somebody typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.declarations.expressions import LONGEST, columns_of, lenient
from goldenlake.errors import ExpressionRefused


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("orders > 1 AND email IS NOT NULL", {"orders", "email"}),
        ("lower(trim(city)) LIKE 'lon%'", {"city"}),
        ("month(birth_on) BETWEEN 3 AND 5", {"birth_on"}),
        ("TRY_CAST(at AS TIMESTAMP)", {"at"}),
        ("array_contains(sources, 'crm')", {"sources"}),
        ("`on` >= DATE '2024-01-01'", {"on"}),
        ("CASE WHEN a THEN 1 ELSE b END", {"a", "b"}),
        ("datediff(MONTH, a, b) > 3", {"a", "b"}),
        ("a + INTERVAL 3 DAYS > b - INTERVAL '2' MONTH", {"a", "b"}),
    ],
)
def test_plain_expressions_are_admitted_with_their_columns(
    expression: str, columns: set[str]
) -> None:
    assert columns_of(expression) == columns
    assert columns_of(lenient(expression)) == columns


@pytest.mark.parametrize(
    "expression",
    [
        "java_method('java.lang.System', 'exit', 0)",
        "reflect('java.lang.System', 'exit', 0)",
        "read_files('/etc/passwd')",
        "input_file_name()",
        "(SELECT 1)",
        "a IN (SELECT b FROM c)",
        "EXISTS (SELECT 1)",
        "row_number() OVER (ORDER BY a)",
        "count(*)",
        "*",
        "a.b",
        "current_date()",
        "now()",
        "rand()",
        "uuid()",
        "a = 1; DROP TABLE gold.customers",
        "DROP TABLE gold.customers",
        "transform(a, x -> x)",
        "a = :parameter",
        "a = ${secret}",
        "a AS b",
        "DATEDIFF(`day, a, b) or (select 1) in (1`, a, b) > 3",
        r"DATEDIFF(`day, a, b) or reflect('\U0000006Aava.lang.System', 'getenv', 'K'`, a, b) > 3",
        "date_diff('x y', a, b)",
        "try_to_date(a)",
        "try_to_date((SELECT 1), 'd')",
        "a + INTERVAL '1' `DAY or (SELECT 1)`",
        "CAST(a AS `x) or (select 1`)",
        "",
        "a >",
        "(" * 500 + "a" + ")" * 500,
        "NOT " * 900 + "a",
        "a OR " * LONGEST + "a",
    ],
    ids=lambda text: text[:20],
)
def test_whatever_is_not_a_plain_expression_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionRefused):
        lenient(expression)


def test_what_spark_is_given_is_written_anew() -> None:
    assert lenient("a /* '; DROP */ =  b -- tail") == "a = b"
    assert lenient(r"a RLIKE '^\\d+\'s$'") == r"a RLIKE '^\\d+\'s$'"


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("'L''Aquila'", r"'L\'Aquila'"),
        ("''''", r"'\''"),
        ('"a""b"', "'a\"b'"),
        ("'a' 'b'", "CONCAT('a', 'b')"),
    ],
)
def test_a_doubled_quote_in_a_text_is_one(typed: str, written: str) -> None:
    assert lenient(typed) == written


@pytest.mark.parametrize(
    ("strict", "written"),
    [
        ("CAST(CAST(a AS DATE) AS TIMESTAMP)", "TRY_CAST(TRY_CAST(a AS DATE) AS TIMESTAMP)"),
        ("CAST(a / b AS INT)", "TRY_CAST(a / NULLIF(b, 0) AS INT)"),
        ("a / (b % c)", "a / NULLIF((b % NULLIF(c, 0)), 0)"),
        ("a * b + c - 1", "TRY_SUBTRACT(TRY_ADD(TRY_MULTIPLY(a, b), c), 1)"),
        ("a > -1", "TRY_CAST(a AS DECIMAL(38, 18)) > -1"),
        ("1 <> a", "1 <> TRY_CAST(a AS DECIMAL(38, 18))"),
        ("a IN (1, 2)", "TRY_CAST(a AS DECIMAL(38, 18)) IN (1, 2)"),
        ("a BETWEEN b AND 2", "TRY_CAST(a AS DECIMAL(38, 18)) BETWEEN b AND 2"),
        ("a = TRUE", "TRY_CAST(a AS BOOLEAN) = TRUE"),
        ("a < DATE '2026-01-01'", "TRY_CAST(a AS TIMESTAMP) < TRY_CAST('2026-01-01' AS DATE)"),
        ("a = '1' AND 1 < 2", "a = '1' AND 1 < 2"),
        ("to_date(a)", "TRY_CAST(a AS DATE)"),
        ("to_date(a, 'yyyy-MM-dd')", "TRY_TO_DATE(a, 'yyyy-MM-dd')"),
        ("to_date(a, 'd.M.y')", "TRY_TO_DATE(a, 'd.M.y')"),
        ("date_add(a, 1)", "DATE_ADD(TRY_CAST(a AS DATE), 1)"),
        ("trunc(a, 'MM')", "TRUNC(TRY_CAST(a AS DATE), 'MM')"),
        ("date_trunc('HOUR', a)", "DATE_TRUNC('HOUR', TRY_CAST(a AS TIMESTAMP))"),
        ("datediff(a, b)", "DATEDIFF(TRY_CAST(a AS DATE), TRY_CAST(b AS DATE))"),
        (
            "datediff(MINUTE, a, b)",
            "DATEDIFF(MINUTE, TRY_CAST(a AS TIMESTAMP), TRY_CAST(b AS TIMESTAMP))",
        ),
    ],
)
def test_whatever_can_fail_is_tried_wherever_it_stands(strict: str, written: str) -> None:
    assert lenient(strict) == written


def test_what_is_written_anew_means_to_spark_what_was_typed(spark):
    typed = [
        "'L''Aquila'", "''''", '"a""b"', "'a' 'b'", r"'\\d'",
        "to_date('2.1.2026', 'd.M.y')", "to_date('2026-01-02')", "date_sub('2026-01-02', 3)",
        "datediff(MINUTE, TIMESTAMP '2026-01-02 08:00:00', TIMESTAMP '2026-01-02 09:30:00')",
        "date_trunc('HOUR', '2026-01-02 08:30:00')", "trunc('2026-01-02', 'MM')",
        "cast(7 / 2 AS INT)",
    ]  # fmt: skip
    written = [lenient(each) for each in typed]
    row = spark.sql(f"SELECT array({_as_texts(typed)}), array({_as_texts(written)})").first()
    assert row[0] == row[1]
    assert row[0][0] == "L'Aquila"


@pytest.mark.parametrize(
    ("expression", "odd", "of"),
    [
        ("a >= 75000", "SW1A 1AA", "string"),
        ("a in (1, 2)", "one", "string"),
        ("a between 1 and 2", "one", "string"),
        ("a = true", "perhaps", "string"),
        ("a >= DATE '2026-01-01'", "soon", "string"),
        ("a * 2 > 1", "many", "string"),
        ("a + 1 > 1", str(2**63 - 1), "bigint"),
    ],
)
def test_one_odd_value_is_null_and_stops_no_night(spark, expression, odd, of):
    frame = spark.sql(f"SELECT CAST('{odd}' AS {of}) AS a")
    assert frame.selectExpr(lenient(expression)).first()[0] is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a >= 75000", "CAST(75000.4 AS DOUBLE)"),
        ("a >= 75000", "' 75000 '"),
        ("a = 9007199254740993", "9007199254740993L"),
        ("a > 0", "CAST(1e-12 AS DOUBLE)"),
        ("a = 0.1", "CAST(0.1 AS DOUBLE)"),
        ("a > DATE '2026-01-01'", "TIMESTAMP '2026-01-01 00:00:01'"),
        ("a <= DATE '2026-01-01'", "DATE '2026-01-01'"),
        ("a + INTERVAL '1' DAY = TIMESTAMP '2026-01-02'", "TIMESTAMP '2026-01-01'"),
        ("a + 1 = DATE '2026-01-02'", "DATE '2026-01-01'"),
        ("a = true", "true"),
    ],
)
def test_what_is_compared_is_what_it_was(spark, expression, value):
    assert spark.sql(f"SELECT {value} AS a").selectExpr(lenient(expression)).first()[0] is True


def _as_texts(expressions):
    return ", ".join(f"CAST({each} AS STRING)" for each in expressions)


@given(st.text(alphabet="day ,()`'\"\\abSELECT1x;-/*", max_size=30))
def test_what_is_written_anew_is_admitted_and_speaks_of_the_same_columns(unit: str) -> None:
    """Wherever text of somebody's can stand, quoted in one way or another."""
    for form in ("DATEDIFF({0}, a, b)", "CAST(a AS {0})", "a + INTERVAL '1' {0}", "{0} = a"):
        for quoted in (f"`{unit}`", f"'{unit}'", f'"{unit}"', unit):
            expression = form.format(quoted)
            try:
                written = lenient(expression)
            except ExpressionRefused:
                continue
            assert columns_of(written) == columns_of(expression)
