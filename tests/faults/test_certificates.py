"""A server whose certificate is not to be trusted is told nothing, and is not asked again."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldenlake.declarations.connections import Connection
from goldenlake.declarations.environment import S3Place
from goldenlake.errors import SetupError, TerminalError
from goldenlake.io.api import open_api
from goldenlake.io.places import open_place
from goldenlake.ports import Published
from support.certificates import Authority
from support.vendors import Answer, Vendor, route, serving

pytestmark = pytest.mark.fault("bad certificate, changed host key")

Shown = Callable[[Authority], ssl.SSLContext]
#: What a server shows that is trusted by nobody, or not any more, or not as that server; and
#: whether we trust its authority.
BAD: dict[str, tuple[Shown, bool, str]] = {
    "unknown authority": (lambda ours: ours.server(), False, "unable to get local issuer"),
    "expired": (lambda ours: ours.server(days=-1), True, "certificate has expired"),
    "of another server": (lambda ours: ours.server(host="127.0.0.2"), True, "not valid for"),
}
MENDS = r"connections\.crm\.ca_file in conf/env"


class Store(Vendor):
    """A CRM that gives tokens, and a bucket without objects."""

    def is_known(self, request: Any) -> bool:
        return True

    @route("GET", "/people")
    def people(self, request: Any) -> Answer:
        return Answer({"people": 1})

    @route("POST", "/token")
    def token(self, request: Any) -> Answer:
        return Answer({"access_token": "t", "expires_in": 3600})

    @route("GET", "/bucket")
    def listing(self, request: Any) -> Answer:
        return Answer(b"<ListBucketResult/>", content_type="application/xml")


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def store() -> Store:
    return Store()


def account(url: str, trusted: Path | None, **declared: Any) -> Any:
    settings = {"base_url": url, "auth": {"kind": "none"}, **declared}
    if trusted:
        settings["ca_file"] = str(trusted)
    return open_api("crm", Connection.model_validate(settings), Published())


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_certificate_is_refused_by_name(ours: Authority, store: Store, kind: str) -> None:
    shown, is_trusted, why = BAD[kind]
    with serving(store, shown(ours)) as url:
        api = account(url, ours.ca_file if is_trusted else None)
        with pytest.raises(SetupError, match=f"crm: GET /people: .*{why}.* {MENDS}") as raised:
            api.call("GET", "/people")
    assert isinstance(raised.value, TerminalError), "it is not tried again"
    assert store.bodies == [], "nothing was sent"


def test_an_authority_that_is_named_is_trusted(ours: Authority, store: Store) -> None:
    with serving(store, ours.server()) as url:
        assert account(url, ours.ca_file).call("GET", "/people").json() == {"people": 1}


def test_no_token_is_asked_of_whom_is_not_trusted(
    ours: Authority, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hush")
    with serving(store) as url, serving(store, ours.server()) as elsewhere:
        secret = {"env": "SECRET"}
        auth = {
            "kind": "oauth2", "grant": "client_credentials", "token_url": f"{elsewhere}/token",
            "client_id": secret, "client_secret": secret,
        }  # fmt: skip
        with pytest.raises(SetupError, match=MENDS):
            account(url, None, auth=auth).call("GET", "/people")
    assert store.bodies == []


def test_an_object_store_is_held_to_the_same(
    ours: Authority, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hush")
    with serving(store, ours.server()) as url:
        declared = S3Place.model_validate(
            {"kind": "s3", "bucket": "bucket", "endpoint": url, "region": "us-east-1"}
        )
        with pytest.raises(SetupError, match=r"'drop': .*certificate.* AWS_CA_BUNDLE"):
            list(open_place("drop", declared, tmp_path).list("*"))
        assert store.bodies == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(ours.ca_file))
        assert list(open_place("drop", declared, tmp_path).list("*")) == []
