"""``connections`` of ``conf/env/<name>.yml``: systems that are spoken to over HTTP, and as whom."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from goldenlake.declarations.base import Declaration, SecretReference


def _checked_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no address; write it like https://api.example.com")
    if parts.username or parts.password:
        raise ValueError("has a user or a password in it; name them under auth, by reference")
    if parts.query or parts.fragment:
        raise ValueError("has a query or a fragment; an address ends with its path")
    if parts.scheme == "http" and not is_this_machine(parts.hostname):
        raise ValueError("is not encrypted; write https (http is for this machine alone)")
    return text.rstrip("/")


def is_this_machine(host: str) -> bool:
    """Whether a name or an address never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Url = Annotated[str, AfterValidator(_checked_url), Field(json_schema_extra={"format": "uri"})]
"""An address without credentials; over HTTPS unless it is this machine's own."""


class NoAuth(Declaration):
    """A system that asks nobody who they are."""

    kind: Literal["none"]


class HeaderAuth(Declaration):
    """A key in a header: ``Authorization: Bearer <key>`` unless said otherwise."""

    kind: Literal["header"]
    value: SecretReference
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z][A-Za-z0-9-]*$")
    prefix: str = Field(default="Bearer ", description="What stands before the key.")


class BasicAuth(Declaration):
    """A user and a password, RFC 7617."""

    kind: Literal["basic"]
    user: str = Field(default="", description="A name; a secret one goes by user_from.")
    user_from: SecretReference | None = None
    password: SecretReference


class TokenAuth(Declaration):
    """A short-lived token, fetched when it is needed and again after a 401: OAuth 2.0, RFC 6749.

    ``client_credentials`` (section 4.4), ``refresh_token`` (section 6), or ``jwt_bearer`` (RFC
    7523), which signs with a private key, as Salesforce and Google want it.
    """

    kind: Literal["oauth2"]
    grant: Literal["client_credentials", "refresh_token", "jwt_bearer"]
    token_url: Url
    client_id: SecretReference | None = None
    client_secret: SecretReference | None = None
    refresh_token: SecretReference | None = None
    private_key: SecretReference | None = Field(default=None, description="PEM, for jwt_bearer.")
    issuer: SecretReference | None = Field(
        default=None, description="iss of the assertion; client_id where left out."
    )
    subject: SecretReference | None = Field(
        default=None, description="sub of the assertion: on whose behalf."
    )
    audience: str | None = Field(default=None, description="aud; token_url where left out.")
    scopes: list[str] = Field(default=[])

    @model_validator(mode="after")
    def _has_what_its_grant_needs(self) -> Self:
        needed = {
            "client_credentials": ("client_id", "client_secret"),
            "refresh_token": ("client_id", "refresh_token"),
            "jwt_bearer": ("private_key",),
        }[self.grant]
        lacking = [name for name in needed if getattr(self, name) is None]
        if self.grant == "jwt_bearer" and not (self.issuer or self.client_id):
            lacking.append("issuer")
        if lacking:
            raise ValueError(f"grant {self.grant} needs {' and '.join(lacking)}")
        return self


Auth = Annotated[NoAuth | HeaderAuth | BasicAuth | TokenAuth, Field(discriminator="kind")]


def secrets_of(auth: Auth) -> dict[str, SecretReference]:
    """The secrets that an ``auth`` refers to, by its keys."""
    return {key: value for key, value in auth if isinstance(value, SecretReference)}


class CallRate(Declaration):
    """So many calls in so many seconds, as the system publishes it for an account."""

    calls: int = Field(ge=1)
    seconds: float = Field(gt=0)


System = Literal[
    "google",
    "hubspot",
    "klaviyo",
    "mailchimp",
    "mailman",
    "meta",
    "other",
    "salesforce",
    "sendgrid",
    "tryton",
]


class Connection(Declaration):
    """An account of a system with an HTTP API. Limits left out are those that it publishes."""

    base_url: Url
    system: System = Field(
        default="other",
        description="Whose limits and throttles count, for what is asked as for what is sent.",
    )
    auth: Auth
    headers: dict[str, str] = Field(default={}, description="Sent with every call; no secrets.")
    hosts: list[str] = Field(
        default=[],
        description="Other hosts to which the system may send us, such as a store of its results. "
        "Credentials are never sent there.",
    )
    rates: list[CallRate] | None = Field(
        default=None, description="Limits of the account, where they are not the published ones."
    )
    reserve: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of each limit that is left to other programs of the account.",
    )
    concurrency: int | None = Field(default=None, ge=1, description="Calls at one time.")
    throttle_statuses: list[int] = Field(
        default=[], description="Statuses that ask to wait, besides 429 and those of the system."
    )
    timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Silence after which a system does not answer: to connect, and between two "
        "pieces of a reply. A whole call ends after 15 minutes.",
    )
    ca_file: str | None = Field(
        default=None, description="Certificates to trust instead of the machine's own."
    )
