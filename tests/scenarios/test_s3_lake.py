"""The whole night on a lake in an object store, in processes of their own, kills included."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from goldenlake.cli.installation import PROJECT
from support.newsletter import BOB, CANARIES, DAY, KEY, NEXT, OTHERS, told_by, write
from support.scenario import Scenario
from support.telling import said, unpacked

pytestmark = [pytest.mark.slow, pytest.mark.s3]

KILLS = 20
#: Fifty starts of Spark would take a quarter of an hour.
ASKING = """
import sys
from datetime import date
from pathlib import Path
from goldenlake.cli.installation import Installation
from goldenlake.cli.privacy import subject_of
from goldenlake.reporting.access import access_json
from goldenlake.steps.access import Access
conf, folder, *whom = sys.argv[1:]
installation = Installation.load(Path(conf), "local", None, as_of=date(2026, 3, 2))
for each in whom:
    step = Access(
        subject=subject_of(installation, [f"email={each}"]),
        sources=list(installation.catalogue.sources.values()),
        consent=installation.catalogue.consent,
    )
    told = access_json(step.run(installation.tables))
    (Path(folder) / f"{each}.json").write_text(told)
"""
STAGES = ("collect", "resolve", "golden", "publish", "segments", "activate")


@pytest.fixture
def on_s3(newsletter: Scenario, s3_server: Any) -> Scenario:
    """The company again, its lake in a bucket and nothing in it yet."""
    if not (PROJECT / ".jars" / "s3").is_dir():
        pytest.skip("no S3A JARs here; `make setup-s3` fetches them")
    bucket = s3_server.bucket(f"lake-{newsletter.home.parent.name[:40].replace('_', '-').lower()}")
    conf = newsletter.home / "conf" / "env" / "local.yml"
    conf.write_text(
        conf.read_text()
        .replace("lake: lake\n", f"lake: s3a://{bucket}/home\n")
        .replace(
            'spark: {master: "local[2]"}\n',
            "spark:\n  master: local[2]\n  small_data: true\n  conf:\n"
            f"    spark.hadoop.fs.s3a.endpoint: {s3_server.endpoint}\n"
            '    spark.hadoop.fs.s3a.path.style.access: "true"\n'
            '    spark.hadoop.fs.s3a.connection.ssl.enabled: "false"\n',
        )
    )
    shutil.rmtree(newsletter.home / "exports")
    (newsletter.home / "exports").mkdir()
    return newsletter


def goldenlake(at: Scenario, *arguments: str) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("goldenlake")), *arguments]
    return subprocess.Popen(
        [*command, "--conf", str(at.home / "conf"), "--env", "local"],
        cwd=PROJECT,
        env={**os.environ, "GOLDENLAKE_TEST_PRIVACY": KEY},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=(at.home / "log").open("ab"),
    )


def comes_to(stage: str, night: subprocess.Popen[bytes], at: Scenario) -> bool:
    """Whether the night begins the stage before it ends, as its progress tells."""
    log = at.home / "log"
    begun = log.read_text().count(f" {stage}\n")
    while night.poll() is None:
        if log.read_text().count(f" {stage}\n") > begun:
            return True
        time.sleep(0.2)
    return False


def run(at: Scenario, *arguments: str) -> int:
    return goldenlake(at, *arguments).wait(timeout=600)


def published(at: Scenario, s3_server: Any, lake: str = "home") -> dict[str, list[str]]:
    """What a reader without Spark finds in each published table, by the pointer file."""
    conf = (at.home / "conf" / "env" / "local.yml").read_text()
    bucket = conf.split("s3a://")[1].split("/")[0]
    client = s3_server.client()
    pointer = json.load(client.get_object(Bucket=bucket, Key=f"{lake}/generation.json")["Body"])
    options = {
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_CONDITIONAL_PUT": "etag",
    }
    found = {}
    for name, told in pointer["tables"].items():
        table = DeltaTable(
            told["path"].replace("s3a://", "s3://"),
            version=told["version"],
            storage_options=options,
        )
        rows = table.to_pyarrow_table().to_pylist()
        found[name] = sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)
    assert {"gold.customers", "identity.customers", "identity.history"} <= set(found)
    return found


def lines_sent(at: Scenario) -> list[dict[str, Any]]:
    files = (at.home / "exports").rglob("*.jsonl")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def sent(at: Scenario) -> list[str]:
    return sorted(each["email"] for each in lines_sent(at))


@pytest.mark.fault("kill between two stages")
def test_nights_that_are_killed_on_s3_end_as_one_that_was_not(
    on_s3: Scenario, s3_server: Any, tmp_path: Path, record_property: Any
) -> None:
    at = on_s3
    seed = int(os.environ.get("GOLDENLAKE_SEED", "7"))
    record_property("seed", seed)
    drawn = random.Random(seed)
    killed, days = 0, [NEXT]
    while killed < KILLS:
        night = goldenlake(at, "nightly", "--as-of", str(days[-1]))
        reached = comes_to(drawn.choice(STAGES), night, at)
        time.sleep(drawn.uniform(0, 8))
        if reached and night.poll() is None:
            os.killpg(night.pid, signal.SIGKILL)
            killed += 1
        code = night.wait()
        assert code in (0, 3, -signal.SIGKILL), f"GOLDENLAKE_SEED={seed}"
        if code != -signal.SIGKILL:
            days.append(days[-1] + timedelta(days=1))
            write(at, days[-1], f"new.{len(days)}@example.com")
    record_property("nights", len(days))
    assert run(at, "nightly", "--as-of", str(days[-1])) in (0, 3)

    twin = Scenario(tmp_path / "twin", at.tables)
    shutil.copytree(at.home, twin.home)
    shutil.rmtree(twin.home / "exports")
    (twin.home / "exports").mkdir()
    conf = twin.home / "conf" / "env" / "local.yml"
    conf.write_text(conf.read_text().replace("/home\n", "/twin\n", 1))
    for day in days:
        assert run(twin, "nightly", "--as-of", str(day)) in (0, 3)
    assert published(at, s3_server) == published(twin, s3_server, "twin"), f"GOLDENLAKE_SEED={seed}"
    assert sent(at) == sent(twin)
    assert run(at, "verify") == 0


def test_fifty_people_and_one_are_told_what_is_known_and_forgotten_in_a_lake_on_s3(
    on_s3: Scenario, s3_server: Any, tmp_path: Path
) -> None:
    at, whom = on_s3, (BOB, *CANARIES)
    write(at, NEXT, *CANARIES, *OTHERS, name="canaries")
    assert run(at, "nightly", "--as-of", str(NEXT)) in (0, 3)
    assert told_by(str(published(at, s3_server)).encode(), whom) == {*whom}
    for each, told in zip(whom, all_that_is_known(at, whom, tmp_path), strict=True):
        assert told_by(told.read_bytes(), whom) == {each}
    listed = tmp_path / "listed"
    listed.write_text("\n".join(f"email={each}" for each in whom))

    erase = ("erase", "--from", str(listed), "--reason", "R-1", "--as-of", str(NEXT))
    assert run(at, *erase) == 0

    (path,) = (at.home / "reports" / "erasures").glob("*.json")
    certificate = json.loads(path.read_text())
    assert certificate["people"] == len(whom)
    assert certificate["destinations"] == {"readers": {"absent": len(whom)}}
    assert {each["key"] for each in lines_sent(at) if each["operation"] == "remove"} == {*whom}
    for name, data in (*objects(at, s3_server), *said(at.home / "reports")):
        assert told_by(data, whom) == set(), name
    assert told_by((at.home / "log").read_bytes(), whom) == set()
    write(at, DAY, *whom, name="again")
    assert run(at, "nightly", "--as-of", str(NEXT)) in (0, 3)
    assert told_by(str(published(at, s3_server)).encode(), whom) == set()
    for name, data in objects(at, s3_server):
        assert told_by(data, whom) == set(), name


def all_that_is_known(at: Scenario, whom: Iterable[str], folder: Path) -> list[Path]:
    """What each is told who asks, by one process, as `goldenlake access` tells it."""
    asked = subprocess.run(
        [sys.executable, "-c", ASKING, str(at.home / "conf"), str(folder), *whom],
        cwd=PROJECT,
        env={**os.environ, "GOLDENLAKE_TEST_PRIVACY": KEY, "PYTHONPATH": str(PROJECT / "jobs")},
        capture_output=True,
        timeout=1200,
    )
    assert asked.returncode == 0, asked.stderr.decode()[-2000:]
    return [folder / f"{each}.json" for each in whom]


def objects(at: Scenario, s3_server: Any) -> Iterator[tuple[str, bytes]]:
    """What each object of the lake's bucket says."""
    bucket = (at.home / "conf" / "env" / "local.yml").read_text().split("s3a://")[1].split("/")[0]
    client = s3_server.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    assert any(key.endswith(".parquet") for key in keys)
    for key in keys:
        yield key, unpacked(key, client.get_object(Bucket=bucket, Key=key)["Body"].read())
