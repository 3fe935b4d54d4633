"""A night after bounces and complaints came in by SMTP, to a server that takes in what comes."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from goldenlake.cli.installation import PROJECT
from goldenlake.errors import ExitCode
from goldenlake.io.tables import DeltaTables
from support.newsletter import READERS, write
from support.scenario import Scenario, scenario
from support.servers import free_port

DAY = date(2026, 3, 1)


@pytest.fixture
def at(tables: DeltaTables, tmp_path: Path) -> Scenario:
    found = scenario("live_systems", tmp_path / "home", tables)
    conf = found.home / "conf"
    example = PROJECT / "examples" / "mail_server" / "sources" / "mail_bounces.yml"
    (conf / "sources" / example.name).write_text(example.read_text())
    (conf / "destinations").mkdir()
    (conf / "destinations" / "readers.yml").write_text(READERS)
    local = conf / "env" / "local.yml"
    local.write_text(
        local.read_text().replace(
            "places:\n", "places:\n  exports: {kind: folder, path: exports}\n", 1
        )
    )
    (found.home / "exports").mkdir()
    return found


@pytest.fixture
def inbox(at: Scenario) -> Iterator[smtplib.SMTP]:
    """A connection to the server behind the address that bounces go to; it keeps a Maildir."""
    server = Controller(Mailbox(str(at.drops / "bounces")), hostname="127.0.0.1", port=free_port())
    server.start()
    with smtplib.SMTP(server.hostname, server.port) as connection:
        yield connection
    server.stop()


def reported(inbox: smtplib.SMTP, kind: str, fields: str) -> None:
    name = kind.partition("-")[0]
    inbox.sendmail(
        "",
        ["bounces@shop.example"],
        f"Message-ID: <{abs(hash(fields))}@mx.example>\nDate: Sat, 28 Feb 2026 20:00:00 +0000\n"
        f"Content-Type: multipart/report; report-type={kind}; boundary={name}\n\n--{name}\n"
        f"Content-Type: message/{kind}\n\n{fields}\n--{name}\nContent-Type: text/rfc822-headers\n\n"
        f"X-Campaign: spring\n--{name}--\n",
    )


def bounced(inbox: smtplib.SMTP, who: str, status: str, action: str = "failed") -> None:
    about = f"Final-Recipient: rfc822; {who}@example.com\nAction: {action}\nStatus: {status}\n"
    reported(inbox, "delivery-status", f"Reporting-MTA: dns; mx.example\n\n{about}")


@pytest.mark.slow
def test_a_closed_mailbox_and_a_complaint_end_the_newsletter_and_no_other_bounce_does(
    at: Scenario, inbox: smtplib.SMTP
) -> None:
    people = ("ann", "bob", "cyd", "dan", "eve", "fay")
    write(at, DAY, *(f"{name}@example.com" for name in people))
    bounced(inbox, "bob", "5.1.1")
    bounced(inbox, "cyd", "5.2.2")
    bounced(inbox, "dan", "4.4.1", "delayed")
    bounced(inbox, "fay", "5.1.8")
    reported(
        inbox,
        "feedback-report",
        "Feedback-Type: abuse\nOriginal-Rcpt-To: <eve@example.com>\n",
    )

    assert at.night(DAY) == ExitCode.OK

    written = (at.home / "exports").rglob("*.jsonl")
    sent = [json.loads(line)["email"] for path in written for line in path.read_text().splitlines()]
    assert sorted(sent) == [f"{name}@example.com" for name in ("ann", "cyd", "dan", "fay")]
    held = at.read("activation.held_back").collect()
    assert {row["reason"] for row in held} == {"suppressed"}
    seen = at.read("gold.interactions").where("source = 'mail_bounces'").collect()
    kinds = ["bounce", "bounce", "complaint", "hard_bounce"]
    assert sorted((row["kind"], row["item"]) for row in seen) == [(k, "spring") for k in kinds]
