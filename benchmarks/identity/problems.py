"""What is put before the contenders: records in a file, and apart from them who is who."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.identity import people
from benchmarks.identity_data import SETS

_TRAINED_ON = 50_000
"""Records of made-up people, on which all train."""
PUBLIC = ("historical_50k", "febrl3", "febrl4")
"""Sets for which Splink's documentation has a demonstration."""
_ROLES = {
    "given_name": "given_name",
    "family_name": "family_name",
    "birth_date": "birth_date",
    "email": "email",
    "phone": "phone",
    "street": "address",
    "city": "place",
    "postcode": "postcode",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What ``problem.json`` says, in one folder with ``records.parquet`` and ``truth.parquet``.

    Records are numbered from 0 on in ``record_id``, in the order of the file. Where they have a
    ``source``, each source has every person once.
    """

    name: str
    records: int
    matching: dict[str, Any]
    """The roles of the columns, as declared for ours."""
    rules: tuple[tuple[str, ...], ...] = ()
    """Exact blocking rules that contenders share; none where each brings its own."""


def public(folder: Path, name: str) -> Problem:
    """Write a public set. Raises DataMissing where it is not on this machine."""
    data = SETS[name]()
    ids = pa.array(np.arange(data.records.num_rows))
    table = data.records.add_column(0, "record_id", ids)
    if data.exclusive is not None:
        table = table.append_column("source", pa.array(data.exclusive))
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "records.parquet")
    truth = pa.table({"record_id": ids, "person_id": data.person})
    pq.write_table(truth, folder / "truth.parquet")
    matching = data.matching.model_dump()
    return _noted(folder, Problem(name=name, records=len(ids), matching=matching))


def generated(folder: Path, records: int, seed: int) -> Problem:
    """Write made-up people."""
    folder.mkdir(parents=True)
    people.write_people(folder, records, seed)
    matching = {"columns": _ROLES}
    return _noted(
        folder, Problem(name="people", records=records, matching=matching, rules=people.RULES)
    )


def generated_to_train(home: Path, records: int, seed: int) -> Problem:
    """Made-up people in ``home/problem``; in ``home/training`` others, of whom there are fewer."""
    problem = generated(home / "problem", records, seed)
    generated(home / "training", min(records, _TRAINED_ON), seed + 1)
    return problem


def _noted(folder: Path, problem: Problem) -> Problem:
    (folder / "problem.json").write_text(json.dumps(asdict(problem)))
    return problem
