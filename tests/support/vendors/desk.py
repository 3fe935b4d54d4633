"""The help desk of the small company. An account is a file in the company's folder, and is copied
with it.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from werkzeug import Request

from support.company import ACCOUNT, answers
from support.vendors import Answer, Fault, Vendor, route
from support.vendors.written import closed, judged

_PERSON = closed({}, name={"type": ["string", "null"]}, country={"type": ["string", "null"]})


class Desk(Vendor):
    """People with their fields, and the groups that they are in; one account for each company."""

    base: ClassVar = "/desk"

    def __init__(self) -> None:
        super().__init__()
        self._homes: list[Path] = []
        self.shaky: dict[Path, Random] = {}
        """Companies whose calls fail now and then, before they were applied or after."""

    def account(self, home: Path) -> str:
        """Where a company's account is, below the address of the desk."""
        self._homes.append(home)
        return f"/{len(self._homes) - 1}"

    def is_known(self, request: Request) -> bool:
        """Everybody is: who they are stands in the path."""
        return True

    @route("PUT", "/<int:company>/people/<email>")
    @judged(asks=_PERSON)
    def write(self, request: Request, company: int, email: str) -> Answer:
        """Of whoever was known before, what is not told stays."""
        account = self._read(company)
        account["people"].setdefault(email, {}).update(request.get_json())
        return self._written(company, account)

    @route("PUT", "/<int:company>/groups/<group>/<email>")
    def join(self, request: Request, company: int, group: str, email: str) -> Answer:
        """Of people who are known."""
        account = self._read(company)
        if email not in account["people"]:
            return self.refusal(404, "nobody of that name")
        members = account["groups"].setdefault(group, [])
        account["groups"][group] = sorted({*members, email})
        return self._written(company, account)

    @route("DELETE", "/<int:company>/groups/<group>/<email>")
    def leave(self, request: Request, company: int, group: str, email: str) -> Answer:
        """Of members alone."""
        account = self._read(company)
        if email not in account["groups"].get(group, []):
            return self.refusal(404, "no such member")
        account["groups"][group].remove(email)
        return self._written(company, account)

    @route("GET", "/<int:company>/groups/<group>/<email>")
    def member(self, request: Request, company: int, group: str, email: str) -> Answer:
        """With their fields."""
        account = self._read(company)
        if email not in account["groups"].get(group, []):
            return self.refusal(404, "no such member")
        return Answer(account["people"][email])

    @route("GET", "/<int:company>/answers")
    def answered(self, request: Request, company: int) -> Answer:
        """To letters, up to a day."""
        return Answer({"answers": answers(date.fromisoformat(request.args["until"]))})

    def _read(self, company: int) -> dict[str, Any]:
        path = self._homes[company] / ACCOUNT
        return json.loads(path.read_text()) if path.exists() else {"people": {}, "groups": {}}

    def _written(self, company: int, account: dict[str, Any]) -> Answer:
        path = self._homes[company] / ACCOUNT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(account, indent=2, sort_keys=True))
        return Answer(status=204)

    def _fault(self, path: str) -> Fault | None:
        company = path.removeprefix(f"{self.base}/").split("/")[0]
        chance = self.shaky.get(self._homes[int(company)])
        if chance is not None and chance.random() < 0.1:
            return Fault(status=chance.choice((0, 500, 503)), is_applied=chance.random() < 0.5)
        return super()._fault(path)
