"""CSV: what spreadsheets, exports and broken uploads make of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial

from support.hostile import ADDRESS, CANARY, Entry

HEADER = "id,name,email\n"
ROW = f"C1,Ann,{ADDRESS}\n"
OTHER = f"C2,Zoë,{ADDRESS}\n"
CLEAN = {"id": "C1", "name": "Ann", "email": ADDRESS}
SHARED = 50_000


def _csv(name: str, text: str, encoding: str = "utf-8", **expected: object) -> Entry:
    return Entry(name=name, content=text.encode(encoding), **expected)  # type: ignore[arg-type]


def _value(name: str, column: str, written: str, **expected: object) -> Entry:
    """One record with a value of one more column."""
    quoted = '"' + written.replace('"', '""') + '"'
    text = f"id,email,{column}\nC1,{ADDRESS},{quoted}\n"
    return _csv(name, text, **expected)


_accepted = partial(_value, accepted=1)

FORM = [
    _csv("empty", ""),
    _csv("header only", HEADER),
    _csv("no header", ROW + OTHER, broken="columns that are missing: id"),
    _csv("BOM", HEADER + ROW, "utf-8-sig", accepted=1, landed=[CLEAN]),
    _csv("UTF-16", HEADER + ROW, "utf-16", accepted=1, landed=[CLEAN]),
    _csv("Latin-1 sent as UTF-8", HEADER + ROW + OTHER, "latin-1", accepted=1,
         rules={"encoding": 1}, landed=[CLEAN]),
    Entry(name="invalid UTF-8", content=f"{HEADER}{ROW}C2,{ADDRESS},".encode() + b"\xc0\xaf\xf5\n",
          accepted=1, rules={"encoding": 1}, landed=[CLEAN]),
    _csv("NUL", HEADER + ROW + f"C2,a\0b,{ADDRESS}\n", accepted=1, rules={"nul": 1}),
    _csv("NUL in the header", f"id,na\0me,email\n{ROW}", accepted=1,
         drift=frozenset({("missing", "name")})),
    _csv("Latin-1 in the header", f"id,email,straße\nC1,{ADDRESS},a\n", "latin-1", accepted=1,
         drift=frozenset({("new", "stra\\udcdfe")})),
    _csv("CR only", (HEADER + ROW + OTHER).replace("\n", "\r"), accepted=2),
    _csv("mixed line ends", f"id,name,email\r\n{ROW}C2,Bo,{ADDRESS}\rC3,Cy,\r\n", accepted=3),
    _csv("unclosed quote", HEADER + f'C1,"Ann,{ADDRESS}\n' + OTHER, accepted=1,
         rules={"quote": 1}, landed=[{"id": "C2"}]),
    _csv("newline inside quotes", f'id,note\nC1,"{CANARY}\r\nand more"\n', accepted=1,
         landed=[{"note": f"{CANARY}\r\nand more"}]),
    _csv("fewer fields", HEADER + f"C1,{ADDRESS}\n" + OTHER, accepted=1,
         rules={"field_count": 1}, landed=[{"id": "C2"}]),
    _csv("extra fields", HEADER + f"C1,Ann,{ADDRESS},,more\n" + OTHER, accepted=1,
         rules={"field_count": 1}),
    _csv("duplicate header", f"id,email,email\nC1,{ADDRESS},{ADDRESS}\n",
         broken="columns that stand there twice: email"),
    _csv("duplicate header of no matter", f"id,x,x\nC1,{CANARY},b\n", accepted=1,
         drift=frozenset({("new", "x"), ("doubled", "x")})),
    _csv("reordered", f"email,name,id\n{ADDRESS},Ann,C1\n", accepted=1, landed=[CLEAN],
         drift=frozenset({("reordered", "")})),
    _csv("renamed key", f"customer,email\nC1,{ADDRESS}\n", broken="columns that are missing: id"),
    _csv("renamed column", f"id,full_name,email\nC1,Ann,{ADDRESS}\n", accepted=1,
         landed=[{"name": None}], drift=frozenset({("missing", "name"), ("new", "full_name")})),
    _csv("respelled column", f" ID ,Name,EMAIL\n{ROW}", accepted=1, landed=[CLEAN],
         drift=frozenset({("respelled", "id"), ("respelled", "email")})),
    _csv("new column", f"id,shoes\nC1,{CANARY}\n", accepted=1, drift=frozenset({("new", "shoes")})),
    _csv("`;` delimiter", (HEADER + ROW).replace(",", ";"), accepted=1, landed=[CLEAN]),
    _csv("truncated last line", HEADER + ROW + f"C2,{CANARY}", accepted=1, rules={"truncated": 1}),
    _csv("truncated within quotes", HEADER + ROW + f'C2,"{CANARY}', accepted=1,
         rules={"truncated": 1}),
    _csv("header repeated mid-file", HEADER + ROW + HEADER + OTHER, accepted=2,
         rules={"repeated_header": 1}),
    _csv("trailer row", HEADER + ROW + "TOTAL,1\n", accepted=1, rules={"field_count": 1}),
    _csv("trailer row of all fields", HEADER + ROW + "TOTAL,1,\n", accepted=1,
         rules={"matches_id": 1}),
    _csv("HTML page", f"<html>\n<body>{ADDRESS}</body>\n</html>\n", broken="missing: id"),
]  # fmt: skip
"""How the file is written."""

VALUES = [
    _accepted("=cmd|…", "note", "=cmd|' /C calc'!A0", landed=[{"note": "=cmd|' /C calc'!A0"}]),
    _value("decimal comma", "paid", "1,5", rules={"castable_paid": 1}),
    _accepted("decimal with float noise", "paid", "2.5500000000000003",
              landed=[{"paid": Decimal("2.5500")}]),
    _value("01/02/03", "seen_on", "01/02/03", rules={"castable_seen_on": 1}),
    _value("30 February", "seen_on", "2024-02-30", rules={"castable_seen_on": 1}),
    _accepted("an hour that DST skips", "seen_at", "2024-03-31 02:30:00",
              landed=[{"seen_at": datetime(2024, 3, 31, 1, 30, tzinfo=UTC)}]),
    _accepted("an hour that DST repeats", "seen_at", "2024-10-27 02:30:00",
              landed=[{"seen_at": datetime(2024, 10, 27, 0, 30, tzinfo=UTC)}]),
    _value("year 9999", "seen_at", "9999-12-31 23:59:59", rules={"future_seen_at": 1}),
    _value("year 10000", "seen_at", "10000-01-01 00:00:00", rules={"castable_seen_at": 1}),
    _accepted("year 9999 of no matter", "seen_on", "9999-12-31",
              landed=[{"seen_on": date(9999, 12, 31)}]),
    _accepted("phone as 1.2E+11", "phone", "4.41632E+11", landed=[{"phone": None}]),
    _accepted("phone without its leading zero", "phone", "7911123456",
              landed=[{"phone": "+447911123456"}]),
    _csv("lost leading zeros of a key", f"id,email\nC7,{ADDRESS}\nC007,{ADDRESS}\n", accepted=2,
         landed=[{"id": "C7"}, {"id": "C007"}]),
    _csv("NULL and N/A", f"id,name,email,paid,note\nC1,NULL,N/A,n/a,{CANARY}\n", accepted=1,
         landed=[{"name": None, "email": None, "paid": None, "note": CANARY}]),
    _csv("NULL as a key", f"id,email\nNULL,{ADDRESS}\n", rules={"required_id": 1}),
    _csv(f"one address of {SHARED:,} people", "id,email\n" + "".join(
        f"C{at},{ADDRESS}\n" for at in range(SHARED)), accepted=SHARED),
    _csv("right-to-left and zero-width characters",
         f"id,name,email\nC1,\u202eA\u200bnn\u200f,\ufeff{CANARY}\u200b@example.com\u2066\n",
         accepted=1, landed=[CLEAN]),
    _csv("homoglyphs", f"id,email\nC1,{ADDRESS}\nC2,{ADDRESS.replace('a', 'а')}\n", accepted=2,
         landed=[{"email": ADDRESS}, {"email": ADDRESS.replace("a", "а")}]),
    _csv("NFC against NFD", f"id,name,email\nC1,Zo\u00eb,{ADDRESS}\nC2,Zoe\u0308,{ADDRESS}\n",
         accepted=2, landed=[{"name": "Zo\u00eb"}, {"name": "Zo\u00eb"}]),
]  # fmt: skip
"""What stands in it."""

ENTRIES = [*FORM, *VALUES]

DECLARED = [
    Entry(name="declared: Latin-1, no header, decimal comma, day/month/year",
          content=f"C1;Zoë;{ADDRESS};1.234,50;01/02/03\n".encode("latin-1"), accepted=1,
          landed=[{"name": "Zoë", "paid": Decimal("1234.5"), "seen_on": date(2003, 2, 1)}]),
    Entry(name="declared: decimal comma, decimal point sent",
          content=f"C2;Zoë;{ADDRESS};1234.50;31/12/23\n".encode("latin-1"),
          rules={"castable_paid": 1}),
    Entry(name="declared: month/day/year sent",
          content=f"C3;Zoë;{ADDRESS};1;12/31/23\n".encode("latin-1"),
          rules={"castable_seen_on": 1}),
]  # fmt: skip
"""The same again, where the source's declaration says what cannot be guessed."""
