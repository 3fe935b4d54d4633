"""HTTP calls to one account of one system: within its limits, as nobody else, to no other host."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from operator import itemgetter
from threading import BoundedSemaphore
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
from goldenlake.errors import (
    CallRefused,
    HostRefused,
    NotAuthorised,
    ReplyLost,
    SetupError,
    Throttled,
)
from goldenlake.io.certificates import why_refused
from goldenlake.io.replies import NoEnd, transport, whole
from goldenlake.io.tokens import Tokens
from goldenlake.ports import Published, Reply

_NO_WAIT_SAID = 10.0
"""Seconds to wait where a system that throttles does not say for how long."""
_PORTS = {"http": 80, "https": 443}
_ABSOLUTE = re.compile(r"(?P<scheme>https?://)(?:[^/?#]*@)?(?P<host>[^/?#]{0,200})", re.IGNORECASE)
_NO_ADDRESS = (httpx.InvalidURL, ValueError)
_LONGEST_SHOWN = 200


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
    trusted = connection.ca_file
    client = httpx.Client(
        timeout=connection.timeout_seconds,
        follow_redirects=False,
        trust_env=False,
        transport=transport(
            verify=ssl.create_default_context(cafile=trusted) if trusted else True,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
        ),
        headers={"user-agent": "goldenlake", **connection.headers},
    )
    return HttpApi(
        name=name,
        connection=connection,
        limiter=Limiter(limits) if limits else None,
        slots=BoundedSemaphore(connection.concurrency or published.concurrency),
        client=client,
        auth=_auth(name, connection, client),
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
    lost replies; every other status from 300 on is a refusal. So is a certificate that is not to
    be trusted.
    """

    name: str
    connection: Connection
    client: httpx.Client
    limiter: Limiter | None
    slots: BoundedSemaphore
    auth: httpx.Auth | Tokens | None
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
        url = self._url(said, path, ids, params)
        is_elsewhere = _host(url) != _host(self.connection.base_url)
        if self.limiter is not None:
            self.limiter.try_acquire(self.name)
        sent = {"json": json, "content": content}
        # Nobody but the system itself is told who we are.
        auth = None if is_elsewhere else self.auth
        with self.slots:
            try:
                response, received = self._answered(said, method, url, auth, headers or {}, sent)
            except httpx.TransportError as error:
                raise self._failed(said, error) from None
        return self._judged(said, response, received)

    def close(self) -> None:
        """Let the connections go."""
        self.client.close()

    def _url(
        self,
        said: str,
        path: str,
        ids: Mapping[str, str] | None,
        params: Mapping[str, str | int | list[str]] | None,
    ) -> httpx.URL:
        """The address that is called, judged as it is called. Raises HostRefused."""
        base_url = self.connection.base_url
        if ids is not None:
            path = path.format_map({name: quote(value, safe="") for name, value in ids.items()})
        if not _ABSOLUTE.match(path):
            path = base_url + (path if path[:1] in ("", "/", "?") else f"/{path}")
        try:
            url = httpx.URL(path, params=dict(params)) if params else httpx.URL(path)
        except _NO_ADDRESS:
            raise HostRefused(system=self.name, call=said, host="no address") from None
        known = {_host(f"{url.scheme}://{host}") for host in _hosts_of(self.connection)}
        is_encrypted = url.scheme == "https" or base_url.startswith("http:")
        if _host(url) not in known or not is_encrypted:
            raise HostRefused(system=self.name, call=said, host=_host(url) or "no address")
        return url

    def _answered(
        self,
        said: str,
        method: str,
        url: httpx.URL,
        auth: httpx.Auth | Tokens | None,
        headers: Mapping[str, str],
        sent: Mapping[str, Any],
    ) -> tuple[httpx.Response, bytes]:
        """A reply and its content; where a token is refused, those to another token."""

        def exchanged(auth: httpx.Auth | None, **more: str) -> tuple[httpx.Response, bytes]:
            with self.client.stream(
                method, url, headers={**headers, **more}, auth=auth, **sent
            ) as response:
                return response, whole(response, system=self.name, call=said)

        if not isinstance(auth, Tokens):
            return exchanged(auth)
        used = auth.current()
        found = exchanged(None, Authorization=f"Bearer {used}")
        if found[0].status_code == 401:
            used = auth.current(refused=used)
            found = exchanged(None, Authorization=f"Bearer {used}")
        return found

    def _failed(self, said: str, error: httpx.TransportError) -> ReplyLost | SetupError:
        if wrong := why_refused(error):
            return SetupError(
                f"{self.name}: {said}: the server's certificate is refused: {wrong}. Nothing was "
                "sent to it.",
                mend="Ask its owner to mend it; if an authority of your own issued it, name that "
                f"in connections.{self.name}.ca_file in conf/env.",
            )
        what = str(error) if isinstance(error, NoEnd) else f"no reply ({type(error).__name__})"
        return ReplyLost(system=self.name, call=said, what=what)

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
    if found := _ABSOLUTE.match(path):
        return f"{found['scheme']}{found['host']}/…"
    return re.split(r"[?#]", path, maxsplit=1)[0][:_LONGEST_SHOWN]


def _host(url: str | httpx.URL) -> str:
    """With the port where it is not that of the scheme; empty where there is no address."""
    try:
        return httpx.URL(url).netloc.decode().lower()
    except _NO_ADDRESS:
        return ""


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds of a Retry-After, which is a number or a date: RFC 9110, section 10.2.3."""
    said = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said).astimezone(UTC)
    except (ValueError, OverflowError):
        return _NO_WAIT_SAID
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _auth(name: str, connection: Connection, client: httpx.Client) -> httpx.Auth | Tokens | None:
    match connection.auth:
        case NoAuth():
            return None
        case HeaderAuth() as declared:
            return _Header(declared)
        case BasicAuth() as declared:
            return _Basic(declared)
        case TokenAuth() as declared:
            return Tokens(name=name, declared=declared, client=client)


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
