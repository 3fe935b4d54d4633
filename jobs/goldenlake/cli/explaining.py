"""The command that explains: a customer, or two records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from goldenlake.cli.installation import Installation, SystemClock
from goldenlake.cli.looking import PANEL
from goldenlake.cli.options import CONF, ENV, Conf, Env, Lake
from goldenlake.errors import SetupError

explaining = typer.Typer()


@explaining.command(rich_help_panel=PANEL)
def explain(
    who: Annotated[str, typer.Argument(help="A customer id, or a record id such as crm:42.")],
    other: Annotated[
        str | None, typer.Argument(help="A second record id: why the two are one person, or not.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Of two records: write the page with its chart, too."),
    ] = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Why a customer is who they are, and how they came together; or why two records are one.

    Of two records, also why they are not. Shows personal values.
    """
    installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    if other is not None:
        _explain_pair(installation, who, other, html)
        return
    if html is not None:
        raise SetupError("--html is for two records.", mend="Name a second record id.")
    from goldenlake.reporting.explanations import explanation_text
    from goldenlake.steps.explain import Explain

    catalogue = installation.catalogue
    step = Explain(
        who=who,
        attributes=catalogue.tables["gold.customers"].attributes,
        sources=list(catalogue.sources.values()),
        rules=catalogue.identity,
        trained=installation.model,
    )
    with installation.hinting():
        found = step.run(installation.tables)
    Console().print(explanation_text(found))


def _explain_pair(installation: Installation, left: str, right: str, html: Path | None) -> None:
    from goldenlake.reporting.pairs import pair_page, pair_text
    from goldenlake.reporting.private import write_private
    from goldenlake.steps.explain_pair import ExplainPair

    step = ExplainPair(
        left=left,
        right=right,
        rules=installation.catalogue.identity,
        trained=installation.model,
        decisions=installation.catalogue.decisions,
    )
    with installation.hinting():
        found = step.run(installation.tables)
    Console().print(pair_text(found))
    if html is not None:
        write_private(html, pair_page(found).encode())
        installation.progress(f"written to {html}; it shows personal values")
