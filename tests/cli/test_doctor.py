"""``goldenlake doctor``: what it looks at, and how it says to mend what is unfit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goldenlake.cli import doctor
from goldenlake.cli.installation import Installation
from goldenlake.errors import ExitCode, PlaceUnreachable, SetupError


def _raise(error: Exception) -> None:
    raise error


def at(conf: Any) -> tuple[str, ...]:
    return ("--conf", str(conf.path))


@pytest.fixture
def fit(conf, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A sound machine, whatever this one is."""
    for check in ("_python", "_java", "_jars", "_archive", "_airflow"):
        monkeypatch.setattr(doctor, check, lambda: "present")
    monkeypatch.setattr(doctor, "_spark", lambda _: "starts")
    monkeypatch.setattr(doctor, "_disk", lambda _: "12 GB free")
    for name in ("drops", "exports"):
        (conf.root / "var" / name).mkdir(parents=True)
    return conf


def test_a_sound_machine_passes_every_check(goldenlake, fit) -> None:
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == 0
    assert "✗" not in ended.out
    assert "○" not in ended.out
    assert "place drops: folder, answers" in ended.out
    assert "1 sources, 1 destinations" in ended.out


def test_a_missing_folder_is_told_with_the_command_that_makes_it(goldenlake, fit) -> None:
    folder = fit.root / "var" / "drops"
    folder.rmdir()
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == ExitCode.DECLARATION
    assert "✗ place drops" in ended.out
    assert f"mkdir -p {folder}" in ended.out
    assert "place exports: folder, answers" in ended.out


def test_what_can_be_done_without_is_neither_there_nor_a_fault(
    goldenlake, fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("GOLDENLAKE_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor, "PROJECT", tmp_path)
    for check in ("_python", "_java", "_jars"):
        monkeypatch.setattr(doctor, check, lambda: "present")
    monkeypatch.setattr(doctor, "_spark", lambda _: "starts")
    monkeypatch.setattr(doctor, "_disk", lambda _: "12 GB free")
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == 0
    assert "○ class archive: absent (optional)" in ended.out
    assert "○ Airflow environment: absent (optional)" in ended.out
    assert "`make setup-airflow`" in ended.out


def test_a_lake_on_an_object_store_is_asked_and_has_no_disk_here(
    goldenlake, fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenlake.io import tables

    fit.change("env/local.yml", "lake: var/lake", "lake: s3a://bucket/lake")
    monkeypatch.setattr(doctor, "_s3_jars", lambda: "present")
    monkeypatch.setattr(Installation, "tables", SimpleNamespace(spark=None))
    monkeypatch.setattr(tables, "entries", lambda *_: 7)
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == 0
    assert "✓ lake: s3a://bucket/lake answers, 7 entries" in ended.out
    assert "disk" not in ended.out

    unreachable = PlaceUnreachable(place="s3a://bucket/lake", what="ConnectException")
    monkeypatch.setattr(tables, "entries", lambda *_: _raise(unreachable))
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == ExitCode.DECLARATION
    assert "✗ lake: s3a://bucket/lake does not answer: ConnectException" in ended.out


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"delta.jar": b"delta"}, ""),
        ({}, "missing: delta.jar"),
        ({"delta.jar": b"delta", "old.jar": b""}, "not in the lock: old.jar"),
        ({"delta.jar": b"del"}, "not what was locked: delta.jar"),
        ({"any.jar": b""}, "missing: delta.jar; not in the lock: any.jar"),
    ],
)
def test_the_jars_are_those_of_the_lock_and_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, bytes], told: str
) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text(
        f"# group\ndelta io:delta:1 delta.jar {hashlib.sha256(b'delta').hexdigest()}\n"
        "s3 io:s3:1 s3.jar 00\n"
    )
    jars = tmp_path / "jars"
    jars.mkdir()
    for name, content in files.items():
        (jars / name).write_bytes(content)
    monkeypatch.setattr(doctor, "LOCK", lock)
    monkeypatch.setenv("GOLDENLAKE_JARS", str(jars))
    if told:
        with pytest.raises(SetupError, match="make setup") as found:
            doctor._jars()
        assert told in str(found.value)
    else:
        assert doctor._jars() == f"1 in {jars}, as locked"


def test_a_spark_that_started_without_delta_is_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    from goldenlake.io import spark

    session = SimpleNamespace(version="4", sql=lambda _: SimpleNamespace(collect=list))
    installation: Any = SimpleNamespace(tables=SimpleNamespace(spark=session))
    for has_delta in (True, False):
        monkeypatch.setattr(spark, "is_loadable", lambda _, has_delta=has_delta: has_delta)
        if has_delta:
            assert "with Delta" in doctor._spark(installation)
        else:
            with pytest.raises(SetupError, match="without Delta"):
                doctor._spark(installation)


def test_bad_declarations_are_a_finding_among_others(goldenlake, fit) -> None:
    fit.change("sources/shop.yml", "load: increment", "load: sometimes")
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == ExitCode.DECLARATION
    assert "✗ declarations" in ended.out
    assert "✓ Java" in ended.out


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda patch, path: patch.setenv("GOLDENLAKE_JARS", str(path)), "make setup"),
        (lambda patch, _: patch.setattr("sys.version_info", (3, 13, 1)), "Use 3.11"),
        (lambda patch, _: patch.setattr(doctor, "LEAST_FREE_BYTES", 2**80), "Free some"),
        (
            lambda patch, _: patch.setattr(
                "goldenlake.io.java.java_home", lambda: _raise(FileNotFoundError("no Java"))
            ),
            "make setup",
        ),
    ],
)
def test_a_check_that_fails_says_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoil: Any, told: str
) -> None:
    spoil(monkeypatch, tmp_path)
    failed = []
    checks = (doctor._python, doctor._java, doctor._jars, lambda: doctor._disk(str(tmp_path)))
    for look in checks:
        try:
            look()
        except SetupError as error:
            failed.append(error)
    assert len(failed) == 1
    assert told in failed[0].mend
