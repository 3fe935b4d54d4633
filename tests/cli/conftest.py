"""Installations without Spark, and the command line run as a process would run it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from goldenlake.cli import main
from goldenlake.cli.installation import Installation
from support.conf import Conf


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    """A small installation whose declarations are sound."""
    return Conf(tmp_path)


@pytest.fixture
def goldenlake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run a command line; long texts are not wrapped."""
    for name in ("GOLDENLAKE_CONF", "GOLDENLAKE_ENV", "GOLDENLAKE_LAKE", "GOLDENLAKE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("TERMINAL_WIDTH", "400")

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["goldenlake", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def installation(conf: Conf, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose runs are written nowhere."""
    monkeypatch.setattr(Installation, "write_runs", lambda _: None)
    return Installation(conf.load(), as_of=date(2026, 1, 3), run_id="r1")
