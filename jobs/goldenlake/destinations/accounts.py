"""What kinds that speak to an account of ``conf/env`` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from goldenlake.declarations.destination import Destination
from goldenlake.errors import CallRefused
from goldenlake.ports import Api, Capabilities, Delivery, Outside, Reply

TargetT = TypeVar("TargetT")
KindT = TypeVar("KindT")
FoundT = TypeVar("FoundT")
_ABSENT = 404


@dataclass(frozen=True, kw_only=True)
class Account(Generic[TargetT]):
    """A destination in an account that has nothing to close after a delivery."""

    destination: str
    target: TargetT
    api: Api
    capabilities: Capabilities

    def finish(self, delivery: Delivery) -> None:
        """Nothing is left to do."""


def open_account(
    kind: Callable[..., KindT],
    destination: Destination,
    outside: Outside,
    *,
    can: Capabilities,
) -> KindT:
    """A kind over the account of its target's connection."""
    target: Any = destination.target
    return kind(
        destination=destination.destination,
        target=target,
        api=outside.api(target.connection),
        capabilities=can,
    )


@dataclass(frozen=True)
class Known(Generic[FoundT]):
    """Things of a system by their names, each looked for once, however many threads ask."""

    _found: dict[str, FoundT] = field(default_factory=dict)
    _finding: Lock = field(default_factory=Lock)

    def of(self, name: str, find: Callable[[str], FoundT]) -> FoundT:
        """What ``find`` gave for the name when it was first asked for."""
        with self._finding:
            if name not in self._found:
                self._found[name] = find(name)
            return self._found[name]


def there(api: Api, method: str, path: str, **others: Any) -> Reply | None:
    """The reply to a call about one thing; None where the system does not have it."""
    try:
        return api.call(method, path, **others)
    except CallRefused as refusal:
        if refusal.status == _ABSENT:
            return None
        raise


def token_of(url: str | None, name: str) -> str | None:
    """What a parameter is in the address of a following page; None where there is none."""
    found: Iterator[str] = iter(parse_qs(urlsplit(url or "").query).get(name, ()))
    return next(found, None)
