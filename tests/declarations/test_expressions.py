import pytest

from goldenlake.declarations.expressions import LONGEST, canonical, columns_of
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
