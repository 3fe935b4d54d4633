"""Tokens of OAuth 2.0 (RFC 6749, RFC 7523): fetched by one call, used by all."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import httpx

from goldenlake.declarations.connections import TokenAuth
from goldenlake.errors import NotAuthorised, ReplyLost
from goldenlake.io.replies import whole

_ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EARLY = 30.0
"""Seconds before its end at which a token is not used any more."""
_LASTS = 600.0
"""Seconds of a token that does not say for how long it is good."""
_LARGEST = 2**20
_CALL = "POST token_url"


@dataclass(kw_only=True)
class Tokens:
    """The token of one connection, as its declaration asks for it."""

    name: str
    declared: TokenAuth
    client: httpx.Client
    _token: str = ""
    _until: float = 0.0
    _fetching: Lock = field(default_factory=Lock)

    def current(self, *, refused: str = "") -> str:
        """A token that is still good and is not the one that was refused.

        Raises NotAuthorised where none is given, ReplyLost, CallRefused, httpx.TransportError.
        """
        with self._fetching:
            if self._token == refused or not self._token or time.monotonic() >= self._until:
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        question = self._question()
        with self.client.stream("POST", self.declared.token_url, data=question) as response:
            content = whole(response, system=self.name, call=_CALL, largest=_LARGEST)
        status = response.status_code
        if status >= 500 or status == 429:
            raise ReplyLost(system=self.name, call=_CALL, what=f"status {status}")
        found = _told(content) if status < 300 else {}
        if not found.get("access_token"):
            raise NotAuthorised(
                system=self.name,
                call=_CALL,
                status=status,
                mend=f"See connections.{self.name}.auth in conf/env.",
            )
        self._token = str(found["access_token"])
        lasts = _seconds(found.get("expires_in"))
        self._until = time.monotonic() + max(lasts - _EARLY, lasts / 2)

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


def _told(content: bytes) -> dict[str, Any]:
    """What a reply says; nothing where it is not an object of JSON."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(said: Any) -> float:
    try:
        seconds = float(said)
    except (TypeError, ValueError):
        return _LASTS
    return seconds if 0 < seconds < float("inf") else _LASTS
