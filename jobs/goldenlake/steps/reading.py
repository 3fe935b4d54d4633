"""How a published generation is read: views for Spark SQL, a pointer file for everybody else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.errors import GenerationClosed, SetupError, TableMissing
from goldenlake.io.tables import local_folder
from goldenlake.night import NIGHT
from goldenlake.ports import Tables
from goldenlake.steps.generations import (
    Generation,
    generations,
    last_day_run,
    latest_generation,
)

POINTER = "generation.json"


def generation_of(tables: Tables, generation: int | None = None) -> Generation:
    """A published generation by its number, the newest by default.

    Raises TableMissing before the first publication, SetupError for a number that is unknown, and
    GenerationClosed for one that an erasure has closed.
    """
    if generation is None:
        latest = latest_generation(tables)
        if latest is None:
            raise TableMissing("ops.publications")
        return latest
    found = [each for each in generations(tables) if each.generation == generation]
    if not found:
        raise SetupError(
            f"generation {generation} was never published.",
            mend="Leave --generation out for the newest.",
        )
    if found[-1].is_closed:
        raise GenerationClosed(generation=generation)
    return found[-1]


def newest_day(tables: Tables) -> date:
    """The last day for which something ran, else that of the newest generation.

    Upkeep and looking are no nights. Raises TableMissing where there is neither.
    """
    nights = F.col("step").isin([stage.name for stage in NIGHT if stage.name != "report"])
    if ran := last_day_run(tables, nights):
        return ran
    generation = latest_generation(tables)
    if generation is None:
        raise TableMissing("ops.runs", mend="Nothing has run yet: run the night first.")
    return generation.as_of


def generation_views(
    tables: Tables,
    generation: int | None = None,
    *,
    mask: Callable[[str, DataFrame], DataFrame | None] | None = None,
) -> Generation:
    """Name every table of one generation in the session, all pinned to its versions.

    ``mask`` gives a table, by its name, as it is to be seen, or None where it is not to be.

    Golden tables go by their own name (``customers``, ``purchases`` …) and, as those of identity
    do, by layer and name (``gold_customers``, ``identity_records``). Gives the generation.
    Raises TableMissing, SetupError, GenerationClosed.
    """
    chosen = generation_of(tables, generation)
    for name, version in chosen.tables.items():
        layer, short = name.split(".")
        pinned = tables.read(name, version=version)
        frame = mask(name, pinned) if mask else pinned
        for view in (f"{layer}_{short}", *([short] if layer == "gold" else [])):
            if frame is None:
                tables.spark.catalog.dropTempView(view)
            else:
                frame.createOrReplaceTempView(view)
    return chosen


def write_pointer(tables: Tables, generation: Generation) -> str:
    """Tell readers without Spark which versions to open, in ``<lake>/generation.json``.

    Written whole or not at all, after the publication; a crash in between leaves the file one
    generation behind, whose versions are still there, until the next run repairs it. Where the
    file says this already, nothing is written. Gives its URI.
    """
    lake = tables.location("gold.customers").removesuffix("/gold/customers")
    content = {
        "generation": generation.generation,
        "as_of": generation.as_of.isoformat(),
        "tables": {
            name: {"path": tables.location(name), "version": version}
            for name, version in sorted(generation.tables.items())
        },
    }
    text = json.dumps(content, indent=2) + "\n"
    folder = local_folder(lake)
    if folder is None:
        return _write_remote(tables, f"{lake}/{POINTER}", text)
    path = folder / POINTER
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        _write_local(path, text)
    return str(path)


def _write_local(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _write_remote(tables: Tables, uri: str, text: str) -> str:
    """Object stores show an object whole once its stream is closed."""
    session: Any = tables.spark
    path = session._jvm.org.apache.hadoop.fs.Path(uri)
    store = path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf())
    stream = store.create(path, True)
    try:
        stream.write(bytearray(text, "utf-8"))
    finally:
        stream.close()
    return uri
