"""HTTP calls to one account of one system: within its limits, as nobody else, to no other host."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from operator import itemgetter
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from pyrate_limiter import Limiter, Rate

from goldenlake.declarations.connections import (
    BasicAuth,
    Connection,
    HeaderAuth,
    NoAuth,
    TokenAuth,
)
from goldenlake.errors import CallRefused, HostRefused, NotAuthorised, ReplyLost, Throttled
from goldenlake.ports import Published, Reply

_LARGEST_REPLY = 256 * 2**20
_NO_WAIT_SAID = 10.0
"""Seconds to wait where a system that throttles does not say for how long."""
_ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EARLY = 30.0
"""Seconds before its end at which a token is not used any more."""
_PORTS = {"http": 80, "https": 443}


def open_api(name: str, connection: Connection, published: Published) -> HttpApi:
    """The account of a connection; nothing is called yet.

    The limits that the connection declares count instead of those that are published.
    """
    rates = published.rates
    if connection.rates is not None:
        rates = [(rate.calls, rate.seconds) for rate in connection.rates]
    limits = [
        Rate(max(1, int(calls * (1 - connection.reserve) + 1e-9)), round(seconds * 1000))
        for calls, seconds in sorted(rates, key=itemgetter(1))
    ]
    client = httpx.Client(
        auth=_auth(name, connection),
        timeout=connection.timeout_seconds,
        follow_redirects=False,
        verify=connection.ca_file or True,
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
        headers={"user-agent": "goldenlake", **connection.headers},
    )
    return HttpApi(
        name=name,
        connection=connection,
        limiter=Limiter(limits) if limits else None,
        slots=BoundedSemaphore(connection.concurrency or published.concurrency),
        client=client,
        throttles=lambda status, content: (
            status in connection.throttle_statuses or published.throttles(status, content)
        ),
    )


def addresses(connection: Connection) -> list[tuple[str, int]]:
    """Hosts and ports that a connection has to do with: no others are ever called."""
    scheme = urlsplit(connection.base_url).scheme
    urls = [f"{scheme}://{host}" for host in _hosts_of(connection)]
    if isinstance(connection.auth, TokenAuth):
        urls.append(connection.auth.token_url)
    parts = map(urlsplit, urls)
    found = ((str(each.hostname), each.port or _PORTS[each.scheme]) for each in parts)
    return list(dict.fromkeys(found))


def _hosts_of(connection: Connection) -> list[str]:
    """Hosts to which calls may go, as addresses have them: with the port where it is told."""
    return [_host(connection.base_url), *connection.hosts]


@dataclass(frozen=True, kw_only=True)
class HttpApi:
    """``ports.Api`` over httpx. Redirects are never followed, proxies of the environment not used.

    A reply of 429, or of 503 with Retry-After, is a throttle; 5xx, 408 and broken connections are
    lost replies; every other status from 300 on is a refusal.
    """

    name: str
    connection: Connection
    client: httpx.Client
    limiter: Limiter | None
    slots: BoundedSemaphore
    throttles: Callable[[int, bytes], bool]

    def call(
        self,
        method: str,
        path: str,
        *,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, str | int | list[str]] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """See ``ports.Api``."""
        said = f"{method} {_shown(path)}"
        url = self._url(said, path, ids or {})
        is_elsewhere = _host(url) != _host(self.connection.base_url)
        if self.limiter is not None:
            self.limiter.try_acquire(self.name)
        with self.slots:
            try:
                with self.client.stream(
                    method,
                    url,
                    params=dict(params) if params else None,
                    json=json,
                    content=content,
                    headers=dict(headers) if headers else None,
                    # Nobody but the system itself is told who we are.
                    auth=None if is_elsewhere else httpx.USE_CLIENT_DEFAULT,
                ) as response:
                    received = self._received(said, response)
            except httpx.TransportError as error:
                raise ReplyLost(
                    system=self.name, call=said, what=f"no reply ({type(error).__name__})"
                ) from None
        return self._judged(said, response, received)

    def close(self) -> None:
        """Let the connections go."""
        self.client.close()

    def _url(self, said: str, path: str, ids: Mapping[str, str]) -> str:
        filled = path.format_map({name: quote(value, safe="") for name, value in ids.items()})
        if not re.match(r"https?://", filled):
            return self.connection.base_url + filled
        is_encrypted = filled.startswith("https:") or self.connection.base_url.startswith("http:")
        if _host(filled) not in _hosts_of(self.connection) or not is_encrypted:
            raise HostRefused(system=self.name, call=said, host=_host(filled))
        return filled

    def _received(self, said: str, response: httpx.Response) -> bytes:
        pieces, size = [], 0
        for piece in response.iter_bytes():
            size += len(piece)
            if size > _LARGEST_REPLY:
                raise CallRefused(
                    system=self.name,
                    call=said,
                    status=response.status_code,
                    mend=f"Its reply is longer than {_LARGEST_REPLY} bytes.",
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _judged(self, said: str, response: httpx.Response, content: bytes) -> Reply:
        status, headers = response.status_code, response.headers
        if status == 429 or (status == 503 and "retry-after" in headers):
            raise Throttled(destination=self.name, seconds=_wait(headers))
        if self.throttles(status, content):
            raise Throttled(destination=self.name, seconds=_wait(headers))
        if status >= 500 or status == 408:
            raise ReplyLost(system=self.name, call=said, what=f"status {status}")
        if 300 <= status < 400 and "location" in headers:
            raise HostRefused(
                system=self.name, call=said, host=_host(headers["location"]) or "another address"
            )
        if status >= 300:
            told = content[:4096].decode(errors="replace")
            if status in (401, 403):
                raise NotAuthorised(
                    system=self.name,
                    call=said,
                    status=status,
                    told=told,
                    mend=f"See connections.{self.name}.auth in conf/env.",
                )
            raise CallRefused(system=self.name, call=said, status=status, told=told)
        return Reply(
            status=status,
            headers=dict(headers.items()),
            content=content,
            system=self.name,
            call=said,
        )


def _shown(path: str) -> str:
    """A template as it may be told: without a query, which may hold a signature."""
    parts = urlsplit(path)
    return f"{parts.scheme}://{parts.netloc}/…" if parts.scheme else parts.path


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds of a Retry-After, which is a number or a date: RFC 9110, section 10.2.3."""
    said = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return _NO_WAIT_SAID
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _auth(name: str, connection: Connection) -> httpx.Auth | None:
    match connection.auth:
        case NoAuth():
            return None
        case HeaderAuth() as declared:
            return _Header(declared)
        case BasicAuth() as declared:
            return _Basic(declared)
        case TokenAuth() as declared:
            return _Token(name=name, declared=declared)


class _Header(httpx.Auth):
    def __init__(self, declared: HeaderAuth) -> None:
        self._declared = declared

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        declared = self._declared
        request.headers[declared.header] = f"{declared.prefix}{declared.value.reveal()}"
        yield request


class _Basic(httpx.Auth):
    def __init__(self, declared: BasicAuth) -> None:
        self._declared = declared

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        declared = self._declared
        user = declared.user_from.reveal() if declared.user_from else declared.user
        yield from httpx.BasicAuth(user, declared.password.reveal()).auth_flow(request)


@dataclass(kw_only=True)
class _Token(httpx.Auth):
    """A token that is shared by all calls, fetched by one of them."""

    requires_response_body = True

    name: str
    declared: TokenAuth
    _token: str = ""
    _until: float = 0.0
    _fetching: Lock = field(default_factory=Lock)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        used = yield from self._fresh("")
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == 401:
            used = yield from self._fresh(used)
            request.headers["Authorization"] = f"Bearer {used}"
            yield request

    def _fresh(self, refused: str) -> Generator[httpx.Request, httpx.Response, str]:
        """A token that is still good and is not the one that was refused."""
        with self._fetching:
            if self._token == refused or not self._token or time.monotonic() >= self._until:
                response = yield httpx.Request(
                    "POST", self.declared.token_url, data=self._question()
                )
                self._take(response)
            return self._token

    def _question(self) -> dict[str, str]:
        declared = self.declared
        named = {
            name: reference.reveal()
            for name in ("client_id", "client_secret", "refresh_token")
            if (reference := getattr(declared, name)) is not None
        }
        asked = {"scope": " ".join(declared.scopes)} if declared.scopes else {}
        if declared.grant == "jwt_bearer":
            return {"grant_type": _ASSERTION, "assertion": self._assertion()}
        return {"grant_type": declared.grant, **named, **asked}

    def _assertion(self) -> str:
        import jwt

        declared, now = self.declared, int(time.time())
        issuer = declared.issuer or declared.client_id
        key = declared.private_key
        assert issuer is not None, "the declaration was checked"
        assert key is not None, "the declaration was checked"
        claims: dict[str, Any] = {
            "iss": issuer.reveal(),
            "aud": declared.audience or declared.token_url,
            "iat": now,
            "exp": now + 300,
        }
        if declared.subject:
            claims["sub"] = declared.subject.reveal()
        if declared.scopes:
            claims["scope"] = " ".join(declared.scopes)
        return jwt.encode(claims, key.reveal(), algorithm="RS256")

    def _take(self, response: httpx.Response) -> None:
        call = "POST token_url"
        if response.status_code >= 500 or response.status_code == 429:
            raise ReplyLost(system=self.name, call=call, what=f"status {response.status_code}")
        found = response.json() if response.status_code < 300 else {}
        if not found.get("access_token"):
            raise NotAuthorised(
                system=self.name,
                call=call,
                status=response.status_code,
                mend=f"See connections.{self.name}.auth in conf/env.",
            )
        self._token = str(found["access_token"])
        lasts = float(found.get("expires_in", 600))
        self._until = time.monotonic() + max(lasts - _EARLY, lasts / 2)
