"""Those who were forgotten, known again by pseudonyms when old files bring them back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct_flag
from goldenlake.columns.traces import Traces, pseudonym
from goldenlake.declarations.base import SecretReference
from goldenlake.declarations.source import Source
from goldenlake.errors import PrivacyKeyUnfit, SecretMissing
from goldenlake.identity.records import identifiers_of
from goldenlake.ports import Tables
from goldenlake.schemas import TOMBSTONES
from goldenlake.transforms.row_ids import record_id

TABLE = "privacy.tombstones"
RULE = "erased_person"
"""Of quarantined records; they are counted there, and what they said is not kept."""
CUT = "cut_erased_person"
"""Of records of others that lost what was theirs; they are counted beside those."""
_LEAST_KEY = 16
RECORD = "record"
"""What the id of a record is called among the names of identifiers."""


@dataclass(frozen=True)
class Erased:
    """Pseudonyms of all who were forgotten."""

    key: bytes
    tokens: frozenset[str]

    def is_theirs(self, name: str, value: str) -> bool:
        """Whether a record, by its id, or an identifier was theirs alone."""
        return pseudonym(self.key, name, value) in self.tokens

    @property
    def traces(self) -> Traces:
        """None: nobody knows any more what would give them away in a text."""
        return Traces.of(())


def names_of(source: Source) -> Column:
    """What a typed row names somebody by: array of (name, value).

    Neither bots nor those whom ``people`` leaves out are records; what they say counts, too.
    """
    whole = source.model_copy(update={"bots": None, "people": None})
    record = F.struct(F.lit(RECORD).alias("name"), record_id(whole).alias("value"))
    pairs = F.concat(F.array(record), identifiers_of(source))
    return F.filter(pairs, lambda pair: pair["value"].isNotNull())


def names_any(source: Source, is_theirs: Callable[[str, str], bool]) -> Column:
    """Whether a typed row names somebody, as ``names_of`` tells it; false where it names nobody."""

    def told(text: str) -> bool:
        return any(is_theirs(pair["name"], pair["value"]) for pair in json.loads(text))

    return over_distinct_flag(F.to_json(names_of(source)), told)


def erased(tables: Tables, key: SecretReference | None) -> Erased | None:
    """Those who were forgotten; None where nobody was. Raises PrivacyKeyUnfit."""
    rows = tables.rows(TABLE, TOMBSTONES.ddl)
    if not rows:
        return None
    return Erased(key_of_lake(tables, key), frozenset(row["token"] for row in rows))


def key_of_lake(tables: Tables, key: SecretReference | None) -> bytes:
    """The key, if it is the one by which people were forgotten here before, if any were: tombstones
    of two keys could not be read by either. Raises PrivacyKeyUnfit.
    """
    secret = secret_of(key)
    rows = tables.rows(TABLE, TOMBSTONES.ddl)
    if any(row["key_check"] != _check(secret) for row in rows):
        raise PrivacyKeyUnfit("is not the one by which people were forgotten")
    return secret


def secret_of(key: SecretReference | None) -> bytes:
    """The key. Raises PrivacyKeyUnfit where there is none that is fit."""
    if key is None:
        raise PrivacyKeyUnfit("is not declared")
    try:
        secret = key.reveal()
    except SecretMissing as error:
        raise PrivacyKeyUnfit(f"is not there: {key} {error.why}") from error
    if len(secret) < _LEAST_KEY:
        raise PrivacyKeyUnfit(f"has fewer than {_LEAST_KEY} characters")
    return secret.encode()


def bury(
    tables: Tables,
    key: bytes,
    *,
    request: str,
    named: Iterable[tuple[str, str]],
    on: date,
) -> int:
    """Write the tombstones of a request, in one commit; again, without effect. Gives how many.

    ``named`` are names and values, as ``Subject.named`` has them.
    """
    rows = [
        {"token": token, "request": request, "key_check": _check(key), "erased_on": on}
        for token in sorted({pseudonym(key, *each) for each in named})
    ]
    if rows:
        tables.merge(TABLE, tables.frame(rows, TOMBSTONES.ddl), on=["token"], update=False)
    return len(rows)


def _check(key: bytes) -> str:
    return pseudonym(key, "", "")
