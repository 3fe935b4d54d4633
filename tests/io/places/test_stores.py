"""What a lake needs of an object store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from goldenlake.errors import StoreUnsafe
from goldenlake.io.places.s3 import prove_conditional_put, store_at
from goldenlake.io.tables import DeltaTables


class Careless(BaseHTTPRequestHandler):
    """A store that takes If-None-Match and ignores it, as some gateways do."""

    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def do_GET(self) -> None:
        self._answer(200, self.objects[self.path])

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._answer(204)

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """What a careless store holds, while the process is set up to talk to it."""
    objects: dict[str, bytes] = {}
    handler = type("Handler", (Careless,), {"objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield objects
    server.shutdown()
    server.server_close()


@pytest.mark.fault("two writers")
def test_a_store_that_ignores_the_condition_is_refused_before_anything_is_written(
    careless: dict[str, bytes], spark: Any
) -> None:
    tables = DeltaTables(spark, "s3a://lake/home")
    rows = tables.frame([["x"]], "id STRING")

    for _ in range(2):
        with pytest.raises(StoreUnsafe, match="If-None-Match"):
            tables.append("silver.crm", rows)

    assert careless == {}


@pytest.mark.s3
def test_a_store_that_keeps_the_condition_is_taken(s3_server: Any) -> None:
    store = store_at("probe", f"s3a://{s3_server.bucket('probe')}/home")

    prove_conditional_put(store)

    assert list(store.list("**")) == []
