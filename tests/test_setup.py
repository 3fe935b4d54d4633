import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pyspark
import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKED = sorted((ROOT / "requirements").glob("*.txt"))
JARS = [
    line.split()
    for line in (ROOT / "infra/setup/jars.lock").read_text().splitlines()
    if not line.startswith("#")
]
TARGETS = {
    "setup", "lint", "test", "test-full", "demo", "nightly", "airflow", "report", "bench",
    "bench-identity", "docs", "clean",
}  # fmt: skip


def test_make_alone_lists_the_targets() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert set(re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE)) >= TARGETS


@pytest.mark.parametrize("file", LOCKED, ids=lambda file: file.name)
def test_every_requirement_is_pinned_with_a_hash(file: Path) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", file.read_text(), flags=re.IGNORECASE)

    assert [e.split()[0] for e in entries if "==" not in e or "--hash=sha256:" not in e] == []


def test_the_two_lists_of_the_jobs_agree() -> None:
    jobs, dev = (pins(ROOT / "requirements" / name) for name in ("jobs.txt", "dev.txt"))

    assert {name: dev[name] for name in jobs.keys() & dev.keys()} == {
        name: jobs[name] for name in jobs.keys() & dev.keys()
    }


def test_splink_runs_with_the_spark_and_the_duckdb_of_this_project() -> None:
    splink, ours = pins(ROOT / "requirements/splink.txt"), pins(ROOT / "requirements/jobs.txt")
    ours |= pins(ROOT / "requirements/dev.txt")

    assert splink["splink"].startswith("5.")
    assert "splink" not in ours
    assert {name: splink[name] for name in ("pyspark", "duckdb", "pyarrow")} == {
        name: ours[name] for name in ("pyspark", "duckdb", "pyarrow")
    }


def test_the_delta_jar_is_of_the_same_version_as_the_python_package() -> None:
    (delta,) = (c for _, c, *_ in JARS if ":delta-spark_" in c)

    assert delta.rsplit(":", 1)[1] == version("delta-spark")


def test_no_jar_is_a_second_copy_of_one_that_pyspark_brings() -> None:
    bundled = {jar.name for jar in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    names = {re.sub(r"-\d.*", "", jar) for jar in bundled}

    assert len(names) > 100
    assert {c for _, c, *_ in JARS if c.split(":")[1] in names} == set()
    assert not any(c.startswith(("io.netty:", "org.slf4j:", "com.fasterxml.")) for _, c, *_ in JARS)


def test_the_scheduler_never_shares_an_environment_with_pyspark() -> None:
    airflow, jobs = (pins(ROOT / "requirements" / name) for name in ("airflow.txt", "jobs.txt"))

    assert "pyspark-client" in airflow
    assert "pyspark" not in airflow
    assert "pyspark-client" not in jobs


@pytest.mark.parametrize(
    "file",
    [*LOCKED, ROOT / "infra/setup/jars.lock", ROOT / "pyproject.toml", ROOT / "Makefile"],
    ids=lambda file: file.name,
)
def test_no_registry_is_named(file: Path) -> None:
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url|--find-links", file.read_text()) == []


def test_a_jar_that_differs_from_the_lock_is_refused(tmp_path: Path) -> None:
    """The script runs from a copy whose lock expects another content."""
    setup = tmp_path / "setup"
    setup.mkdir()
    (setup / "jars.py").write_text((ROOT / "infra/setup/jars.py").read_text())
    wrong = "0" * 64
    (setup / "jars.lock").write_text(f"delta io.delta:delta-storage:4.4.0 here.jar {wrong}\n")
    (setup / "check.py").write_text(
        "from pathlib import Path\n"
        "import jars\n"
        "jars.fetch = lambda wanted, folder: (folder / 'here.jar').write_bytes(b'other')\n"
        "import sys\n"
        f"sys.argv = ['jars.py', 'delta', {str(tmp_path / 'jars')!r}]\n"
        "jars.main()\n"
    )

    done = subprocess.run(
        [ROOT / ".venv/bin/python", "check.py"],
        cwd=setup,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert f"says {wrong}" in done.stderr
    assert not list((tmp_path / "jars").glob("*.jar"))


#: Stands in for uv, and for a Python that makes what the scripts of set-up make.
PRETENDER = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$CALLS"
case "$*" in
  venv*) mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python" ;;
  *jars.py*) mkdir -p "$3" && touch "$3/$2.jar" ;;
  *prime_spark.py*) touch .cache/spark/{submit.properties,environment.sh,classes-a.jsa} ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as set-up looks at, beside a uv that makes nothing real."""
    home = tmp_path / "checkout"
    for name in (
        "requirements/airflow.txt", "requirements/jobs.txt", "infra/setup/jars.lock",
        "infra/setup/prime_spark.py", "jobs/goldenlake/io/spark.py", "jobs/goldenlake/io/java.py",
        ".cache/spark/kept",
    ):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    script = (ROOT / "infra/setup/bootstrap.sh").read_text()
    for path, text in (
        (tmp_path / "bin" / "uv", PRETENDER),
        (home / ".venv" / "bin" / "python", PRETENDER),
        (home / "infra" / "setup" / "bootstrap.sh", script),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return home


def set_up(checkout: Path, part: str) -> list[str]:
    """Run a part of set-up; gives what it called."""
    calls = checkout.parent / "calls"
    calls.write_text("")
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    told = os.environ | {"PATH": path, "CALLS": str(calls), "PYTHON311": sys.executable}
    subprocess.run([checkout / "infra/setup/bootstrap.sh", part], env=told, check=True)
    return calls.read_text().splitlines()


@pytest.mark.parametrize(
    ("part", "gone"),
    [
        ("jars", ".jars/delta.jar"),
        ("jars-s3", ".jars/s3/s3.jar"),
        ("prime", ".cache/spark/classes-a.jsa"),
        ("prime", ".cache/spark/submit.properties"),
    ],
)
def test_what_set_up_made_and_somebody_removed_is_made_again(
    checkout: Path, part: str, gone: str
) -> None:
    set_up(checkout, part)
    (checkout / gone).unlink()
    set_up(checkout, part)
    assert (checkout / gone).exists()


def test_spark_is_not_rehearsed_twice(checkout: Path) -> None:
    assert [len(set_up(checkout, "prime")), len(set_up(checkout, "prime"))] == [1, 0]


def test_an_environment_is_made_once_and_anew_where_the_checkout_was_moved(checkout: Path) -> None:
    def made() -> list[str]:
        return [call for call in set_up(checkout, "airflow") if call.startswith("venv")]

    assert (len(made()), len(made())) == (1, 0)
    (checkout / "requirements/airflow.txt").write_text("another\n")
    assert made() == []
    checkout = checkout.rename(checkout.with_name("elsewhere"))
    assert len(made()) == 1


def pins(file: Path) -> dict[str, str]:
    return dict(
        re.findall(r"^([A-Za-z0-9._-]+)(?:\[\S*\])?==(\S+)", file.read_text(), re.MULTILINE)
    )
