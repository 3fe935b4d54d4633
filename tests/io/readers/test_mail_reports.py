"""Reports of mail servers, as Postfix, Exchange and feedback loops write them."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.io.readers.contract import LONGEST, Contract, Reading
from goldenlake.io.readers.mail_reports import read_mail_reports
from support.landed import source

WANTED = (
    "report_type", "message_id", "date", "recipient", "action", "status", "diagnostic_code",
    "feedback_type", "original_x_campaign",
)  # fmt: skip


def report(*groups: str, kind: str = "delivery-status", returned: str = "") -> bytes:
    """A multipart/report of one machine-readable part."""
    joined = "\n\n".join(textwrap.dedent(group).strip() for group in groups)
    original = textwrap.dedent(returned).strip() or "X-Campaign: spring\nTo: someone@example.com"
    return (
        "From: MAILER-DAEMON@mx.example.net\nTo: bounces@shop.example\n"
        "Message-ID: <77@mx.example.net>\nDate: Mon, 05 Jan 2026 10:00:00 +0100\n"
        f"Subject: Undelivered\nContent-Type: multipart/report; report-type={kind}; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nI am sorry.\n"
        f"--b\nContent-Type: message/{kind}\n\n{joined}\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{original}\n\nDear all\n--b--\n"
    ).encode()


POSTFIX = report(
    """
    Reporting-MTA: dns; mx.example.net
    Arrival-Date: Mon,  5 Jan 2026 09:59:58 +0100 (CET)
    """,
    """
    Final-Recipient: rfc822; anna@example.com
    Original-Recipient: rfc822;anna+2Bnews@example.com
    Action: failed
    Status: 5.1.1
    Remote-MTA: dns; mx.example.com
    Diagnostic-Code: smtp; 550 5.1.1 <anna@example.com>: user
        unknown
    """,
    """
    Final-Recipient: rfc822; <bob@example.com>
    Action: delayed
    Status: 4.4.1
    """,
)


def read(content: bytes, of: tuple[str, ...] = WANTED) -> tuple[list[dict[str, Any]], list[str]]:
    """The records as their fields, and the rules that were broken."""
    contract = Contract.of(source(*of, format={"kind": "mail_reports"}))
    rows: list[dict[str, Any]] = []
    broken: list[str] = []
    numbers: list[int] = []
    for records in read_mail_reports(io.BytesIO(content), contract, Reading()):
        assert records.count == len(records.numbers) + len(records.bad)
        columns, extra = records.made
        assert extra is None
        rows += [
            {name: column[at].as_py() for name, column in columns.items()}
            for at in range(len(records.numbers))
        ]
        broken += [bad.rule for bad in records.bad]
        numbers += [*records.numbers, *(bad.record for bad in records.bad)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    return rows, broken


def test_every_recipient_of_a_report_is_a_record_under_the_address_that_was_written_to() -> None:
    (anna, bob), broken = read(POSTFIX)

    assert not broken
    assert anna == {
        "report_type": "delivery-status",
        "message_id": "<77@mx.example.net>",
        "date": "2026-01-05T09:00:00+00:00",
        "recipient": "anna+news@example.com",
        "action": "failed",
        "status": "5.1.1",
        "diagnostic_code": "smtp; 550 5.1.1 <anna@example.com>: user unknown",
        "feedback_type": None,
        "original_x_campaign": "spring",
    }
    assert (bob["recipient"], bob["action"]) == ("bob@example.com", "delayed")


@pytest.mark.parametrize(
    ("original", "final", "recipient"),
    [
        # Postfix writes down what it was told by RCPT TO as it stands.
        ("ann+61@example.com", "ann+61@example.com", "ann+61@example.com"),
        ("ann+2B@example.com", "<Ann+2B@example.com>", "ann+2B@example.com"),
        ("ann+61@example.com", "desk@example.net", "ann+61@example.com"),
        # An xtext writes these alone as codes.
        ("ann+2B61@example.com", "ann+61@example.com", "ann+61@example.com"),
        ("a+3Db+20c+E9@example.com", "desk@example.net", "a=b cé@example.com"),
    ],
)
def test_what_an_original_recipient_writes_down_is_decoded_where_it_is_a_code(
    original: str, final: str, recipient: str
) -> None:
    whom = f"Final-Recipient: rfc822; {final}\nOriginal-Recipient: rfc822;{original}"
    [found], _ = read(report("Reporting-MTA: dns; mx", f"{whom}\nAction: failed"))
    assert found["recipient"] == recipient


def test_a_complaint_names_whom_we_wrote_to_or_is_found_in_the_returned_message() -> None:
    about = "Feedback-Type: abuse\nUser-Agent: Loop/1\nVersion: 1"
    named = report(f"{about}\nOriginal-Rcpt-To: <eva@example.com>", kind="feedback-report")
    unnamed = report(about, kind="feedback-report", returned="To: Eva <eva@example.com>")
    redacted = report(about, kind="feedback-report", returned="Subject: no address any more")

    for complaint in (named, unnamed):
        [found], _ = read(complaint)
        assert (found["recipient"], found["feedback_type"]) == ("eva@example.com", "abuse")
    assert read(redacted) == ([], ["not_a_report"])


def test_an_mbox_holds_many_messages_and_text_that_begins_like_one_does_not_split() -> None:
    away = b"From: bob@example.com\nSubject: Away\n\nBack soon.\nFrom Monday on.\n\n>From here\n"
    mbox = b"".join(b"From x Mon Jan  5\n" + each + b"\n" for each in (POSTFIX, away, POSTFIX))

    rows, broken = read(mbox)

    assert [row["recipient"] for row in rows] == ["anna+news@example.com", "bob@example.com"] * 2
    assert broken == ["not_a_report"]
    assert len(read(POSTFIX.replace(b"I am sorry.", b"\nFrom Monday on."))[0]) == 2


def test_names_beyond_ascii_are_read_as_they_are_meant() -> None:
    about = "Reporting-MTA: dns; mx"
    whom = "Final-Recipient: utf-8; зоя@example.com\nAction: failed\nStatus: 5.1.1"
    [zoya], _ = read(report(about, whom, kind="global-delivery-status"))
    assert zoya["recipient"] == "зоя@example.com"

    coded = report(about, whom, returned="X-Campaign: =?utf-8?q?fr=C3=BChling?=")
    assert read(coded)[0][0]["original_x_campaign"] == "frühling"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"Subject: hello\n\nHow are you?\n", "not_a_report"),
        (POSTFIX.replace(b"Reporting-MTA", b"\0"), "nul"),
        (POSTFIX + b"x" * LONGEST, "too_long"),
        (report("Reporting-MTA: dns; mx"), "not_a_report"),
        (report("Reporting-MTA: dns; mx", "Final-Recipient: x400; c=de"), "not_a_report"),
        (b"".join(b"Content-Type: message/rfc822\n\n" for _ in range(5_000)), "not_a_report"),
        (report("Original-Rcpt-To: " + "(" * 2_000, kind="feedback-report"), "not_a_report"),
        (report("Original-Rcpt-To: " + "a:" * 2_000, kind="feedback-report"), "not_a_report"),
    ],
)
def test_a_message_that_is_no_report_is_set_aside_whole(content: bytes, rule: str) -> None:
    assert read(content) == ([], [rule])


def test_a_folder_of_nothing_gives_nothing() -> None:
    assert read(b"") == read(b"\n\n") == ([], [])


@given(st.data())
def test_a_damaged_report_is_a_record_or_set_aside_and_stops_nothing(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(POSTFIX)))
    end = data.draw(st.integers(start, len(POSTFIX)))
    damaged = POSTFIX[:start] + data.draw(st.binary(max_size=40)) + POSTFIX[end:]

    rows, _ = read(b"From x\n" + damaged + b"\n\nFrom y\n" + POSTFIX)

    assert [row["recipient"] for row in rows[-2:]] == ["anna+news@example.com", "bob@example.com"]
