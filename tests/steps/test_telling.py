"""What of a row goes when somebody is forgotten, by whose it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from goldenlake.columns.phones import e164
from goldenlake.declarations.source import Source
from goldenlake.steps.subjects import Subject
from goldenlake.steps.telling import AMONG_EXTRA, INSTEAD, WHOLE, Telling
from goldenlake.steps.tombstones import RECORD
from support.bronze import source_of

ANN, BOB, DORA = "ann@example.com", "bob@example.com", "dora@example.com"
CARD, NUMBER = "9911", "+493011111111"
SUBJECT = Subject(
    people=1,
    customer_ids=("c_ann",),
    record_ids=("crm:1", "crm:dead"),
    identifiers=(("email", ANN), ("phone", NUMBER), ("card", CARD)),
    contacts=(ANN, NUMBER),
)
COLUMNS = [
    {"name": "id"},
    {"name": "list"},
    {"name": "name", "required": True, "personal": "contact"},
    {"name": "email", "normalise": "email", "personal": "contact"},
    {"name": "home", "normalise": "phone", "personal": "contact"},
    {"name": "area", "personal": "contact"},
    {"name": "line", "personal": "contact"},
    {"name": "phone", "derive": "concat(area, line)"},
    {"name": "card"},
    {"name": "city"},
    {"name": "born", "type": "date", "required": True, "personal": "sensitive"},
    {"name": "said", "personal": "sensitive"},
    {"name": "at", "type": "timestamp"},
    {"name": "noted", "personal": "contact"},
    {"name": "agent", "required": True},
]
WORDS = [{"at": "at", "constant_purpose": "marketing", "constant_channel": "any", "status": "said"}]


def source(**declared: Any) -> Source:
    return source_of(
        **{
            "load": "increment",
            "key": ["id", "list"],
            "region": "DE",
            "columns": COLUMNS,
            "identifiers": {"email": "email", "home": "home", "phone": "phone", "card": "card"},
            "attributes": {"given_name": "name"},
            "consents": WORDS,
            **declared,
        }
    )


PROFILES = source()
EVENTS = source(load="append", key=[], attributes={})
LINES = source(attributes={})


def judged(of: Source, row: dict[str, Any], **names: str) -> Any:
    """What has to go, as text and names tell whose a row is."""
    named = [{"name": name, "value": value} for name, value in names.items()]
    found = Telling.of(of, SUBJECT).of_row(f"{json.dumps(row)}\n{json.dumps(named)}")
    return found if found in (None, WHOLE) else json.loads(found)


HIS = {"id": "2", "list": "a", "name": "Bob", "said": "no", "at": "2026-03-01", "city": "Bonn"}


@pytest.mark.parametrize(
    ("row", "names", "goes"),
    [
        (HIS, {RECORD: "crm:2"}, None),
        (HIS | {"noted": "x"}, {RECORD: "crm:1"}, WHOLE),
        (HIS | {"noted": f"by {ANN.upper()}"}, {RECORD: "crm:2"}, {"noted": None}),
        (HIS | {"agent": f"Ann ({ANN})"}, {RECORD: "crm:2"}, {"agent": INSTEAD}),
        # Two of whom one thing is said would be one.
        (HIS | {"name": f"Bob ({ANN})"}, {RECORD: "crm:2"}, {"name": None}),
        (HIS | {"_extra": {"a": ANN, "b": "x"}}, {RECORD: "crm:2"}, {AMONG_EXTRA + "a": None}),
        (HIS | {"_extra": {ANN: "x"}}, {RECORD: "crm:2"}, {AMONG_EXTRA + ANN: None}),
        # Two columns of one name, of which the other was declared under a name of ours.
        (HIS | {"email": BOB, "_extra": {"email": ANN}}, {RECORD: "crm:2"},
         {AMONG_EXTRA + "email": None}),
        (HIS | {"_extra": {"id": ANN}}, {RECORD: "crm:2"}, {AMONG_EXTRA + "id": None}),
        (HIS | {"email": f"{BOB}, {ANN}"}, {RECORD: "crm:2"}, {"email": f"0; {BOB}"}),
        (HIS | {"home": f"{NUMBER}; +49 30 222222"}, {RECORD: "crm:2"}, {"home": "0; +4930222222"}),
        # Without its key it is no row.
        (HIS | {"list": ANN}, {RECORD: "crm:2"}, WHOLE),
        (HIS | {"list": ANN}, {"email": BOB}, {"list": None}),
        (HIS | {"noted": ANN}, {"email": BOB}, {"noted": None}),
        (HIS | {"noted": ANN}, {}, WHOLE),
        (HIS | {"email": ANN}, {"email": ANN}, WHOLE),
        (HIS | {"email": BOB, "card": CARD}, {"email": BOB, "card": CARD},
         {"card": None, "name": None}),
    ],
)  # fmt: skip
def test_of_a_record_of_somebody_else_what_tells_goes(
    row: dict[str, Any], names: dict[str, str], goes: Any
) -> None:
    assert judged(PROFILES, row, **names) == goes


def test_of_what_a_record_said_when_it_bore_a_value_of_theirs_its_names_and_words_stay() -> None:
    row = HIS | {"card": CARD, "email": BOB, "born": "1980-01-02", "_extra": {"street": "x"}}
    told = judged(PROFILES, row, record="crm:2", card=CARD, email=BOB)
    assert told == {"card": None, "name": None, "born": None, AMONG_EXTRA + "street": None}
    # A value that is computed goes with what it is computed from.
    row = HIS | {"area": "+4930", "line": "11111111", "email": BOB}
    told = judged(PROFILES, row, record="crm:2", phone=NUMBER, email=BOB)
    assert told == {"area": None, "line": None, "name": None}


@pytest.mark.parametrize("of", [EVENTS, LINES])
@pytest.mark.parametrize(
    ("row", "names", "goes"),
    [
        ({"noted": ANN, "email": BOB}, {RECORD: "crm:x", "email": BOB}, {"noted": None}),
        ({"noted": ANN, "email": ANN}, {RECORD: "crm:dead", "email": ANN}, WHOLE),
        ({"noted": ANN}, {}, WHOLE),
        ({"email": f"{ANN};{BOB}"}, {}, {"email": f"0; {BOB}"}),
        ({"noted": ANN, "email": f"x {BOB}"}, {}, {"noted": None}),
        # What nobody's address and number stand beside is heard by those in any of its texts.
        ({"noted": f"{ANN}: {BOB} wants none", "born": "1980-01-02"}, {},
         {"noted": f"0; {BOB}", "born": None}),
        ({"home": "030 11111111, 0151 23456789", "agent": ANN}, {},
         {"home": "0; +4915123456789", "agent": INSTEAD}),
        ({"agent": ANN, "_extra": {"a": f"{ANN},{BOB}", ANN: BOB}}, {},
         {"agent": INSTEAD, AMONG_EXTRA + "a": f"0; {BOB}", AMONG_EXTRA + ANN: None}),
        ({"noted": f"{ANN}, {BOB}", "email": DORA}, {"email": DORA}, {"noted": None}),
        ({"agent": ANN, "noted": "x"}, {}, WHOLE),
        ({"noted": BOB}, {}, None),
        ({"card": CARD}, {RECORD: "crm:y", "card": CARD}, WHOLE),
        ({"card": CARD, "email": BOB, "noted": "x", "city": "y"},
         {RECORD: "crm:y", "card": CARD, "email": BOB}, {"card": None, "noted": None}),
        ({"card": NUMBER}, {RECORD: "crm:y", "card": NUMBER}, WHOLE),
    ],
)  # fmt: skip
def test_of_an_event_what_tells_goes_as_long_as_it_names_somebody_else(
    of: Source, row: dict[str, Any], names: dict[str, str], goes: Any
) -> None:
    assert judged(of, row, **names) == goes


def test_what_nobody_could_read_stays_as_far_as_it_may_be_a_no_of_others() -> None:
    telling = Telling.of(EVENTS, SUBJECT)
    assert telling.of_unread(json.dumps({"raw": f"no;{BOB}"})) is None
    assert telling.of_unread(json.dumps({"raw": f"no;{ANN};1980-01-02"})) == WHOLE
    lines = f'c1,"{ANN},030 11111111\nc2,{BOB},0151 23456789,no,2026-03-01\nc3,{BOB.upper()}'
    left = telling.of_unread(json.dumps({"raw": lines}))
    assert left is not None
    [text] = json.loads(json.loads(left)["row"]).values()
    assert text == f"0; {BOB}; +4915123456789"
    assert e164(text, region="DE") is None, "as one it would be no other's"
    silent = Telling.of(source(consents=[]), SUBJECT)
    assert silent.of_unread(json.dumps({"raw": f"no;{ANN};{BOB}"})) == WHOLE
