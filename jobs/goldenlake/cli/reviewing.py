"""``goldenlake identity review``: the pairs that a steward should look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goldenlake.cli.installation import Installation, SystemClock
from goldenlake.cli.options import CONF, ENV, Conf, Env, Lake

reviewing = typer.Typer()


@reviewing.command()
def review(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the files; var/review beside conf by default."),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many pairs to list.")] = 100,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """List pairs on which a decision would tell most: review.html, .csv and .parquet.

    Uncertain matches, and single ties that hold a customer together. The files hold personal values
    and only their owner can read them: delete them when you have decided.
    """
    from goldenlake.reporting.private import write_private
    from goldenlake.reporting.reviews import review_csv, review_page, review_parquet
    from goldenlake.steps.review import Review

    today = SystemClock().now().date()
    installation = Installation.load(conf, env, lake, as_of=today)
    folder = out or installation.catalogue.root / "var" / "review"
    with installation.hinting():
        step = Review(trained=installation.model, most=most)
        pairs = step.run(installation.tables, installation.progress)
    contents = {
        "review.html": review_page(pairs, today).encode(),
        "review.csv": review_csv(pairs),
        "review.parquet": review_parquet(pairs),
    }
    for name, content in contents.items():
        write_private(folder / name, content)
    installation.progress(f"{len(pairs)} pairs are in {folder}; the files hold personal values")
