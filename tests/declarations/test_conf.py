"""What the repository itself declares under conf/."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from goldenlake.declarations.documents import read_document
from goldenlake.declarations.json_schema import schema_texts, write_schemas
from goldenlake.declarations.loader import check_conf, load_catalogue
from goldenlake.schemas import table_shape

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
FILES = sorted(CONF.rglob("*.yml"))


def test_our_own_declarations_have_no_problem_in_any_environment() -> None:
    assert [str(problem) for problem in check_conf(CONF)] == []


@pytest.mark.parametrize("environment", ["local", "production"])
def test_our_own_declarations_load(environment: str) -> None:
    catalogue = load_catalogue(CONF, environment=environment)

    assert len(catalogue.sources) == 13
    assert len(catalogue.tables) == 10
    assert len(catalogue.segments) >= 8
    assert len(catalogue.destinations) >= 3


def test_the_schemas_for_editors_are_those_of_the_models(tmp_path: Path) -> None:
    committed = {path.name: path.read_text() for path in (CONF / "schemas").glob("*.json")}

    assert committed == schema_texts(), "run `goldenlake schemas`"
    assert {path.name for path in write_schemas(tmp_path)} == set(committed)
    assert write_schemas(tmp_path) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CONF).as_posix())
def test_every_file_names_its_schema_and_fits_it(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    marker = "# yaml-language-server: $schema="
    assert first.startswith(marker)

    schema = json.loads((path.parent / first.removeprefix(marker)).read_text())
    document, _ = read_document(path, file=path.name)

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document.data, schema)


def test_personal_columns_of_gold_are_marked() -> None:
    catalogue = load_catalogue(CONF)
    plain = {
        (table.table, column.name)
        for table in catalogue.tables.values()
        for column in table.columns
        if column.personal == "none"
    }

    assert not {name for _, name in plain} & {
        "customer_id", "given_name", "family_name", "email", "phone", "birth_on", "street",
        "record_id", "loyalty_card", "account", "customer_number", "interaction_id",
        "purchase_line_id",
    }  # fmt: skip
    assert ("gold.identifiers", "value") not in plain


def test_the_log_has_statistics_of_no_personal_column_but_ids_of_our_own() -> None:
    """They stand there in plain text for a month: docs.delta.io, table properties."""
    for table in load_catalogue(CONF).tables.values():
        personal = {column.name for column in table.columns if column.personal != "none"}
        kept = {*table_shape(table.table).statistics}
        assert kept & personal <= {"customer_id", "household_id"}, table.table


def test_history_holds_every_attribute_of_customers() -> None:
    tables = load_catalogue(CONF).tables
    attributes = [(c.name, c.type) for c in tables["gold.customers"].attributes]
    kept = [(c.name, c.type) for c in tables["gold.customers_history"].columns]

    assert attributes == kept[1:-2]


def test_loading_asks_for_no_spark() -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from goldenlake.declarations.loader import load_catalogue\n"
        f"load_catalogue(Path({str(CONF)!r}))\n"
        "assert not {'pyspark', 'pandas', 'delta'} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT / "jobs")
