"""drt's way to HubSpot, in drt's own environment: ``python -m benchmarks.drt_sync HOME hubspot …``.

Its address is a constant of its module, so it is replaced there; its pacing, at most 9 calls a
second, is off. Needs nothing of this project's environment.
"""

from __future__ import annotations

import json
from pathlib import Path

from drt.config.destinations_saas import HubSpotDestinationConfig
from drt.config.models import SyncOptions
from drt.destinations import hubspot

from benchmarks.answers import answer

_BATCH = 100
"""As in drt's own template for HubSpot."""


def contacts(_home: Path, url: str, people: str) -> dict[str, object]:
    """Upsert the contacts of a file of JSON lines."""
    hubspot._HUBSPOT_API = f"{url}/crm/v3/objects"
    auth = {"type": "bearer", "token_env": "GOLDENLAKE_BENCH_TOKEN"}
    config = HubSpotDestinationConfig.model_validate({"type": "hubspot", "auth": auth})
    options = SyncOptions.model_validate({"rate_limit": {"requests_per_second": 0}})
    destination = hubspot.HubSpotDestination()
    with Path(people).open() as lines:
        rows = [json.loads(line) for line in lines]
    results = [
        destination.load(rows[at : at + _BATCH], config, options)
        for at in range(0, len(rows), _BATCH)
    ]
    return {
        "success": sum(each.success for each in results),
        "failed": sum(each.failed for each in results),
    }


if __name__ == "__main__":
    answer({"hubspot": contacts})
