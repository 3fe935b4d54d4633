"""Erasing, alone: what would end a request too early."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from goldenlake.errors import ErasureUnfinished
from goldenlake.io.places.folder import Folder
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.erase import Erase, begin, certificates, open_requests
from goldenlake.steps.subjects import Subject

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOB = "bob.canary@example.com"


def test_a_file_that_still_tells_of_somebody_keeps_the_request_open(
    tables: DeltaTables, tmp_path: Path
) -> None:
    subject = Subject(
        people=1,
        customer_ids=("c_bob",),
        record_ids=("crm:1",),
        identifiers=(("email", BOB),),
        contacts=(BOB,),
    )
    begin(tables, subject, by="dpo", reason="R-1", at=NOW)
    [request] = open_requests(tables)
    (tmp_path / "calls.txt").write_text(f"{BOB} called.\n")
    step = Erase(
        request=request,
        sources=[],
        destinations={},
        key=None,
        areas={"notes": Folder("notes", tmp_path)},
        as_of=date(2026, 3, 1),
        run_id="test",
    )

    with pytest.raises(ErasureUnfinished, match=r"calls\.txt"):
        step.finish(tables, tables, lambda _: None, at=NOW)

    assert open_requests(tables) == [request]
    assert certificates(tables) == {}
