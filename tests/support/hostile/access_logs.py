"""Access logs: everything in a request is chosen by whoever sends it."""

from __future__ import annotations

from datetime import UTC, datetime

from support.hostile import ADDRESS, CANARY, Entry

FORMAT = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i"'


def line(
    *, host: str = "192.0.2.1", at: str = "01/Mar/2026:10:00:00 +0100",
    target: str = f"/?e={ADDRESS}", agent: str = "Mozilla/5.0", chain: str = "-",
) -> str:  # fmt: skip
    """One request as Apache writes it down."""
    return f'{host} - - [{at}] "GET {target} HTTP/1.1" 200 17 "-" "{agent}" "{chain}"\n'


GOOD = line()


def _log(name: str, text: str | bytes, **expected: object) -> Entry:
    content = text if isinstance(text, bytes) else text.encode()
    return Entry(name=name, content=GOOD.encode() + content, **expected)  # type: ignore[arg-type]


CHAIN = "2001:db8::7, ::ffff:192.0.2.9, 10.0.0.1, unknown"
ENTRIES = [
    _log("truncated line", GOOD[:40], accepted=1, rules={"log_format": 1}),
    _log("escaped CR and LF of an injected line", line(agent=r"x\r\n192.0.2.6 - - [ADMIN]"),
         accepted=2, landed=[{}, {"agent": r"x\r\n192.0.2.6 - - [ADMIN]"}]),
    _log("raw CR within a line", line(agent="x\r192.0.2.6"), accepted=2,
         landed=[{}, {"agent": "x\r192.0.2.6"}]),
    _log("raw LF within a line", line(agent="x\n192.0.2.6"), accepted=1, rules={"log_format": 2}),
    _log("ANSI escapes", line(agent=f"\x1b[2J\x1b[31m{CANARY}\x07"), accepted=2,
         landed=[{}, {"agent": f"\x1b[2J\x1b[31m{CANARY}\x07"}]),
    _log("personal data in a URL", line(target=f"/reset?email={ADDRESS}&phone=+447911123456"),
         accepted=2, landed=[{}, {"target": f"/reset?email={ADDRESS}&phone=+447911123456"}]),
    _log("IPv6 and an X-Forwarded-For chain", line(host="2001:db8::1", chain=CHAIN), accepted=2,
         landed=[{}, {"host": "2001:db8::1", "chain": CHAIN}]),
    _log("an X-Forwarded-For of markup", line(chain=r"<script>\"';--"), accepted=2,
         landed=[{}, {"chain": r"<script>\"';--"}]),
    _log("a future timestamp", line(at="01/Mar/2036:10:00:00 +0100"), accepted=1,
         rules={"future_seen_at": 1}),
    _log("a timestamp of no day", line(at="31/Feb/2026:10:00:00 +0100"), accepted=1,
         rules={"castable_seen_at": 1}),
    _log("an offset", line(at="31/Dec/2025:23:30:00 -0500"), accepted=2,
         landed=[{}, {"seen_at": datetime(2026, 1, 1, 4, 30, tzinfo=UTC)}]),
    _log("NUL", line(agent=f"{CANARY}\0"), accepted=1, rules={"nul": 1}),
    _log("invalid UTF-8", line(agent=f"{CANARY}\xff").encode("latin-1"), accepted=1,
         rules={"encoding": 1}),
    _log("a TLS handshake", b"\x16\x03\x01\x02" + CANARY.encode() + b"\n", accepted=1,
         rules={"log_format": 1}),
]  # fmt: skip
