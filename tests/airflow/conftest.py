"""One Airflow home for all tests here, and one look at the DAGs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.airflow_home import PROGRAM, ROOT, Airflow


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    if not PROGRAM.exists():
        pytest.skip("needs .venv-airflow: run `make setup-airflow`")
    if not (ROOT / ".cache" / "spark" / "submit.properties").exists():
        pytest.skip("needs .cache/spark/submit.properties: run `make setup`")
    return Airflow(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="session")
def looked_at(airflow: Airflow) -> dict[str, Any]:
    """All that the tests ask about the DAGs of ``conf/`` as it is, for the environment local."""
    return look(airflow)


@pytest.fixture(scope="session")
def looked_at_on_s3(airflow: Airflow) -> dict[str, Any]:
    """The same, where a variable names a lake in S3."""
    return look(airflow, GOLDENLAKE_LAKE="s3a://bucket/lake")


def look(airflow: Airflow, **variables: str) -> dict[str, Any]:
    """What the script tells of the DAGs, with these variables."""
    found = airflow.home / "dags.json"
    code, said = airflow.script(
        "source infra/airflow/environment.sh &&"
        f" python tests/airflow/look_at_dags.py dags '{found}'",
        **variables,
    )
    assert code == 0, said[-3000:]
    answer: dict[str, Any] = json.loads(found.read_text())
    return answer
