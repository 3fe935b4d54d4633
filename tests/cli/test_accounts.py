"""An account is limited as its system publishes it, whoever asks for it first."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import get_args

from goldenlake.cli.installation import PROJECT, Installation
from goldenlake.declarations.connections import System
from goldenlake.declarations.targets import ConnectedTarget
from goldenlake.destinations import PUBLISHED

ACCOUNTS = """
connections:
  hubspot: {base_url: "http://127.0.0.1:8000", system: hubspot, auth: {kind: none}}
  unknown: {base_url: "http://127.0.0.1:8000", auth: {kind: none}}
"""


def test_an_account_has_the_limits_of_its_system_though_nobody_names_them(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    with (tmp_path / "conf" / "env" / "local.yml").open("a") as local:
        local.write(ACCOUNTS)
    installation = Installation.load(tmp_path / "conf", "local", None, as_of=date(2026, 3, 1))

    hubspot, unknown = installation.api("hubspot"), installation.api("unknown")

    assert hubspot is installation.api("hubspot"), "all that ask share one"
    rates = hubspot.limiter.bucket_factory.bucket.rates
    assert [(rate.limit, rate.interval) for rate in rates] == [(190, 10_000)]
    assert unknown.limiter is None


def test_the_limits_of_every_system_with_an_account_are_known() -> None:
    kinds = {
        get_args(each.model_fields["kind"].annotation)[0] for each in get_args(ConnectedTarget)
    }
    assert set(PUBLISHED) == set(get_args(System)) == {*kinds, "other"} - {"rest"}
