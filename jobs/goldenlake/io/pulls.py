"""Asks a system for records, page by page, as a source's origin declares it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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


@dataclass
class Newest:
    """How new the newest record is of those that came in one pull, as it tells it itself."""

    source: str
    origin: ApiOrigin
    told: str | None = None
    """As ``high_water.field`` of the record has it; None: no record came, or none tells it."""
    _came: dict[bytes, datetime] = field(default_factory=dict)

    def take(self, record: Mapping[str, Any]) -> bool:
        """Whether the record did not come before, as those do that a page was asked from.

        Raises ContractBroken where it does not tell how new it is.
        """
        high_water = self.origin.high_water
        if high_water is None:
            return True
        found = str(at(record, high_water.field))
        try:
            moment = instant(found)
        except ValueError:
            raise ContractBroken(
                source=self.source,
                file=self.origin.path,
                what=f"{high_water.field} of a record is no instant.",
                mend="Correct origin.high_water.field.",
            ) from None
        if self.told is None or moment > instant(self.told):
            self.told = found
        if not high_water.keyset:
            return True
        mark = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
        is_new = mark not in self._came
        self._came[mark] = moment
        return is_new

    def forget_before(self, moment: datetime) -> None:
        """Of records that no page can bring again."""
        self._came = {mark: at for mark, at in self._came.items() if at >= moment}


def later(one: str | None, other: str | None) -> str | None:
    """The later of two instants, as they are written."""
    return max((each for each in (one, other) if each), key=instant, default=None)


def pulled(
    api: Api,
    origin: ApiOrigin,
    *,
    since: str | None,
    newest: Newest,
    as_of: date,
    sleep: Sleep = time.sleep,
) -> Iterator[dict[str, Any]]:
    """Records from ``since`` on, as ``high_water`` wrote it the night before; None: the first.

    ``newest`` is told of each. Raises ContractBroken where a reply is not as declared, or where
    ``most_pages`` bring nothing newer than ``since``; TransientError, CallRefused; ListMoved
    where the list moved under the pages, and what came must be asked for anew.
    """
    source = newest.source
    for reply, again in _pages(api, origin, since, newest, as_of, sleep):
        for record in _read(source, origin, reply, again):
            lifted = {name: at(record, path) for name, path in origin.fields.items()}
            whole = {**record, **lifted}
            if newest.take(whole):
                yield whole


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


def _first_asked(high_water: HighWater, since: str | None) -> datetime:
    if since is None:
        return instant(high_water.start)
    return instant(since) - parse_duration(high_water.overlap)


def _written(moment: datetime, high_water: HighWater) -> str:
    match high_water.write:
        case "iso":
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case "date":
            return moment.astimezone(UTC).date().isoformat()
        case "epoch":
            return str(int(moment.timestamp()))
        case "epoch_millis":
            return str(int(moment.timestamp() * 1000))


@dataclass
class _Question:
    """What is asked for, from some moment on."""

    path: str
    params: dict[str, Any]
    body: dict[str, Any]

    @classmethod
    def of(cls, origin: ApiOrigin, since: str, as_of: date) -> _Question:
        filled = {"as_of": as_of.isoformat(), "since": since}
        params = _filled(origin.params, filled)
        encoded = {n: _encoded(text.format_map(filled)) for n, text in origin.encoded.items()}
        return cls(origin.path.format_map(filled), params | encoded, _filled(origin.body, filled))


def _pages(
    api: Api,
    origin: ApiOrigin,
    since: str | None,
    newest: Newest,
    as_of: date,
    sleep: Sleep,
) -> Iterator[tuple[Any, int]]:
    """Replies, and how many records at the beginning of each the reply before had as well.

    What is counted is asked for from the last record on that came: if another stands there, the
    list moved, and a record may have moved up past the place that is read next. Where the order is
    that of high_water, the next page is asked from the newest record on instead.
    """
    source, high_water, paging = newest.source, origin.high_water, origin.paging
    asked = "" if high_water is None else _written(_first_asked(high_water, since), high_water)
    question = _Question.of(origin, asked, as_of)
    headers = dict(origin.headers)
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
                question.path,
                sleep,
                params=question.params | ({} if in_body else more) or None,
                json=({**question.body, **more} if in_body else None),
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
                question = replace(question, path=str(following), params={})
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
        if high_water is not None and high_water.keyset and newest.told is not None:
            from_newest = _written(instant(newest.told), high_water)
            if instant(from_newest) > instant(asked):
                asked, more, known = from_newest, {}, set()
                question = _Question.of(origin, asked, as_of)
                newest.forget_before(instant(asked))
    _refuse_to_stand_still(origin, since, newest)


def _refuse_to_stand_still(origin: ApiOrigin, since: str | None, newest: Newest) -> None:
    """More pages than may be read are left for the next night, which goes on from what is newer."""
    if origin.high_water is None:
        what, mend = "", "declare origin.high_water to go on the next night"
    elif later(since, newest.told) == since:
        what, mend = ", and these tell nothing newer", "shorten origin.high_water.overlap"
    else:
        return
    raise ContractBroken(
        source=newest.source,
        file=origin.path,
        what=f"there are more than {origin.most_pages} pages{what}.",
        mend=f"Raise origin.most_pages, or {mend}.",
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
