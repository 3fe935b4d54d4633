"""Real systems: a Tryton (CRM and ERP) and a GNU Mailman that belong to the test run.

Each listens on 127.0.0.1 at a free port, keeps all that it writes in the test's own folder, and is
ended by its process id. A test that asks for one is skipped where ``make setup-live`` was not run.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.servers import Server, free_port
from support.vendors import TOKEN

ROOT = Path(__file__).resolve().parents[2]
_RUNNERS = (
    "archive", "bounces", "command", "digest", "in", "lmtp", "nntp", "out", "pipeline", "retry",
    "shunt", "task", "virgin",
)  # fmt: skip


def _program(environment: str, name: str) -> str:
    found = ROOT / environment / "bin" / name
    if not found.is_file():
        pytest.skip(f"{environment} is not on this machine; run make setup-live")
    return str(found)


def _answers(url: str, **others: Any) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False, **others).status_code < 500
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class Mailman:
    """A GNU Mailman without the runners that would send mail; ``outbox`` shows what they would."""

    base_url: str
    home: Path

    def call(self, method: str, path: str, **told: Any) -> Any:
        """A call of the list's owner, past our own code."""
        reply = httpx.request(
            method, self.base_url + path, json=told or None, auth=("restadmin", TOKEN),
            timeout=30, trust_env=False,
        )  # fmt: skip
        assert reply.status_code < 300, (method, path, reply.status_code, reply.text)
        return reply.json() if reply.content else None

    def make_list(self, name: str) -> str:
        """A list that nobody may join or leave without its moderators; gives its id."""
        if not self.call("GET", "/domains")["total_size"]:
            self.call("POST", "/domains", mail_host="lists.example.com")
        self.call("POST", "/lists", fqdn_listname=f"{name}@lists.example.com")
        found = f"{name}.lists.example.com"
        moderated = {"subscription_policy": "moderate", "unsubscription_policy": "moderate"}
        self.call("PATCH", f"/lists/{found}/config", **moderated)
        return found

    def roster(self, list_id: str) -> dict[str, str]:
        """Display names of a list's members, by their addresses."""
        page = self.call("GET", f"/lists/{list_id}/roster/member")
        return {each["email"]: each["display_name"] for each in page.get("entries", ())}

    def join(self, list_id: str, email: str) -> None:
        """Somebody subscribes by themselves."""
        ready = dict.fromkeys(("pre_verified", "pre_confirmed", "pre_approved"), True)
        self.call(
            "POST", "/members", list_id=list_id, subscriber=email, send_welcome_message=False,
            **ready,
        )  # fmt: skip

    def leave(self, list_id: str, email: str) -> None:
        """Somebody unsubscribes by themselves."""
        self.call("DELETE", f"/lists/{list_id}/member/{email}", pre_approved=True)

    def forget(self) -> None:
        """Delete every list, and every message that waits."""
        for found in self.call("GET", "/lists").get("entries", ()):
            self.call("DELETE", f"/lists/{found['list_id']}")
        for message in self.outbox:
            Path(message).unlink()

    @property
    def outbox(self) -> list[str]:
        """Messages that wait to be sent."""
        queues = self.home / "var" / "queue"
        return [str(each) for name in ("out", "virgin") for each in (queues / name).glob("*.pck")]


@pytest.fixture(scope="session")
def mailman_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailman]:
    """A real GNU Mailman 3.3 on SQLite; ready after 8 to 16 seconds."""
    master = _program(".venv-mailman", "master")
    home, port = tmp_path_factory.mktemp("mailman"), free_port()
    settings = home / "mailman.cfg"
    settings.write_text(
        f"[mailman]\nlayout: test\n[paths.test]\nvar_dir: {home}/var\n"
        f"[database]\nurl: sqlite:///{home}/mailman.db\n"
        f"[webservice]\nhostname: 127.0.0.1\nport: {port}\nadmin_pass: {TOKEN}\nworkers: 1\n"
        "[mta]\nincoming: mailman.mta.null.NullMTA\nsmtp_host: 127.0.0.1\nsmtp_port: 9\n"
        + "".join(f"[runner.{name}]\nstart: no\n" for name in _RUNNERS)
    )
    base_url = f"http://127.0.0.1:{port}/3.1"
    server = Server(
        [master, "-C", str(settings)], port, home / "mailman.log", {"HOME": str(home)},
        lambda: _answers(f"{base_url}/system/versions"),
    )  # fmt: skip
    server.start()
    yield Mailman(base_url, home)
    server.stop()


@pytest.fixture
def mailman(mailman_server: Mailman) -> Mailman:
    """The server, without what tests before have left."""
    mailman_server.forget()
    return mailman_server


@dataclass(frozen=True)
class Tryton:
    """A Tryton with one company; ``base_url`` ends with the name of its database."""

    base_url: str

    def call(self, method: str, path: str, told: Any = None, **others: str) -> Any:
        """A call of the database's administrator, past our own code."""
        reply = httpx.request(
            method, f"{self.base_url}/rest/model/{path}", json=told,
            headers={"Authorization": f"Bearer {TOKEN}"}, params=others or None,
            timeout=60, trust_env=False,
        )  # fmt: skip
        assert reply.status_code < 300, (method, path, reply.status_code, reply.text)
        return reply.json() if reply.content else None

    def parties(self, *domain: Any) -> list[dict[str, Any]]:
        """Parties besides the template's own, with what is known of them."""
        asked = base64.urlsafe_b64encode(json.dumps([["id", ">", 2], *domain]).encode()).decode()
        fields = ("name", "code", "categories.name", "contact_mechanisms.type")
        more = ("contact_mechanisms.value", "contact_mechanisms.name")
        found = httpx.get(
            f"{self.base_url}/rest/model/party.party",
            params=[("d", asked), *(("f", name) for name in (*fields, *more))],
            headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, trust_env=False,
        )  # fmt: skip
        assert found.status_code == 200, found.text
        return list(found.json())

    def members(self, category: str) -> dict[str, Mapping[str, Any]]:
        """Parties of a category, by their first e-mail address."""
        found = self.parties(["categories.name", "=", category])
        return {
            next(c["value"] for c in party["contact_mechanisms"] if c["type"] == "email"): party
            for party in found
        }

    def forget(self) -> None:
        """Delete every party and category but the template's own."""
        for party in self.parties():
            self.call("DELETE", f"party.party/{party['id']}")
        for category in self.call("GET", "party.category"):
            self.call("DELETE", f"party.category/{category['id']}")


@pytest.fixture(scope="session")
def tryton_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    """A real Tryton 8.2 on a copy of the template; ready after 3 to 8 seconds."""
    program = _program(".venv-tryton", "trytond")
    template = ROOT / ".cache" / "tryton" / "crm.sqlite"
    if not template.is_file():
        pytest.skip(".cache/tryton is not on this machine; run make setup-live")
    home, port = tmp_path_factory.mktemp("tryton"), free_port()
    shutil.copy(template, home)
    settings = home / "trytond.conf"
    settings.write_text(
        f"[database]\nuri = sqlite://\npath = {home}\n[web]\nlisten = 127.0.0.1:{port}\n"
    )
    server = Server(
        [program, "-c", str(settings), "-d", "crm"], port, home / "trytond.log",
        {"HOME": str(home)}, lambda: _answers(f"http://127.0.0.1:{port}/"),
    )  # fmt: skip
    server.start()
    yield Tryton(f"http://127.0.0.1:{port}/crm")
    server.stop()


@pytest.fixture
def tryton(tryton_server: Tryton) -> Tryton:
    """The server, without what tests before have left."""
    tryton_server.forget()
    return tryton_server
