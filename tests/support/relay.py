"""A relay before a real system, which hands every call on and can fail on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx
from werkzeug import Request

from goldenlake.ports import (
    Batch,
    Delivery,
    DestinationKind,
    NoteJob,
    OutboundRecord,
)
from support.vendors import Answer, Vendor, serving

_HANDED_ON = ("authorization", "content-type", "range")
_HANDED_BACK = ("location", "content-range", "retry-after")


class Relay(Vendor):
    """``vendors.Vendor`` of which the other side is real: its faults meet real calls."""

    def __init__(self, target: str, client: httpx.Client) -> None:
        super().__init__()
        self.target, self.client = target, client
        self.refuses: Callable[[Request], Answer | None] = lambda _: None
        """What is answered instead of handing a call on."""

    def _handled(self, request: Request) -> Answer:
        content = request.get_data()
        if refusal := self.refuses(request):
            return refusal
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        path = request.environ["RAW_URI"].partition("?")[0]
        headers = {n: request.headers[n] for n in _HANDED_ON if n in request.headers}
        reply = self.client.request(
            request.method, self.target + path + query, content=content, headers=headers
        )
        back = {name: reply.headers[name] for name in _HANDED_BACK if name in reply.headers}
        kind = reply.headers.get("content-type", "application/json")
        return Answer(reply.content, reply.status_code, back, kind)


@contextmanager
def relaying(target: str) -> Iterator[tuple[Relay, str]]:
    """A relay to a real system, and its address."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        relay = Relay(target, client)
        with serving(relay) as base_url:
            yield relay, base_url


@dataclass(frozen=True)
class Renamed:
    """A kind whose records have the fields of the contract under names that the system knows."""

    kind: DestinationKind
    names: Mapping[str, str]

    def __getattr__(self, name: str) -> object:
        return getattr(self.kind, name)

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> object:
        """See ``DestinationKind``."""
        return self.kind.send(self._delivery(delivery), self._batch(batch), note)

    def look_up(self, delivery: Delivery, batch: Batch) -> object:
        """See ``DestinationKind``."""
        return self.kind.look_up(self._delivery(delivery), self._batch(batch))

    def _delivery(self, delivery: Delivery) -> Delivery:
        known = delivery.schema.items()
        return replace(delivery, schema={self.names[n]: t for n, t in known if n in self.names})

    def _batch(self, batch: Batch) -> Batch:
        return replace(batch, records=[self._record(record) for record in batch.records])

    def _record(self, record: OutboundRecord) -> OutboundRecord:
        fields = {self.names[n]: v for n, v in record.fields.items() if n in self.names}
        return replace(record, fields=fields)
