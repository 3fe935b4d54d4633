"""Meta's custom audiences, as far as goldenlake uses them.

The contract follows https://developers.facebook.com/docs/marketing-api/reference/custom-audience/users
and https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences.
"""

from __future__ import annotations

from typing import Any, ClassVar

from werkzeug import Request

from support.vendors import Answer, Vendor, route
from support.vendors.written import closed, judged, several

_NUMBER = {"type": "integer", "minimum": 0}
_CLEAR = ("EXTERN_ID",)
_ASKED = closed(
    {
        "payload": closed(
            {
                "schema": several(
                    {
                        "enum": [
                            "EXTERN_ID", "EMAIL", "PHONE", "FN", "LN", "CT", "ST", "ZIP", "COUNTRY",
                        ]
                    }
                ),
                "data": several(several({"type": "string"}), most=10_000),
            }
        ),
        "session": closed(
            {
                "session_id": {"type": "integer", "minimum": 1},
                "batch_seq": {"type": "integer", "minimum": 1},
                "last_batch_flag": {"type": "boolean"},
            },
            estimated_num_total=_NUMBER,
        ),
    }
)  # fmt: skip
_ANSWERED = closed(
    {
        "audience_id": {"type": "string"}, "session_id": {"type": "string"},
        "num_received": _NUMBER, "num_invalid_entries": _NUMBER,
        "invalid_entry_samples": {"type": "object"},
    }
)  # fmt: skip


class Meta(Vendor):
    """An account with audiences; rows that share an e-mail address, phone or id are one person."""

    base: ClassVar = "/v25.0"

    def __init__(self) -> None:
        super().__init__()
        self.audiences: dict[str, list[dict[str, str]]] = {"555": []}
        self.invalid: set[str] = set()
        """Hashes that are counted as invalid."""
        self.lost = 0
        """Rows that are not received."""
        self.closed_sessions: set[int] = set()

    def refusal(self, status: int, message: str, code: int = 100) -> Answer:
        """Meta's own words."""
        error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "x"}
        return Answer({"error": error}, status)

    @route("POST", "/<audience>/users")
    @judged(asks=_ASKED, answers=_ANSWERED)
    def add(self, request: Request, audience: str) -> Answer:
        """Rows that are valid are added."""
        return self._applied(request, audience, self._join)

    @route("DELETE", "/<audience>/users")
    @judged(asks=_ASKED, answers=_ANSWERED)
    def take_out(self, request: Request, audience: str) -> Answer:
        """Whoever shares an identifier with a row."""
        return self._applied(request, audience, self._leave)

    def _applied(self, request: Request, audience: str, apply: Any) -> Answer:
        if request.args:
            return self.refusal(400, "nothing belongs into the address")
        if audience not in self.audiences:
            return self.refusal(400, "Object with this ID does not exist")
        told = request.get_json()
        payload, session = told["payload"], told["session"]
        if session["session_id"] in self.closed_sessions:
            return self.refusal(400, "the session has ended")
        if session["last_batch_flag"]:
            self.closed_sessions.add(session["session_id"])
        invalid = 0
        rows = payload["data"][self.lost :]
        for values in rows:
            row = {c: v for c, v in zip(payload["schema"], values, strict=True) if v}
            hashes = [value for column, value in row.items() if column not in _CLEAR]
            if any(len(each) != 64 or each in self.invalid for each in hashes) or not row:
                invalid += 1
                continue
            apply(self.audiences[audience], row)
        return Answer(
            {
                "audience_id": audience, "session_id": str(session["session_id"]),
                "num_received": len(rows), "num_invalid_entries": invalid,
                "invalid_entry_samples": {},
            }
        )  # fmt: skip

    def _join(self, people: list[dict[str, str]], row: dict[str, str]) -> None:
        for known in people:
            if _is_one(known, row):
                known |= row
                return
        people.append(row)

    def _leave(self, people: list[dict[str, str]], row: dict[str, str]) -> None:
        people[:] = [known for known in people if not _is_one(known, row)]


def _is_one(known: dict[str, str], row: dict[str, str]) -> bool:
    strong = ("EXTERN_ID", "EMAIL", "PHONE")
    return any(column in known and known[column] == row.get(column) for column in strong)
