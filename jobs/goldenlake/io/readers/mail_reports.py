"""Messages by which mail servers report on messages: what bounced, and who complained."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import BinaryIO

from goldenlake.io.readers.contract import (
    LONGEST,
    TOGETHER,
    TOGETHER_BYTES,
    Bad,
    Contract,
    Reading,
    Records,
    cut,
    field_records,
)

Fields = dict[str, str]
_STATUS, _FEEDBACK = "delivery-status", "feedback-report"
_REPORTS = {
    "message/delivery-status": _STATUS,
    "message/global-delivery-status": _STATUS,
    "message/feedback-report": _FEEDBACK,
}
_RETURNED = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")

#: Python joins the encoded words of a header in time that grows with the square of their number.
_LONGEST_DECODED = 2**16


class _NoReport(Exception):
    """A message of another kind, or one that breaks the standard."""


def read_mail_reports(stream: BinaryIO, contract: Contract, reading: Reading) -> Iterator[Records]:
    """One record for each recipient that a report names; a file is a message or an mbox.

    Delivery status notifications (RFC 3464, RFC 6533) and abuse reports (RFC 5965). A record's
    fields are those of the report, of the recipient and of the message that is reported on, as
    ``original_…``, all named as in the standard but in lower case and with ``_``. Beside them:
    ``report_type``, ``message_id`` and ``date`` of the report (ISO 8601, UTC), and ``recipient``,
    the address that was written to. Fields that no column asks for are left out.

    Rules that a message can break: ``not_a_report``, ``nul``, ``too_long``.
    """
    numbers: list[int] = []
    good: list[Fields] = []
    bad: list[Bad] = []
    first, held = reading.next_record, 0
    for message in _messages(stream):
        held += len(message)
        try:
            found = _read(message)
        except (_NoReport, RecursionError, ValueError, LookupError) as error:
            # Python's parser follows nesting, of parts as of an address's comments, to any depth.
            rule = str(error) if isinstance(error, _NoReport) else "not_a_report"
            bad.append(Bad(reading.next_record, rule, _as_it_came(message)))
            reading.next_record += 1
        else:
            good += found
            numbers += range(reading.next_record, reading.next_record + len(found))
            reading.next_record += len(found)
        if reading.next_record - first >= TOGETHER or held >= TOGETHER_BYTES:
            yield field_records(contract, numbers, good, bad, count=reading.next_record - first)
            numbers, good, bad, first, held = [], [], [], reading.next_record, 0
    if reading.next_record > first:
        yield field_records(contract, numbers, good, bad, count=reading.next_record - first)


def _messages(stream: BinaryIO) -> Iterator[bytes]:
    """Each message of the file; of one that is too long, as much as shows that."""
    lines: list[bytes] = []
    size, is_mbox, after_blank = 0, False, True
    while line := stream.readline(LONGEST + 1):
        if after_blank and line.startswith(b"From "):
            is_mbox = is_mbox or not lines
            if is_mbox:
                if lines:
                    yield b"".join(lines)
                lines, size, after_blank = [], 0, False
                continue
        after_blank = not line.strip()
        size += len(line)
        if size <= LONGEST + len(line):
            lines.append(line)
    if any(line.strip() for line in lines):
        yield b"".join(lines)


def _read(content: bytes) -> list[Fields]:
    """Raises _NoReport with the rule that the message breaks, or what Python's parser raises."""
    if len(content) > LONGEST:
        raise _NoReport("too_long")
    if b"\0" in content:
        raise _NoReport("nul")
    message = email.message_from_bytes(content)
    parts = list(message.walk())
    report = next((part for part in parts if part.get_content_type() in _REPORTS), None)
    if report is None:
        raise _NoReport("not_a_report")
    kind = _REPORTS[report.get_content_type()]
    of_all, *recipients = [found for found in _blocks(report) if found] or [{}]
    about = _headers(message)
    common = {
        "report_type": kind,
        "message_id": about.get("message_id", ""),
        "date": _instant(about.get("date")),
        **of_all,
        **_returned(parts[parts.index(report) + 1 :]),
    }
    if kind == _FEEDBACK:
        recipients = [{}]
    found = []
    for recipient in recipients:
        fields = {**common, **recipient}
        fields["recipient"] = _address(fields)
        found.append({name: value for name, value in fields.items() if value})
    if not any("recipient" in fields for fields in found):
        raise _NoReport("not_a_report")
    return found


def _blocks(part: Message) -> Iterator[Fields]:
    """Groups of fields, between which a report has blank lines; the first is about all.

    Of some kinds Python's parser has made messages: of one group each, or of the first one, with
    the others as its text.
    """
    payload = part.get_payload()
    if isinstance(payload, list):
        for inner in payload:
            if isinstance(inner, Message):
                yield _headers(inner)
                yield from _blocks(inner)
        return
    text = part.get_payload(decode=True)
    for group in re.split(rb"\r?\n\s*\r?\n", text if isinstance(text, bytes) else b""):
        yield _headers(email.message_from_bytes(group.lstrip()))


def _returned(parts: list[Message]) -> Fields:
    """The headers of the message that is reported on, whether it came whole or not."""
    for part in parts:
        if part.get_content_type() not in _RETURNED:
            continue
        payload = part.get_payload(decode=True)
        inner = part.get_payload()
        original = (
            inner[0]
            if isinstance(inner, list) and inner and isinstance(inner[0], Message)
            else email.message_from_bytes(payload if isinstance(payload, bytes) else b"")
        )
        return {f"original_{name}": value for name, value in _headers(original).items()}
    return {}


def _headers(message: Message) -> Fields:
    return {
        key.strip().lower().replace("-", "_"): _text(value) for key, value in message.raw_items()
    }


def _address(fields: Fields) -> str:
    """Whom we wrote to: an alias may have led to another address, which we do not know."""
    original, final = (
        _mailbox(fields.get(name, "")) for name in ("original_recipient", "final_recipient")
    )
    if original or final:
        # Postfix writes the original as it stands.
        is_plain = original.casefold() == final.casefold()
        return original if is_plain else _decoded(original) or final
    if fields["report_type"] == _STATUS:
        return ""
    named = getaddresses([fields.get("original_rcpt_to") or fields.get("original_to", "")])
    return named[0][1] if len(named) == 1 else ""


def _mailbox(told: str) -> str:
    """Of a recipient's address, which stands behind its type; empty for one of another type."""
    kind, _, address = told.rpartition(";")
    return address.strip().strip("<>") if kind.strip().lower() in ("rfc822", "utf-8", "") else ""


def _decoded(written: str) -> str:
    """What an xtext stands for. It has codes (+XX) of + and = and of what is no printable ASCII
    (RFC 3461, section 4); others are no codes, but the address as it stands.
    """

    def plain(code: re.Match[str]) -> str:
        letter = chr(int(code[1], 16))
        return code[0] if "!" <= letter <= "~" and letter not in "+=" else letter

    return re.sub(r"\+([0-9A-F]{2})", plain, written).strip()


def _text(value: object) -> str:
    """A header on one line, decoded unless it is longer than any honest one; bytes that are no text
    become U+FFFD.
    """
    written = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if len(written) > _LONGEST_DECODED:
        return " ".join(written.split())
    with suppress(MessageError, LookupError, ValueError):
        written = str(make_header(decode_header(written)))
    return " ".join(written.encode("utf-8", "replace").decode("utf-8").split())


def _instant(value: object) -> str:
    try:
        found = parsedate_to_datetime(str(value))
    except (TypeError, ValueError, OverflowError):
        return ""
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _as_it_came(message: bytes) -> str:
    return cut(message[:LONGEST].decode("utf-8", "surrogateescape").replace("\0", ""))
