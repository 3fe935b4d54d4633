"""Vendors that cannot run here: servers with a state of their own, one module a vendor.

Each request is judged by the vendor's published specification before a handler sees it, and each
answer of a handler as well, so that neither side can agree with the other alone. What does not fit
is answered with 400 and kept in ``violations``, of which a test must leave none. Specifications are
looked for in the folder that ``GOLDENLAKE_SPECS`` names, else beside the project; a test skips
where they are absent.
"""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathNotFound
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from goldenlake.declarations.connections import Connection, System
from goldenlake.destinations import PUBLISHED
from goldenlake.io.api import open_api
from goldenlake.ports import Api, FilePlace

SPECS = Path(
    os.environ.get("GOLDENLAKE_SPECS", Path(__file__).parents[3].parent / "shared" / "specs")
)
TOKEN = "a-token-of-nothing"
VendorT = TypeVar("VendorT", bound="Vendor")
Handler = Callable[..., "Answer"]


@dataclass(frozen=True)
class Answer:
    """What a handler answers: JSON, or bytes of their own type."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def as_response(self) -> Response:
        """For werkzeug."""
        is_bytes = isinstance(self.body, bytes)
        content = self.body if is_bytes else json.dumps(self.body) if self.body is not None else b""
        kind = self.content_type if content else None
        return Response(content, self.status, dict(self.headers), content_type=kind)


@dataclass
class Fault:
    """Something that goes wrong at a call, once for each of ``times``.

    Args:
        at: part of the path of the calls that meet it; the first of them after ``skip`` others.
        status: answered instead of the handler's answer; 0 cuts the connection.
        is_applied: whether the handler does its work before.
    """

    at: str = ""
    status: int = 500
    is_applied: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    skip: int = 0
    times: int = 1


def route(method: str, rule: str) -> Callable[[Handler], Handler]:
    """A handler of calls to ``rule``, as werkzeug writes rules."""

    def marked(handler: Handler) -> Handler:
        handler.rules = [*getattr(handler, "rules", []), (method, rule)]  # type: ignore[attr-defined]
        return handler

    return marked


@cache
def specification(name: str, base: str) -> OpenAPI:
    """A specification, as if its server were this machine. Skips the test where it is absent."""
    return judge_of(published(name), base)


def published(name: str) -> dict[str, Any]:
    """A specification as its vendor publishes it. Skips the test where it is absent."""
    path = SPECS / name
    if not path.is_file():
        pytest.skip(
            f"specification {name} is not on this machine; GOLDENLAKE_SPECS names its folder"
        )
    # What may be of any type is JSON in fact.
    told = path.read_text(encoding="utf-8").replace('"*/*"', '"application/json"')
    return dict(json.loads(told))


def judge_of(told: Mapping[str, Any], base: str) -> OpenAPI:
    """What judges calls to this machine by a specification."""
    told = {**told, "servers": [{"url": base or "/"}]}
    # Who calls is judged by the server itself.
    told.pop("security", None)
    for operations in told["paths"].values():
        operations.pop("servers", None)
        for operation in operations.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    # Specifications are taken as they are published: Mailchimp's has a default of a wrong type.
    settings = Config(extra_media_type_deserializers=_READERS, spec_validator_cls=None)
    return OpenAPI.from_dict(told, config=settings)


_READERS = dict.fromkeys(("application/vnd.api+json", "application/problem+json"), json.loads)


class Vendor:
    """One account of a vendor, in memory. Subclasses add a state and handlers."""

    specs: ClassVar[Sequence[str]] = ()
    written: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Specifications by hand, of what none of the published ones has."""
    base: ClassVar[str] = ""
    judges_every: int = 1
    """Of so many calls of one method, the first is judged, of 0 none: a benchmark would otherwise
    time the judge."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(count)
        self.contracts = [specification(name, self.base) for name in self.specs]
        self.contracts += [judge_of(each, self.base) for each in self.written]
        self.faults: list[Fault] = []
        self.violations: list[str] = []
        self.calls: list[tuple[str, str, int]] = []
        """Method, path and status of each call."""
        self.bodies: list[str] = []
        """What was received, in order."""
        self.lock = threading.Lock()
        handlers = [
            (method, rule, getattr(self, name))
            for name in dir(type(self))
            for method, rule in getattr(getattr(type(self), name), "rules", ())
        ]
        self._handlers = {f"{method} {rule}": handler for method, rule, handler in handlers}
        self._rules = Map(
            [
                Rule(self.base + rule, methods=[method], endpoint=f"{method} {rule}")
                for method, rule, _ in handlers
            ]
        )

    def is_known(self, request: Request) -> bool:
        """Whether the caller may call."""
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    def refusal(self, status: int, message: str) -> Answer:
        """How this vendor words a refusal."""
        return Answer({"status": "error", "message": message}, status)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        request = Request(environ)
        response = self._respond(request)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            return self._answered(request)
        except Exception as error:
            self.violations.append(f"{request.method} {request.path} broke the server: {error!r}")
            raise

    def _answered(self, request: Request) -> Response:
        content = request.get_data(cache=True)
        with self.lock:
            self.bodies.append(content.decode(errors="replace"))
            fault = self._fault(request.path)
        if fault is not None and not fault.is_applied:
            return self._told(request, _failed(fault))
        answer = self._handled(request)
        if fault is not None:
            return self._told(request, _failed(fault))
        return self._told(request, answer.as_response())

    def _handled(self, request: Request) -> Answer:
        if not self.is_known(request):
            return self.refusal(401, "unauthorised")
        number = next(self._numbers[request.method])
        is_judged = self.judges_every and number % self.judges_every == 0
        judge, problem = self._judge(request) if is_judged else (None, "")
        if problem:
            with self.lock:
                self.violations.append(f"{request.method} {request.path}: {problem}")
            return self.refusal(400, problem)
        try:
            endpoint, values = self._rules.bind("localhost").match(request.path, request.method)
        except HTTPException as error:
            self.violations.append(f"{request.method} {request.path}: {error}")
            return self.refusal(error.code or 404, "no such call")
        with self.lock:
            answer = self._handlers[endpoint](request, **values)
            if judge is not None:
                self._check_answer(judge, request, answer)
        return answer

    def _judge(self, request: Request) -> tuple[OpenAPI | None, str]:
        """The specification that knows this call, and what it objects to."""
        for each in self.contracts:
            try:
                each.validate_request(WerkzeugOpenAPIRequest(request))
            except PathNotFound:
                continue
            except OpenAPIError as error:
                return each, f"{error} {error.__cause__ or ''} {_details(error)}"
            return each, ""
        return None, "" if not self.contracts else "no specification knows this call"

    def _check_answer(self, judge: OpenAPI, request: Request, answer: Answer) -> None:
        try:
            judge.validate_response(
                WerkzeugOpenAPIRequest(request), WerkzeugOpenAPIResponse(answer.as_response())
            )
        except OpenAPIError as error:
            self.violations.append(
                f"answer {answer.status} to {request.method} {request.path}: {error} "
                f"{error.__cause__ or ''} {_details(error)}"
            )

    def _fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.at in path and fault.times > 0:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _told(self, request: Request, response: Response) -> Response:
        with self.lock:
            self.calls.append((request.method, request.path, response.status_code))
        return response


def _details(error: BaseException) -> str:
    cause = error.__cause__
    return "; ".join(each.message for each in getattr(cause, "schema_errors", ()))


class _Cut(Exception):
    """The connection ends here."""


class _CutResponse(Response):
    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["werkzeug.socket"].close()
        raise _Cut


def _failed(fault: Fault) -> Response:
    if fault.status == 0:
        return _CutResponse(status=500)
    return Answer(fault.body or {"message": "failed"}, fault.status, fault.headers).as_response()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, *_: Any) -> None:
        """Nothing: a test tells what matters."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """A client that went away is no fault of the server."""


@contextmanager
def serving(vendor: Vendor, shown: ssl.SSLContext | None = None) -> Iterator[str]:
    """The vendor's address, while it serves; over TLS where it shows a certificate."""
    server: BaseWSGIServer = make_server(
        "127.0.0.1", 0, vendor, threaded=True, request_handler=_Quiet, ssl_context=shown
    )
    server.log = lambda *_, **__: None  # type: ignore[method-assign] - a cut is no fault of it
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        scheme = "https" if shown else "http"
        yield f"{scheme}://127.0.0.1:{server.server_port}{vendor.base}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Outside:
    """``ports.Outside`` of one connection; every process opens its own."""

    base_url: str
    system: System = "other"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def place(self, name: str) -> FilePlace:
        """There are none."""
        raise KeyError(name)

    def api(self, name: str) -> Api:
        """The account, as ``conf/env`` would declare it, without its limits."""
        declared = {
            "base_url": self.base_url,
            "system": self.system,
            "auth": {"kind": "header", "value": {"env": "GOLDENLAKE_TEST_TOKEN"}},
            "rates": [],
            **self.settings,
        }
        os.environ["GOLDENLAKE_TEST_TOKEN"] = TOKEN
        return open_api(name, Connection.model_validate(declared), PUBLISHED[self.system])


def wait(seconds: float) -> None:
    """A slow answer."""
    time.sleep(seconds)
