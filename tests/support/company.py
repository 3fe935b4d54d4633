"""A very small company: two sources, a merge and a split each day, two who are sent files; and
a help desk over HTTP, for those who run one, which is sent people and tells what they answered.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from goldenlake.cli.installation import PROJECT

FIRST = date(2026, 3, 1)
ACCOUNT = Path("exports", "desk", "account.json")
"""What the help desk has of a company, in the company's folder."""
PERSONAL = re.compile(r"(?:p|nobody)\d+@example\.com|KARTE\d+|Person\d+|\+4930\d{7}")
"""What is told of its people, and has no place in anything that tells of the work."""
_PEOPLE = 8
_HEADERS = {
    "people": "number,email,phone,loyalty_card,given_name,country,said,said_at",
    "tills": "receipt,item,loyalty_card,quantity,unit_price,sold_at",
}


def day(number: int) -> date:
    """The company's days count from 1."""
    return FIRST + timedelta(days=number - 1)


def open_company(home: Path, *, days: int, desk: str | None = None) -> None:
    """Its declarations, and the files of its first days; a night takes those up to its own.

    ``desk`` is the address of its account at the help desk.
    """
    (home / "conf" / "tables").mkdir(parents=True)
    for path in (PROJECT / "conf" / "tables").glob("gold.*.yml"):
        if path.stem != "gold.campaigns":
            # Judging rules takes half of a small night.
            kept = path.read_text().partition("\nrules:")[0] + "\n"
            (home / "conf" / "tables" / path.name).write_text(kept)
    own = PROJECT / "tests" / "scenarios" / "small_company"
    shutil.copytree(own / "conf", home / "conf", dirs_exist_ok=True)
    if desk is not None:
        shutil.copytree(own / "desk", home / "conf", dirs_exist_ok=True)
        speak_to_the_desk(home, desk)
    (home / "exports").mkdir()
    for number in range(1, days + 1):
        for source, rows in (("people", _people(number)), ("tills", _tills(number))):
            path = home / "drops" / source / f"{day(number)}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join([_HEADERS[source], *rows]) + "\n")
            written = datetime.combine(day(number), time(20), UTC).timestamp()
            os.utime(path, (written, written))


def speak_to_the_desk(home: Path, address: str) -> None:
    """Declare that address, in place of the one that was declared before."""
    path = home / "conf" / "env" / "local.yml"
    others = path.read_text().partition("connections:")[0]
    connection = f"desk: {{base_url: {address}, auth: {{kind: none}}}}"
    path.write_text(f"{others}connections: {{{connection}}}\n")


def _people(number: int) -> Iterator[str]:
    """On the first day two share a card. On each day after it one takes the card of another, one
    gets a card of its own, one moves or says no, and one is new.
    """
    if number == 1:
        for who in range(1, _PEOPLE + 1):
            yield _person(number, who, card=7 if who == 6 else who)
    else:
        first, second, third = ((number + off) % _PEOPLE + 1 for off in (0, 3, 5))
        yield _person(number, first, card=first % _PEOPLE + 1)
        yield _person(number, second, card=100 * number + second)
        yield _person(number, third, card=third, leaves=True)
        yield _person(number, _PEOPLE + number, card=_PEOPLE + number)
    yield f",nobody{number}@example.com,,,Nobody,DE,yes,{day(number)}T08:00:00Z"


def _person(number: int, who: int, *, card: int, leaves: bool = False) -> str:
    country = "FR" if leaves and number % 2 else "DE"
    said = "no" if leaves and not number % 2 else "yes"
    at, phone = f"{day(number)}T08:00:00Z", f"+4930{who:07}"
    return f"{who},p{who}@example.com,{phone},{_card(card)},Person{who},{country},{said},{at}"


def _card(number: int) -> str:
    return f"KARTE{number}"


def _tills(number: int) -> Iterator[str]:
    for line in range(4):
        card = (number + line) % _PEOPLE + 1
        at = f"{day(number)}T1{line}:00:00Z"
        yield f"R{number}-{line},mug,{_card(card)},{line + 1},4.50,{at}"
    yield f"R{number}-9,mug,{_card(1)},not a number,4.50,{day(number)}T19:00:00Z"


def answers(until: date) -> list[dict[str, str]]:
    """What people answered to letters, as the help desk tells it: each day one clicks, and on even
    days one unsubscribes.
    """
    found = []
    for number in range(1, (until - FIRST).days + 2):
        told = {"click": number} | ({"unsubscribe": number + 2} if number % 2 == 0 else {})
        for kind, off in told.items():
            who, at = off % _PEOPLE + 1, f"{day(number)}T06:00:00Z"
            found.append({"email": f"p{who}@example.com", "kind": kind, "at": at})
    return found
