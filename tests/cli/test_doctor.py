"""``goldenlake doctor``: what it looks at, and how it says to mend what is unfit."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goldenlake.cli import doctor
from goldenlake.cli.installation import Installation
from goldenlake.declarations.base import SecretReference
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


@pytest.fixture
def port() -> Iterator[int]:
    """Where somebody listens who never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def declare(conf: Any, text: str) -> None:
    """More of what the environment names."""
    conf.change("env/local.yml", "lake: var/lake\n", f"lake: var/lake\n{text}\n")


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

    (tmp_path / "spark").mkdir()
    (tmp_path / "spark" / "classes-a.none").touch()
    assert "this Java records none" in goldenlake("doctor", *at(fit)).out


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


def test_a_connection_is_fit_when_its_hosts_are_reached_and_its_secrets_are_set(
    goldenlake, fit, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_ID", "client-7")
    monkeypatch.setenv("CRM_SECRET", "hush-hush")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com")
    auth = (
        f"{{kind: oauth2, grant: client_credentials, token_url: 'http://localhost:{port}/token', "
        "client_id: {env: CRM_ID}, client_secret: {env: CRM_SECRET}}"
    )
    declare(fit, f"connections: {{crm: {{base_url: 'http://127.0.0.1:{port}', auth: {auth}}}}}")
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == 0
    assert f"✓ connection crm: 127.0.0.1:{port}, localhost:{port} reached" in ended.out
    assert "✓ secret connections.crm.auth.client_secret: env:CRM_SECRET, set" in ended.out
    assert "hush-hush" not in ended.out


def test_a_host_that_does_not_answer_is_named_with_the_connection_to_mend(
    goldenlake, fit, port: int, unused_port: int
) -> None:
    declare(
        fit,
        f"connections: {{crm: {{base_url: 'http://127.0.0.1:{port}', auth: {{kind: none}}, "
        f"hosts: ['127.0.0.1:{unused_port}']}}}}",
    )
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == ExitCode.DECLARATION
    refused = f"✗ connection crm: 127.0.0.1:{unused_port} does not answer: Connection refused."
    assert refused in ended.out
    assert "correct connections.crm in conf/env" in ended.out
    assert "Traceback" not in ended.out


def test_a_secret_that_is_not_there_or_not_to_be_read_is_named_and_never_quoted(
    goldenlake, fit, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fit.root / "key").write_bytes(b"hush-\xff-hush")
    monkeypatch.setenv("AIRFLOW_CONN_CRM", "https://me:hush-hush@[crm/")
    monkeypatch.delenv("CRM_USER", raising=False)
    auth = "{kind: basic, user_from: {env: CRM_USER}, password: {airflow: {connection: crm}}}"
    shop = f"{{kind: header, value: {{file: {fit.root}/key}}}}"
    base_url = f"base_url: 'http://127.0.0.1:{port}'"
    declare(
        fit,
        f"connections: {{crm: {{{base_url}, auth: {auth}}}, shop: {{{base_url}, auth: {shop}}}}}",
    )
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == ExitCode.DECLARATION
    assert "✗ secret connections.crm.auth.user_from: secret env:CRM_USER is not set." in ended.out
    assert "secret airflow:crm.password cannot be read (ValueError). Set it, or" in ended.out
    assert "✗ secret connections.shop.auth.value" in ended.out
    assert f"secret file:{fit.root}/key cannot be read (UnicodeDecodeError)." in ended.out
    assert "✓ connection shop" in ended.out
    assert "hush" not in ended.out + ended.err


def test_a_store_of_secrets_that_refuses_us_is_told_by_the_class_of_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reference = SecretReference.model_validate({"aws": "crm"})
    monkeypatch.setattr(SecretReference, "_find", lambda _: _raise(RuntimeError("hush")))
    with pytest.raises(
        SetupError, match=r"secret aws:crm cannot be read \(RuntimeError\)"
    ) as found:
        doctor._secret(reference)
    assert "hush" not in str(found.value)
    assert "access of this process" in found.value.mend


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("hush-hush-hush-hush", "✓ secret privacy.key: env:FORGETTING, set"),
        ("hush", "✗ secret privacy.key: the key of the pseudonyms (privacy.key in conf/env) has"),
        ("", "✗ secret privacy.key: secret env:FORGETTING is not set. Set it"),
    ],
)
def test_the_key_of_the_pseudonyms_is_there_and_long_enough(
    goldenlake, fit, monkeypatch: pytest.MonkeyPatch, key: str, told: str
) -> None:
    monkeypatch.setenv("FORGETTING", key)
    declare(fit, "privacy: {key: {env: FORGETTING}}")
    ended = goldenlake("doctor", *at(fit))
    assert told in ended.out
    assert not key or key not in ended.out


def test_a_landing_area_apart_from_the_lake_can_be_written_to_and_stays_as_it_was(
    goldenlake, fit
) -> None:
    declare(fit, "landing: var/apart/landing")
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == 0
    assert f"✓ landing: {fit.root}/var/apart/landing can be written to" in ended.out
    assert sorted(path.name for path in (fit.root / "var").iterdir()) == ["drops", "exports"]

    (fit.root / "var" / "apart").write_text("no folder")
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == ExitCode.DECLARATION
    assert "✗ landing: Nothing can be put into" in ended.out
    assert "correct landing in conf/env" in ended.out


def test_a_landing_area_in_a_store_is_written_to_by_the_keys_of_this_process(
    goldenlake, fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenlake.io.places import s3

    declare(fit, "landing: s3a://bucket/landing")
    monkeypatch.setattr(s3, "prove_conditional_put", lambda _: None)
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == 0
    assert "✓ landing: s3a://bucket/landing can be written to" in ended.out

    unreachable = PlaceUnreachable(place="landing", what="EndpointConnectionError")
    monkeypatch.setattr(s3, "prove_conditional_put", lambda _: _raise(unreachable))
    ended = goldenlake("doctor", *at(fit))
    assert ended.code == ExitCode.DECLARATION
    assert "Nothing can be put into s3a://bucket/landing: EndpointConnectionError" in ended.out


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
