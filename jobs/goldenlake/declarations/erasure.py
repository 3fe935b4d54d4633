"""The registry of erasure: how a person is taken out of every table and every file area.

A test holds it against the tables that there are, so that none is added without a word about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Holds = Literal["rows", "people", "residue", "nobody"]


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """How a person leaves a table.

    ``rows``: rows of source records, found by what they say and removed one by one; those of others
    lose what tells of the person.
    ``people``: built from those rows; the next build leaves the person out.
    ``residue``: what outlives the person by design, removed by the columns ``by``.
    ``nobody``: holds no personal value and no id of a customer; ``why`` says what it does hold.
    """

    holds: Holds
    by: tuple[str, ...] = ()
    """Columns with a customer id or a record id, of which any one tells the row."""
    ids: Literal["customer", "record"] = "customer"
    others: Literal["keep", "values", "rows"] = "keep"
    """What goes of residue that is somebody else's and tells of the person: the texts that tell, or
    rows as a whole. Tables in which only ids stand, and those that each build writes, keep all.
    """
    key: tuple[str, ...] = ()
    """By which such rows are removed as a whole."""
    span: tuple[str, ...] = ()
    """Days between which a row held, the second null as long as it does. From rows of others that
    tell of the person all goes that the person's own say, too (a name, say), but for what the other
    still is.
    """
    why: str = ""


_ROWS = Erasure(holds="rows")
_CUSTOMER = Erasure(holds="residue", by=("customer_id",))
_COUNTS = "counts, days and names of declarations"

#: By ``<layer>.*`` where the tables of a layer come from declarations.
TABLES: dict[str, Erasure] = {
    "bronze.*": _ROWS,
    "quarantine.*": _ROWS,
    "silver.*": _ROWS,
    "superseded.*": _ROWS,
    "identity.records": Erasure(holds="residue", by=("record_id",), ids="record"),
    "identity.edges": Erasure(holds="residue", by=("left_record", "right_record"), ids="record"),
    "identity.customers": Erasure(holds="residue", by=("record_id",), ids="record"),
    "identity.history": Erasure(
        holds="residue", by=("customer_id", "other_customer_id"), others="values"
    ),
    "identity.review": Erasure(holds="people"),
    "identity.touched": _CUSTOMER,
    "gold.*": _CUSTOMER,
    "gold.customers_history": Erasure(
        holds="residue", by=("customer_id",), others="values", span=("valid_from", "valid_to")
    ),
    "gold.campaigns": Erasure(holds="nobody", why="sums over people"),
    "segments.members": _CUSTOMER,
    "segments.changes": _CUSTOMER,
    "segments.sizes": Erasure(holds="nobody", why=_COUNTS),
    "activation.ledger": Erasure(holds="residue", by=("customer_id",), others="values"),
    "activation.outbox": Erasure(
        holds="residue",
        by=("customer_id",),
        others="rows",
        key=("destination", "segment", "delivery", "key"),
    ),
    "activation.rejects": Erasure(holds="residue", by=("customer_id",), others="values"),
    "activation.held_back": _CUSTOMER,
    "activation.assignments": _CUSTOMER,
    "activation.jobs": Erasure(
        holds="nobody", why="names of jobs, as systems give them, and digests"
    ),
    "activation.settled": Erasure(holds="nobody", why=_COUNTS),
    "activation.approvals": Erasure(holds="nobody", why="decisions of staff"),
    # Its rows stay; the names of files that tell of the person are rewritten in them.
    "ops.files": _ROWS,
    "ops.runs": Erasure(holds="nobody", why=_COUNTS),
    "ops.publications": Erasure(holds="nobody", why=_COUNTS),
    "ops.drift": Erasure(holds="nobody", why="names of columns"),
    "ops.stages": Erasure(holds="nobody", why=_COUNTS),
    "privacy.requests": Erasure(
        holds="nobody", why="who is to be forgotten, until that is done; then pseudonyms"
    ),
    "privacy.tombstones": Erasure(holds="nobody", why="pseudonyms, which tell nothing alone"),
}

#: What is no table, and how a person leaves it.
AREAS: dict[str, str] = {
    "landing": "a file that tells of the person is removed whole; bronze keeps its other records",
    "table logs and old versions": "purged: older versions and generations are gone afterwards",
    "reports": "hold counts alone; searched, and what is found is told",
    "review pages": "removed where they tell of the person",
    "the model of matching": "values that many people share; searched, and what is found is told",
    "Spark's scratch space": "encrypted, with a key that ends with the process that wrote it",
    "Airflow's database and logs": "hold days and names of declarations; search with --scan",
    "places": "belong to others: the certificate names those that sent the person's data",
    "destinations": "the export takes the person out; the certificate tells what was acknowledged",
}


def erasure_of(table: str) -> Erasure:
    """How a person leaves a table. Raises KeyError for one that nobody thought of."""
    return TABLES.get(table) or TABLES[f"{table.partition('.')[0]}.*"]
