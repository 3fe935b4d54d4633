import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.declarations.expressions import LONGEST, canonical, columns_of, lenient
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
    assert columns_of(canonical(expression)) == columns


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
        canonical(expression)


def test_what_spark_is_given_is_written_anew() -> None:
    assert canonical("a /* '; DROP */ =  1 -- tail") == "a = 1"
    assert canonical(r"a RLIKE '^\\d+\'s$'") == r"a RLIKE '^\\d+\'s$'"


@given(st.text(alphabet="day ,()`'\"\\abSELECT1x;-/*", max_size=30))
def test_what_is_written_anew_is_admitted_and_speaks_of_the_same_columns(unit: str) -> None:
    """Wherever text of somebody's can stand, quoted in one way or another."""
    for form in ("DATEDIFF({0}, a, b)", "CAST(a AS {0})", "a + INTERVAL '1' {0}", "{0} = a"):
        for quoted in (f"`{unit}`", f"'{unit}'", f'"{unit}"', unit):
            expression = form.format(quoted)
            try:
                written, softened = canonical(expression), lenient(expression)
            except ExpressionRefused:
                continue
            assert columns_of(written) == columns_of(expression)
            assert columns_of(softened) == columns_of(expression)
