"""Jobs of Salesforce's Bulk API 2.0: made, handed in, asked about, given up.

https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html. A job
whose data were not all handed in does nothing, so an Open one may be given up at any time; a job
that failed may have applied some of its records.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from goldenlake.destinations.salesforce_org import Org, refusal
from goldenlake.destinations.values import text
from goldenlake.errors import Throttled, TransientError
from goldenlake.ports import Acknowledgement, FieldValue, NoteJob, OutboundRecord

_CLEARED = "#N/A"
_GOES_ON = ("UploadComplete", "InProgress")


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """Jobs of one org."""

    org: Org

    def hand_in(self, records: Sequence[OutboundRecord], note: NoteJob) -> str:
        """The id of a job that is noted before it has any data, and closed when it has all."""
        made = self.org.call(
            "POST",
            "/jobs/ingest",
            json={
                "object": self.org.target.object,
                "operation": "upsert",
                "externalIdFieldName": self.org.target.external_id,
                "contentType": "CSV",
                "lineEnding": "LF",
            },
        ).object()
        job = str(made["id"])
        note(job)
        try:
            self.org.call(
                "PUT",
                "/jobs/ingest/{job}/batches",
                ids={"job": job},
                content=self._table(records),
                headers={"content-type": "text/csv; charset=UTF-8"},
            )
            self._turn(job, "UploadComplete")
        except Throttled:
            with suppress(TransientError):
                self._turn(job, "Aborted")
            raise
        return job

    def outcomes(
        self, job: str, records: Sequence[OutboundRecord]
    ) -> tuple[list[Acknowledgement], list[OutboundRecord]]:
        """Answers for records that the job did not apply, and the records that it applied. Nothing
        is said of records that were not in the job.
        """
        told = self.org.call("GET", "/jobs/ingest/{job}", ids={"job": job}).object()
        state = told["state"]
        if state in _GOES_ON:
            return [Acknowledgement(key=r.key, outcome="pending") for r in records], []
        if state == "Open":
            self._turn(job, "Aborted")
            return [Acknowledgement(key=r.key, outcome="retry") for r in records], []
        applied = self._rows(job, "successfulResults")
        failed = self._rows(job, "failedResults")
        left = self._rows(job, "unprocessedrecords")
        why = f"{state}: {told.get('errorMessage') or 'not processed'}"
        answers = [
            refusal(record, failed[record.key.casefold()].get("sf__Error", ""))
            for record in records
            if record.key.casefold() in failed
        ]
        answers += [
            Acknowledgement(key=record.key, outcome="retry", error=why)
            for record in records
            if record.key.casefold() in left
        ]
        return answers, [record for record in records if record.key.casefold() in applied]

    def _turn(self, job: str, state: str) -> None:
        self.org.call("PATCH", "/jobs/ingest/{job}", ids={"job": job}, json={"state": state})

    def _table(self, records: Sequence[OutboundRecord]) -> bytes:
        """CSV in UTF-8: an empty value is left alone there, one that is cleared has a word."""
        names = list(dict.fromkeys(name for record in records for name in record.fields))
        out = io.StringIO(newline="")
        table = csv.writer(out, lineterminator="\n")
        table.writerow([self.org.target.external_id, *names])
        for record in records:
            cells = [_cell(record.fields[n]) if n in record.fields else "" for n in names]
            table.writerow([record.key, *cells])
        return out.getvalue().encode()

    def _rows(self, job: str, which: str) -> Mapping[str, Mapping[str, str]]:
        """By key, which is a column of every result."""
        reply = self.org.call("GET", f"/jobs/ingest/{{job}}/{which}", ids={"job": job})
        rows = csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"), newline=""))
        return {row[self.org.target.external_id].casefold(): row for row in rows}


def _cell(value: FieldValue) -> str:
    return _CLEARED if value is None else text(value)
