"""Sets of records with a known truth, for ``benchmarks.identity_sets`` and for tests.

Public data are read from the folder that ``GOLDENLAKE_DATA`` names, else from ``../shared/data``
as tests do; the project's own sample is generated. A truth is for evaluation alone: nothing that
trains or clusters sees it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from goldenlake.cli.installation import PROJECT
from goldenlake.columns.phones import e164
from goldenlake.declarations.matching import Matching
from goldenlake.sample.generator import generate
from goldenlake.sample.options import SampleOptions

DATA = Path(os.environ.get("GOLDENLAKE_DATA", PROJECT.parent / "shared" / "data"))


class DataMissing(Exception):
    """The public data are not on this machine."""


@dataclass(frozen=True)
class IdentitySet:
    """Records, the roles of their columns, and who is who."""

    records: pa.Table
    matching: Matching
    person: NDArray[np.int64]
    exclusive: NDArray[np.int32] | None = None
    """Numbers of sources that have every person once."""


def historical_50k() -> IdentitySet:
    """50,578 records of 5,156 historical persons with many errors."""
    table = pq.read_table(_file("historical_50k/historical_figures_with_errors_50k.parquet"))
    matching = Matching.model_validate(
        {
            "columns": {
                "full_name": "full_name",
                "dob": "birth_date",
                "birth_place": "place",
                "postcode_fake": "postcode",
                "occupation": "category",
                "gender": "gender",
            }
        }
    )
    return IdentitySet(table, matching, _numbered(table["cluster"]))


FEBRL_ROLES = {
    "given_name": "given_name",
    "surname": "family_name",
    "street_number": "code",
    "address_1": "address",
    "address_2": "address",
    "suburb": "place",
    "postcode": "postcode",
    "state": "category",
    "date_of_birth": "birth_date",
    "soc_sec_id": "code",
}


def febrl(*datasets: str, without: tuple[str, ...] = ()) -> IdentitySet:
    """Synthetic Australian persons; of several datasets each has every person once."""
    tables = []
    for name in datasets:
        raw = pyarrow.csv.read_csv(
            _file(f"febrl/{name}.csv"),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={f" {column}": pa.string() for column in FEBRL_ROLES}
                | {column: pa.string() for column in FEBRL_ROLES}
            ),
        )
        columns = {
            column.strip(): [(value or "").strip() or None for value in raw[column].to_pylist()]
            for column in raw.column_names
        }
        tables.append(pa.table(columns))
    table = pa.concat_tables(tables)
    person = np.array([int(key.split("-")[1]) for key in table["rec_id"].to_pylist()])
    roles = {column: role for column, role in FEBRL_ROLES.items() if column not in without}
    sources = [np.full(each.num_rows, at, dtype=np.int32) for at, each in enumerate(tables)]
    return IdentitySet(
        table,
        Matching.model_validate({"columns": roles}),
        person,
        np.concatenate(sources) if len(tables) > 1 else None,
    )


def sample(customers: int = 8_000, without: tuple[str, ...] = (), seed: int = 11) -> IdentitySet:
    """CRM contacts and ERP customers of the project's own sample, on its first day."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "sample"
        generate(
            SampleOptions(
                customers=customers, days=1, seed=seed, out=out, events_per_customer_day=0.1
            )
        )
        contacts = pa.concat_tables(
            pyarrow.csv.read_csv(
                file,
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: pa.string() for name in _CONTACT_COLUMNS},
                    include_columns=list(_CONTACT_COLUMNS),
                ),
            )
            for file in sorted(out.glob("drops/crm/contacts_*.csv"))
        ).to_pylist()
        erp = [pq.read_table(file) for file in sorted(out.glob("drops/erp/customers_*.parquet"))]
        customers_of_erp = pa.concat_tables(erp).to_pylist()
        truth = pq.read_table(out / "truth" / "records.parquet").to_pylist()
    persons = {
        (row["source"], row["record_key"]): row["person_id"] for row in truth if row["record_key"]
    }
    rows = [
        {
            "full_name": f"{row['first_name'] or ''} {row['last_name'] or ''}",
            "birth_on": _iso(row["birth_date"]),
            **_common(row),
            "person": persons["crm_contacts", row["contact_id"]],
        }
        for row in contacts
    ] + [
        {
            "full_name": row["name"],
            "birth_on": None,
            **_common(row),
            "person": persons["erp_customers", row["customer_number"]],
        }
        for row in customers_of_erp
    ]
    table = pa.Table.from_pylist(rows)
    roles = {
        "full_name": "full_name",
        "birth_on": "birth_date",
        "email": "email",
        "phone": "phone",
        "street": "address",
        "city": "place",
        "postcode": "postcode",
    }
    matching = {"columns": {name: role for name, role in roles.items() if name not in without}}
    return IdentitySet(table, Matching.model_validate(matching), _numbered(table["person"]))


_WITHOUT_CONTACTS = ("email", "phone")
SETS: Mapping[str, Callable[[], IdentitySet]] = {
    "historical_50k": historical_50k,
    "febrl1": lambda: febrl("dataset1"),
    "febrl2": lambda: febrl("dataset2"),
    "febrl3": lambda: febrl("dataset3"),
    "febrl4": lambda: febrl("dataset4a", "dataset4b"),
    "febrl3_weak": lambda: febrl("dataset3", without=("soc_sec_id",)),
    "febrl4_weak": lambda: febrl("dataset4a", "dataset4b", without=("soc_sec_id",)),
    "febrl3_names_places": lambda: febrl(
        "dataset3",
        without=("street_number", "address_1", "address_2", "date_of_birth", "soc_sec_id"),
    ),
    "febrl3_names_dates": lambda: febrl(
        "dataset3",
        without=(
            *("street_number", "address_1", "address_2", "suburb", "postcode", "state"),
            "soc_sec_id",
        ),
    ),
    "sample": sample,
    "sample_weak": lambda: sample(without=_WITHOUT_CONTACTS),
}
"""``_weak`` sets lack what identifies by itself."""

_CONTACT_COLUMNS = (
    *("contact_id", "first_name", "last_name", "email", "phone", "birth_date"),
    *("street", "city", "postcode", "country"),
)
_NOTHING = frozenset({"", "null", "n/a", "-", "1900-01-01", "01/01/1900"})


def _common(row: Mapping[str, str | None]) -> dict[str, str | None]:
    phone, country = row["phone"], row["country"]
    region = country if country and re.fullmatch("[A-Z]{2}", country) else "GB"
    found = {name: _given(row[name]) for name in ("email", "street", "city", "postcode")}
    return {**found, "phone": e164(phone, region=region) if phone else None}


def _given(value: str | None) -> str | None:
    return None if value is None or value.strip().lower() in _NOTHING else value


def _iso(date: str | None) -> str | None:
    day_first = re.fullmatch(r"(\d{2})/(\d{2})/(\d{4})", date or "")
    turned = f"{day_first[3]}-{day_first[2]}-{day_first[1]}" if day_first else date
    return _given(turned)


def _file(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        raise DataMissing(f"{path} is not there; GOLDENLAKE_DATA names the folder of public data")
    return path


def _numbered(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.unique(column.to_pylist(), return_inverse=True)[1].astype(np.int64)
