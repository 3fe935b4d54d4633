"""Asks a system for records, page by page, as a source's origin declares it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import stamina

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.nested import at
from goldenlake.declarations.pulls import (
    ApiOrigin,
    HighWater,
    NextToken,
    NextUrl,
    Offset,
    OnePage,
    PageNumber,
    RangeHeader,
)
from goldenlake.errors import CallRefused, ContractBroken, ListMoved, Throttled, TransientError
from goldenlake.io.json_api import with_included
from goldenlake.io.typed_values import plain
from goldenlake.patience import Sleep, patiently
from goldenlake.ports import Api, Reply

_ATTEMPTS = 5
_ERRORS = ("error", "errors", "fault", "error_code", "errorCode")
_NOTHING_THERE = 416
"""Of a range behind the last record: RFC 9110, section 15.5.17."""


def pulled(
    api: Api,
    origin: ApiOrigin,
    *,
    source: str,
    since: str | None,
    as_of: date,
    sleep: Sleep = time.sleep,
) -> Iterator[dict[str, Any]]:
    """Records from ``since`` on, as ``high_water`` wrote it the night before; None: the first.

    Raises ContractBroken where a reply is not as declared, TransientError, CallRefused; ListMoved
    where the list moved under the pages, and what came must be asked for anew.
    """
    filled = {"as_of": as_of.isoformat()}
    if origin.high_water is not None:
        filled["since"] = _asked_from(origin.high_water, since)
    for reply, again in _pages(api, source, origin, filled, sleep):
        for record in _read(source, origin, reply, again):
            lifted = {name: at(record, path) for name, path in origin.fields.items()}
            yield {**record, **lifted}


def instant(text: str) -> datetime:
    """ISO 8601, or seconds or milliseconds since 1970. Raises ValueError."""
    try:
        number = float(text)
    except ValueError:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (OverflowError, OSError):
        raise ValueError(f"{number} seconds since 1970 are in no year") from None


def _asked_from(high_water: HighWater, since: str | None) -> str:
    moment = instant(since or high_water.start)
    if since is not None:
        moment -= parse_duration(high_water.overlap)
    match high_water.write:
        case "iso":
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case "date":
            return moment.astimezone(UTC).date().isoformat()
        case "epoch":
            return str(int(moment.timestamp()))
        case "epoch_millis":
            return str(int(moment.timestamp() * 1000))


def _pages(
    api: Api,
    source: str,
    origin: ApiOrigin,
    filled: Mapping[str, str],
    sleep: Sleep,
) -> Iterator[tuple[Any, int]]:
    """Replies, and how many records at the beginning of each the reply before had as well.

    What is counted is asked for from the last record on that came: if another stands there, the
    list moved, and a record may have moved up past the place that is read next.
    """
    path: str = origin.path.format_map(filled)
    params: dict[str, Any] = _filled(origin.params, filled)
    params |= {name: _encoded(text.format_map(filled)) for name, text in origin.encoded.items()}
    body = _filled(origin.body, filled)
    headers = dict(origin.headers)
    paging = origin.paging
    more: dict[str, Any] = {}
    seen = again = 0
    last: Any = None
    known: set[str] = set()
    for number in range(origin.most_pages):
        match paging:
            case Offset():
                more = {paging.param: paging.start + seen - again, paging.size_param: paging.size}
            case PageNumber():
                more = {paging.param: paging.start + number, paging.size_param: paging.size}
            case RangeHeader():
                first = seen - again
                headers["Range"] = f"{paging.unit}={first}-{first + paging.size}"
        in_body = origin.method == "POST"
        try:
            answer, reply = _called(
                api,
                origin.method,
                path,
                sleep,
                params=params | ({} if in_body else more) or None,
                json=({**body, **more} if in_body else None),
                headers=headers or None,
            )
        except CallRefused as refusal:
            if not isinstance(paging, RangeHeader) or refusal.status != _NOTHING_THERE:
                raise
            if again:
                raise ListMoved(source=source, path=origin.path) from None
            return
        _refuse_again(known, reply, source, origin)
        yield reply, again
        match paging:
            case OnePage():
                return
            case NextToken():
                token = at(reply, paging.path)
                if not token:
                    return
                _refuse_what_is_no_text(token, source, origin)
                more = {paging.param: token}
            case NextUrl():
                following = at(reply, paging.path)
                if not following:
                    return
                path, params = str(following), {}
            case Offset() | PageNumber() | RangeHeader():
                records = (reply if origin.records is None else at(reply, origin.records)) or []
                if again and records[:1] != [last]:
                    raise ListMoved(source=source, path=origin.path)
                found = len(records) - again
                seen += found
                if not found or (isinstance(paging, RangeHeader) and _is_all(answer, seen)):
                    return
                # Of pages of one record nothing would be new.
                again = int(len(records) > 1 and not isinstance(paging, PageNumber))
                last = records[-1]
    if origin.high_water is None:
        raise ContractBroken(
            source=source,
            file=origin.path,
            what=f"there are more than {origin.most_pages} pages.",
            mend="Raise origin.most_pages, or declare origin.high_water to go on the next night.",
        )


def _refuse_again(known: set[str], reply: Any, source: str, origin: ApiOrigin) -> None:
    """A system that leads in a circle, or gives one page whatever it is asked, never ends.

    A token alone may stay what it is while the pages go on.
    """
    records = reply if origin.records is None else at(reply, origin.records)
    way_on = at(reply, getattr(origin.paging, "path", ""))
    if not records and not way_on:
        return
    mark = hashlib.sha256(json.dumps([way_on, records]).encode()).hexdigest()
    if mark in known:
        raise ContractBroken(
            source=source,
            file=origin.path,
            what="a page comes again, or leads back to one that came.",
            mend="Correct origin.paging, or ask the system's owner.",
        )
    known.add(mark)


def _refuse_what_is_no_text(token: Any, source: str, origin: ApiOrigin) -> None:
    try:
        json.dumps(token, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ContractBroken(
            source=source,
            file=origin.path,
            what="the token of the next page is no text.",
            mend="Correct origin.paging, or ask the system's owner.",
        ) from None


def _is_all(reply: Reply, seen: int) -> bool:
    """Whether a ranged reply was the last; one without ``Content-Range`` is the whole."""
    told = reply.headers.get("content-range")
    total = told.rpartition("/")[2].strip() if told is not None else "0"
    return total.isdigit() and seen >= int(total)


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _called(api: Api, method: str, path: str, sleep: Sleep, **others: Any) -> tuple[Reply, Any]:
    """The reply to one call and its JSON, patiently: reading again is harmless."""
    for attempt in stamina.retry_context(on=_is_worth_a_try, attempts=_ATTEMPTS, timeout=None):
        with attempt:
            reply = patiently(lambda: api.call(method, path, **others), sleep=sleep)
            return reply, reply.json()
    raise AssertionError("the last attempt returns or raises")


def _is_worth_a_try(error: Exception) -> bool:
    """Throttles were waited for as long as anybody is."""
    return isinstance(error, TransientError) and not isinstance(error, Throttled)


def _read(source: str, origin: ApiOrigin, reply: Any, again: int) -> Iterator[dict[str, Any]]:
    if _tells_of_an_error(reply, origin):
        raise ContractBroken(
            source=source,
            file=origin.path,
            what="the reply tells of an error instead of records.",
            mend="Ask the system's owner, or correct origin.",
        )
    found = _list_at(reply, origin.records, source, origin, "records")
    records: Iterable[dict[str, Any]] = found[again:]
    match origin.values:
        case "tryton":
            records = map(plain, records)
        case "json_api":
            records = with_included(records, at(reply, "included") or ())
    if origin.each is None:
        yield from _whole(records, source, origin)
        return
    for record in _whole(records, source, origin):
        for element in _list_at(record, origin.each, source, origin, "each"):
            yield {**record, "each": element}


def _whole(
    records: Iterable[dict[str, Any]], source: str, origin: ApiOrigin
) -> Iterator[dict[str, Any]]:
    try:
        yield from records
    except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError):
        raise ContractBroken(
            source=source,
            file=origin.path,
            what=f"a record has no values as {origin.values} has them.",
            mend="Correct origin.values, or ask the system's owner.",
        ) from None


def _tells_of_an_error(reply: Any, origin: ApiOrigin) -> bool:
    """Whether an error stands where the list should; some systems leave out a list without any."""
    if reply is not None and not isinstance(reply, dict | list):
        return True
    is_absent = origin.records is not None and at(reply, origin.records) is None
    return is_absent and any(at(reply, name) for name in _ERRORS)


def _list_at(
    value: Any, path: str | None, source: str, origin: ApiOrigin, declared: str
) -> list[dict[str, Any]]:
    found = value if path is None else at(value, path)
    if found is None:
        found = []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ContractBroken(
            source=source,
            file=origin.path,
            what=f"the reply has no list of records at {path or 'its top'}.",
            mend=f"Correct origin.{declared}.",
        )
    return found


def _filled(value: Any, filled: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(filled)
    if isinstance(value, dict):
        return {name: _filled(each, filled) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, filled) for each in value]
    return {} if value is None else value
