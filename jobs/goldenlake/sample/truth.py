"""What is really so: which person stands behind each record, and which mess was planted."""

import json
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from goldenlake.sample.draws import Flags, Ints
from goldenlake.sample.files import Columns
from goldenlake.sample.names import LANGUAGES
from goldenlake.sample.people import NEVER, STRANGER, Population
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.spelling import NOTHING, spelled

CHUNK = 50_000

RECORDS = pa.schema(
    [
        ("source", pa.string()),
        ("record_key", pa.string()),
        ("cookie", pa.string()),
        ("account_id", pa.string()),
        ("email", pa.string()),
        ("phone", pa.string()),
        ("loyalty_card", pa.string()),
        ("customer_number", pa.string()),
        ("email_sha256", pa.string()),
        ("phone_sha256", pa.string()),
        ("traits", pa.list_(pa.string())),
        ("person_id", pa.string()),
    ]
)
"""One row a keyed record (``record_key`` set) or a distinct subject of events (it is null)."""

PERSON_TRAITS = (
    "cyrillic",
    "in_family",
    "is_child",
    "shares_phone",
    "shares_email",
    "family_computer",
    "in_crm",
    "in_erp",
    "has_account",
    "has_loyalty_card",
    "on_mailing_list",
    "known_to_partner",
)
PERSON_CHANGES = (
    "joined_on",
    "email_changes_on",
    "surname_changes_on",
    "moves_on",
    "leaves_crm_on",
    "unsubscribes_on",
)

IDENTIFIERS = ("cookie", "account", "email", "phone", "card", "customer")
"""Columns of a subject, at least one of them given, as integer codes.

E-mails are coded person × 4 + version, the others by their owner.
"""


class Planted:
    """Counts of the mess that was planted, and the names of the files that carry some."""

    def __init__(self) -> None:
        self.persons: Counter[str] = Counter()
        self.contacts: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.files: dict[str, list[str]] = {}

    def file(self, mess: str, relative: str) -> None:
        """Note that a file carries some mess as a whole."""
        self.files.setdefault(mess, []).append(relative)

    def write(self, path: Path) -> None:
        """As JSON: ``persons``, ``contacts``, ``rows`` with counts, ``files`` with names."""
        told = {
            "persons": dict(sorted(self.persons.items())),
            "contacts": dict(sorted(self.contacts.items())),
            "rows": dict(sorted(self.rows.items())),
            "files": {mess: sorted(names) for mess, names in sorted(self.files.items())},
        }
        text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")


class Subjects:
    """The distinct identifier tuples seen in the events of one source.

    Rows are seven integers (the six :data:`IDENTIFIERS` and the person); they are told
    apart by a 64-bit hash, whose chance of one collision among ten million is 3e-6.
    """

    _COMPACT_AT = 1_000_000

    def __init__(self, source: str) -> None:
        self.source = source
        self._seen = np.empty((0, 7), dtype=np.int64)
        self._new: list[Ints] = []
        self._waiting = 0

    def add(self, person: Ints, **codes: Ints) -> None:
        """Note the subject of each event; identifiers not named were not given."""
        rows = np.full((len(person), 7), NOTHING, dtype=np.int64)
        for name, values in codes.items():
            rows[:, IDENTIFIERS.index(name)] = values
        rows[:, 6] = person
        rows = _distinct(rows[(rows[:, :6] != NOTHING).any(axis=1)])
        self._new.append(rows)
        self._waiting += len(rows)
        if self._waiting > self._COMPACT_AT:
            self._compact()

    def _compact(self) -> None:
        self._seen = _distinct(np.concatenate([self._seen, *self._new]))
        self._new, self._waiting = [], 0

    def write(self, people: Population, records: "Records") -> None:
        """Spell out every distinct subject in canonical form."""
        self._compact()
        order = np.lexsort(self._seen.T[::-1])
        for at in range(0, len(order), CHUNK):
            rows = self._seen[order[at : at + CHUNK]]
            known = {name: rows[:, i] for i, name in enumerate(IDENTIFIERS)}
            records.write(
                self.source,
                person_id=spelled(rows[:, 6], people.person_ids),
                cookie=spelled(known["cookie"], people.cookies),
                account_id=spelled(known["account"], people.account_ids),
                email=spelled(known["email"], lambda codes: email_of(people, codes)),
                phone=spelled(known["phone"], people.phones),
                loyalty_card=spelled(known["card"], people.loyalty_cards),
                customer_number=spelled(known["customer"], people.customer_numbers),
            )


def email_code(who: Ints, version: Ints) -> Ints:
    """A subject's code for the e-mail of a person in one version."""
    return who * 4 + version


def email_of(people: Population, codes: Ints) -> list[str]:
    """E-mails behind codes; those of strangers are coded STRANGER + number."""
    out = np.empty(len(codes), dtype=object)
    strange = codes >= STRANGER
    out[strange] = people.stranger_emails(codes[strange] - STRANGER)
    ours = codes[~strange]
    out[~strange] = people.emails(ours // 4, ours % 4)
    emails: list[str] = out.tolist()
    return emails


def _distinct(rows: Ints) -> Ints:
    key = np.full(len(rows), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in range(rows.shape[1]):
        key ^= rows[:, column].astype(np.uint64)
        key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        key ^= key >> np.uint64(31)
    _, first = np.unique(key, return_index=True)
    return rows[first]


class Records:
    """``truth/records.parquet``, written as the records are made."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def write(
        self, source: str, *, person_id: Sequence[str | None], **columns: Sequence[object]
    ) -> None:
        """Append one row for each person; columns not named are null."""
        n = len(person_id)
        rows: dict[str, object] = {name: [None] * n for name in RECORDS.names}
        rows |= columns
        rows["source"] = [source] * n
        rows["person_id"] = person_id
        self._columns.write(rows)


PERSONS = pa.schema(
    [
        ("person_id", pa.string()),
        ("family_id", pa.string()),
        ("language", pa.string()),
        ("country", pa.string()),
        ("given_name", pa.string()),
        ("family_name", pa.string()),
        ("birth_date", pa.string()),
        ("email", pa.string()),
        ("phone", pa.string()),
        ("devices", pa.int32()),
        ("contacts", pa.int32()),
        ("nickname", pa.bool_()),
        *[(trait, pa.bool_()) for trait in PERSON_TRAITS],
        *[(change, pa.int32()) for change in PERSON_CHANGES],
    ]
)
"""Names, birth date, e-mail and phone as of the first day; ``…_on`` are day numbers or null."""


def person_columns(
    people: Population, who: Ints, contacts: Ints, nickname: Flags
) -> dict[str, object]:
    """Rows of ``truth/persons.parquet``."""
    native = np.zeros(len(who), dtype=np.bool_)
    columns: dict[str, object] = {
        "person_id": people.person_ids(who),
        "family_id": [
            f"F{person // 2:08d}" if together else None
            for person, together in zip(who.tolist(), people.in_family[who].tolist(), strict=True)
        ],
        "language": [LANGUAGES[code] for code in people.language[who].tolist()],
        "country": [COUNTRIES[code] for code in people.country[who].tolist()],
        "given_name": people.given_names(who, latin=native, nickname=native),
        "family_name": people.family_names(who, -1, latin=native),
        "birth_date": people.birth_dates(who),
        "email": people.emails(who, np.zeros(len(who), dtype=np.int64)),
        "phone": people.phones(who),
        "devices": people.devices[who],
        "contacts": contacts,
        "nickname": nickname,
    }
    for trait in PERSON_TRAITS:
        columns[trait] = getattr(people, trait)[who]
    for change in PERSON_CHANGES:
        days = getattr(people, change)[who]
        columns[change] = pa.array(days, mask=days == NEVER, type=pa.int32())
    return columns


def sha256_of(text: str) -> str:
    """Lower-case hexadecimal digest, as audience partners exchange it."""
    return sha256(text.encode()).hexdigest()
