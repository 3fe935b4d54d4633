"""An account over HTTP: who we are is told to nobody else, and its limits are kept."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from goldenlake.declarations.connections import Connection
from goldenlake.errors import (
    CallRefused,
    HostRefused,
    NotAuthorised,
    ReplyLost,
    SecretMissing,
    Throttled,
)
from goldenlake.io import replies
from goldenlake.io.api import addresses, open_api
from goldenlake.ports import Published
from support.vendors import Answer, Fault, Vendor, route, serving

SECRETS = {"CLIENT": "client-7", "SECRET": "hush", "REFRESH": "again"}


class Service(Vendor):
    """An account that knows the tokens which it gave out last."""

    def __init__(self):
        super().__init__()
        self.given, self.questions, self.seen = 0, [], []
        self.location = ""

    @property
    def token(self):
        return f"token-{self.given}"

    def is_known(self, request):
        self.seen.append(dict(request.headers))
        is_open = request.path in ("/token", "/away", "/file")
        return is_open or request.headers.get("Authorization") == f"Bearer {self.token}"

    @route("POST", "/token")
    def give(self, request):
        self.given += 1
        self.questions.append(request.form.to_dict())
        return Answer({"access_token": self.token, "expires_in": 3600})

    @route("GET", "/people")
    def people(self, request):
        return Answer({"people": 1})

    @route("GET", "/away")
    def away(self, request):
        return Answer(status=302, headers={"Location": self.location})

    @route("GET", "/file")
    def file(self, request):
        return Answer(b"content", content_type="text/plain")


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def base_url(service, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with serving(service) as url:
        yield url


def account(base_url, auth=None, published=None, **others):
    declared = {"base_url": base_url, "auth": auth or {"kind": "none"}, **others}
    return open_api("crm", Connection.model_validate(declared), published or Published())


def oauth(base_url, grant, **others):
    named = {name: {"env": env} for name, env in others.items()}
    return {"kind": "oauth2", "grant": grant, "token_url": f"{base_url}/token", **named}


def test_a_token_is_fetched_once_for_all_calls_at_one_time(service, base_url):
    auth = oauth(base_url, "client_credentials", client_id="CLIENT", client_secret="SECRET")
    api = account(base_url, auth, Published(concurrency=8))
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: api.call("GET", "/people").json(), range(24)))
    assert replies == [{"people": 1}] * 24
    assert service.questions == [
        {"grant_type": "client_credentials", "client_id": "client-7", "client_secret": "hush"}
    ]


@pytest.mark.fault("token that expires in a batch")
def test_a_token_that_expired_before_its_time_is_fetched_again(service, base_url):
    api = account(
        base_url, oauth(base_url, "refresh_token", client_id="CLIENT", refresh_token="REFRESH")
    )
    api.call("GET", "/people")
    service.given = 5
    assert api.call("GET", "/people").json() == {"people": 1}
    assert [q["refresh_token"] for q in service.questions] == ["again", "again"]


@pytest.mark.fault("token that expires in a batch")
def test_a_token_that_expires_among_many_calls_is_fetched_once_more(service, base_url):
    auth = oauth(base_url, "client_credentials", client_id="CLIENT", client_secret="SECRET")
    api = account(base_url, auth, Published(concurrency=8))

    def call(number):
        if number == 12:
            service.given += 1
        return api.call("GET", "/people").json()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(24))) == [{"people": 1}] * 24
    assert len(service.questions) == 2


def test_an_assertion_is_signed_for_its_audience(service, base_url, monkeypatch):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    monkeypatch.setenv("KEY", pem.decode())
    auth = oauth(base_url, "jwt_bearer", client_id="CLIENT", private_key="KEY")
    account(base_url, auth | {"scopes": ["a", "b"], "audience": "https://login"}).call(
        "GET", "/people"
    )
    (asked,) = service.questions
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        asked["assertion"], key.public_key(), algorithms=["RS256"], audience="https://login"
    )
    assert (claims["iss"], claims["scope"]) == ("client-7", "a b")
    assert 0 < claims["exp"] - claims["iat"] <= 300


def test_a_caller_to_whom_no_token_is_given_is_told_so_without_the_secret(service, base_url):
    service._handlers["POST /token"] = lambda _: Answer({"error": "invalid_client"}, 400)
    auth = oauth(base_url, "client_credentials", client_id="CLIENT", client_secret="SECRET")
    with pytest.raises(NotAuthorised, match=r"connections\.crm\.auth") as raised:
        account(base_url, auth).call("GET", "/people")
    assert "hush" not in str(raised.value)


@pytest.mark.fault("redirect to a link-local address")
@pytest.mark.parametrize("host", ["elsewhere.example.com", "169.254.169.254", "[fe80::a9fe:a9fe]"])
def test_a_redirect_is_not_followed(service, base_url, host):
    service.location = f"http://{host}/latest/meta-data/"
    with pytest.raises(HostRefused, match=re.escape(host)):
        account(base_url).call("GET", "/away")
    with pytest.raises(HostRefused, match=re.escape(host)):
        account(base_url).call("GET", service.location)


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://[::1",
        "http://\ud800/",
        "http://x:port/",
        "{base}/\x01",
        "{base}/a\nb",
        "{base}/\ud800",
        pytest.param("{base}" + "/x" * 40_000, id="long"),
    ],
)
def test_what_is_no_address_is_told_by_name(service, base_url, address):
    address = address.format(base=base_url)
    with pytest.raises(HostRefused, match="no address"):
        account(base_url).call("GET", address)
    assert service.calls == []


def test_a_host_is_itself_however_it_is_written(service, base_url):
    for address in (base_url.upper() + "/file", base_url.replace("//", "//me@") + "/file"):
        assert account(base_url).call("GET", address).content == b"content"


@pytest.mark.fault("429 with Retry-After")
def test_a_throttle_says_how_long_to_wait_in_seconds_or_as_a_date(service, base_url):
    def ahead(seconds):
        return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)

    beyond = "Fri, 31 Dec 9999 23:59:59 -2300"
    told = {"7": 7, ahead(300): 300, ahead(-300): 0, "later": 10, None: 10, beyond: 10}
    for said, seconds in told.items():
        service.faults = [Fault(status=429, headers={"Retry-After": said} if said else {})]
        with pytest.raises(Throttled) as throttled:
            account(base_url).call("GET", "/file")
        assert throttled.value.seconds == pytest.approx(seconds, abs=2)


def test_a_host_that_is_declared_is_called_without_saying_who_we_are(service, base_url):
    other = Service()
    with serving(other) as elsewhere:
        auth = {"kind": "header", "value": {"env": "SECRET"}}
        api = account(base_url, auth, hosts=[elsewhere.removeprefix("http://")])
        assert api.call("GET", f"{elsewhere}/file").content == b"content"
        with pytest.raises(HostRefused):
            account(base_url, auth).call("GET", f"{elsewhere}/file")
    assert len(other.seen) == 1
    assert "Authorization" not in other.seen[0]
    assert service.seen == []


def test_the_hosts_of_a_connection_are_its_own_those_it_declares_and_that_of_its_tokens():
    declared = {
        "base_url": "https://api.example.com/v3",
        "auth": oauth(
            "https://login.example.com",
            "refresh_token",
            client_id="CLIENT",
            refresh_token="REFRESH",
        ),
        "hosts": ["files.example.com:8443", "api.example.com"],
    }
    assert addresses(Connection.model_validate(declared)) == [
        ("api.example.com", 443),
        ("files.example.com", 8443),
        ("login.example.com", 443),
    ]


def test_a_user_and_a_password_are_revealed_at_the_call(service, base_url, monkeypatch):
    api = account(base_url, {"kind": "basic", "user": "me", "password": {"env": "PASSWORD"}})
    with pytest.raises(SecretMissing):
        api.call("GET", "/file")
    monkeypatch.setenv("PASSWORD", "hush")
    api.call("GET", "/file")
    assert service.seen[-1]["Authorization"] == "Basic bWU6aHVzaA=="


def test_calls_wait_for_the_limit_less_what_is_reserved(base_url):
    api = account(base_url, published=Published(rates=[(10, 0.5)]), reserve=0.5)
    begun = time.monotonic()
    for _ in range(11):
        api.call("GET", "/file")
    assert time.monotonic() - begun >= 1.0, "five in each half second"


def test_what_a_connection_declares_counts_instead_of_what_is_published(base_url):
    declared = [{"calls": 1000, "seconds": 1}]
    api = account(base_url, published=Published(rates=[(1, 3600.0)]), rates=declared)
    assert [api.call("GET", "/file").status for _ in range(3)] == [200] * 3


def test_what_fills_a_path_cannot_leave_its_place(service, base_url):
    with pytest.raises(NotAuthorised):
        account(base_url).call("GET", "/people/{key}", ids={"key": "../../token?a=b#c"})
    assert service.calls[-1][1].startswith("/people/")


@pytest.mark.parametrize(
    "url", ["http://api.example.com", "https://me:hush@api.example.com", "ftp://x", "https://x?a=b"]
)
def test_an_address_that_is_not_safe_is_refused(url):
    with pytest.raises(ValidationError):
        Connection.model_validate({"base_url": url, "auth": {"kind": "none"}})


@pytest.mark.parametrize(
    "said",
    [
        b"<html>Down for a moment</html>",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"access_token": null, "expires_in": 3600}',
    ],
)
def test_what_gives_no_token_is_told_by_name(service, base_url, said):
    service._handlers["POST /token"] = lambda _: Answer(said, content_type="text/html")
    auth = oauth(base_url, "client_credentials", client_id="CLIENT", client_secret="SECRET")
    with pytest.raises(NotAuthorised) as error:
        account(base_url, auth).call("GET", "/people")
    assert "POST token_url" in str(error.value)
    assert "Down" not in str(error.value)


@pytest.mark.parametrize("lasts", ["soon", None, -1, "NaN", {"seconds": 3}])
def test_a_token_that_does_not_say_how_long_it_lasts_is_used(service, base_url, lasts):
    def give(_):
        service.given += 1
        return Answer({"access_token": service.token, "expires_in": lasts})

    service._handlers["POST /token"] = give
    auth = oauth(base_url, "client_credentials", client_id="CLIENT", client_secret="SECRET")
    crm = account(base_url, auth)
    assert [crm.call("GET", "/people").status for _ in range(2)] == [200, 200]
    assert service.given == 1


def test_no_reply_is_read_beyond_its_limit_be_it_a_token_or_a_refusal(
    service, base_url, monkeypatch
):
    monkeypatch.setattr(replies, "LARGEST", 1000)
    auth = oauth(base_url, "client_credentials", client_id="CLIENT", client_secret="SECRET")
    service._handlers["GET /people"] = lambda _: Answer(b"x" * 1001, 401, content_type="text/plain")
    with pytest.raises(CallRefused, match="longer than 1000 bytes"):
        account(base_url, auth).call("GET", "/people")
    service._handlers["POST /token"] = lambda _: Answer(b"x" * (2**20 + 1))
    with pytest.raises(CallRefused, match="longer than 1048576 bytes"):
        account(base_url, auth).call("GET", "/people")


#: How a reply begins that never ends, and what comes of it again and again.
DRIPS = {
    "its body": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "its headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: to come\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nX-More: ", b"a"),
    "replies before it": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "what is no part of it": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b";more=a"
    ),
}  # fmt: skip


@contextmanager
def answering(first=b"", drop=None):
    """A server that answers this to each call on a connection, and then that for ever."""
    over = Event()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with suppress(OSError):
                self.wfile.write(first)
                while drop is not None and not over.wait(0.02):
                    self.wfile.write(drop)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("location", [b"http://[::1", b"http://[bad", b"http://", b"\xff"])
def test_a_redirect_to_what_is_no_address_is_told_by_name(location):
    reply = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    with answering(reply) as url, pytest.raises((HostRefused, ReplyLost)):
        account(url).call("GET", "/people")


@pytest.mark.fault("reset, hang, trickle")
def test_a_server_that_is_silent_holds_nobody():
    with answering(drop=b"") as url, pytest.raises(ReplyLost, match="ReadTimeout"):
        account(url, timeout_seconds=0.3).call("GET", "/people")


@pytest.mark.fault("reset, hang, trickle")
@pytest.mark.parametrize("never_ends", DRIPS)
def test_a_server_that_never_ends_its_reply_holds_nobody(never_ends, monkeypatch):
    monkeypatch.setattr(replies, "LONGEST", 0.3)
    with answering(*DRIPS[never_ends]) as url:
        crm = account(url, timeout_seconds=5)
        with pytest.raises(ReplyLost, match="no end within"):
            crm.call("GET", "/people")
        crm.close()


def test_each_call_on_a_connection_has_its_own_time(monkeypatch):
    monkeypatch.setattr(replies, "LONGEST", 0.5)
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        crm = account(url)
        for _ in range(3):
            assert crm.call("GET", "/people").status == 200
            time.sleep(0.3)
        crm.close()
