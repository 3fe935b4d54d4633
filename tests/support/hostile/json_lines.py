"""JSON lines: what is no JSON, what is JSON but no record, and what no parser agrees upon."""

from __future__ import annotations

from decimal import Decimal

from support.hostile import ADDRESS, CANARY, Entry

GOOD = f'{{"id": "C1", "email": "{ADDRESS}"}}\n'
LANDED = [{"id": "C1", "email": ADDRESS}]
MANY = 5_000


def _line(name: str, line: str | bytes, rule: str = "", **expected: object) -> Entry:
    """A good record, then one line that is not."""
    written = line if isinstance(line, bytes) else line.encode()
    outcome = {"accepted": 1, "rules": {rule: 1}, "landed": LANDED} if rule else {}
    return Entry(name=name, content=GOOD.encode() + written + b"\n", **(outcome | expected))  # type: ignore[arg-type]


def _nested(depth: int) -> str:
    return f'{{"id": "C2", "note": {"[" * depth}"{CANARY}"{"]" * depth}}}'


ENTRIES = [
    _line("truncated", f'{{"id": "C2", "email": "{CANARY}', "not_json"),
    _line("duplicate keys", f'{{"id": "C2", "name": "Bo", "name": "Ann", "email": "{ADDRESS}"}}',
          accepted=2, landed=[{}, {"id": "C2", "name": "Ann"}]),
    _line("NaN", f'{{"id": "C2", "paid": NaN, "note": "{CANARY}"}}', "not_json"),
    _line("Infinity", f'{{"id": "C2", "paid": -Infinity, "note": "{CANARY}"}}', "not_json"),
    _line("integers over 2^53", f'{{"id": "C9007199254740993", "paid": 9007199254740993.25, '
          f'"note": 123456789012345678901234567890, "email": "{ADDRESS}"}}',
          accepted=1, rules={"castable_paid": 1}),
    _line("an integer over 2^53 as text", f'{{"id": "C2", "note": 9007199254740993, "paid": 1e2, '
          f'"email": "{ADDRESS}"}}', accepted=2,
          landed=[{}, {"note": "9007199254740993", "paid": Decimal(100)}]),
    _line("a number of 100,000 digits", f'{{"id": "C2", "paid": {"9" * 100_000}, '
          f'"note": "{CANARY}"}}', accepted=1, rules={"castable_paid": 1}),
    _line("nesting 10,000 deep", _nested(10_000), "too_deep"),
    _line("nesting 600 deep", '{"a":' * 600 + f'"{CANARY}"' + "}" * 600, "too_deep"),
    _line("nesting 60 deep", _nested(60), accepted=2,
          landed=[{}, {"note": "[" * 60 + f'"{CANARY}"' + "]" * 60}]),
    _line("an array instead of lines", f"[{GOOD.strip()}, {GOOD.strip()}]", "not_an_object"),
    Entry(name="an array over many lines", content=f"[\n{GOOD.strip()},\n{GOOD}]\n".encode(),
          accepted=1, rules={"not_json": 3}, landed=LANDED),
    Entry(name="an object over many lines",
          content=f'{{\n  "id": "C1",\n  "email": "{ADDRESS}"\n}}\n'.encode(),
          rules={"not_json": 4}),
    Entry(name="a type that flips", accepted=4, rules={"castable_paid": 1}, content=(
        f'{{"id": "C1", "paid": 1, "note": "{CANARY}"}}\n{{"id": "C2", "paid": "1", "note": 2}}\n'
        '{"id": "C3", "paid": 1.0, "note": {"a": [null]}}\n{"id": "C4", "note": true}\n'
        '{"id": "C5", "paid": [1], "note": null}\n').encode(),
        landed=[{"note": CANARY}, {"note": "2"}, {"note": '{"a":[null]}'}, {"note": "true"}]),
    _line("an escaped lone surrogate", f'{{"id": "C2", "note": "\\ud800{CANARY}"}}', "encoding"),
    _line("a raw lone surrogate", b'{"id": "C2", "note": "\xed\xa0\x80' + CANARY.encode() + b'"}',
          "encoding"),
    _line("a pair of surrogates", f'{{"id": "C2", "note": "\\ud83d\\ude00", "email": "{ADDRESS}"}}',
          accepted=2, landed=[{}, {"note": "\U0001f600"}]),
    _line("NUL", f'{{"id": "C2", "note": "\\u0000{CANARY}"}}', "nul"),
    _line("a backslash before u0000", f'{{"id": "C2", "note": "{CANARY}\\\\u0000"}}', accepted=2,
          landed=[{}, {"note": CANARY + "\\u0000"}]),
    _line("UTF-16 that nobody declared", f'{{"id": "C2", "note": "{CANARY}"}}'.encode("utf-16-le"),
          accepted=1, rules={"nul": 1}, landed=LANDED),
    _line("BOM in the middle", b'\xef\xbb\xbf{"id": "C2", "note": "' + CANARY.encode() + b'"}',
          "not_json"),
    _line("keys that are people", f'{{"id": "C2", "{ADDRESS}": 1, "+44 7911 123456": 2}}',
          accepted=2, drift=frozenset({("new", "(not a name)")})),
    Entry(name=f"{MANY:,} keys that nobody knows", accepted=MANY, content="".join(
        f'{{"id": "C{at}", "field_{at:04x}": "{CANARY}"}}\n' for at in range(MANY)).encode(),
        drift=frozenset({("new", "(and more)")})),
]  # fmt: skip
