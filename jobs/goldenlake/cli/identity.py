"""``goldenlake identity``: train, look at and tune the matching of records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from goldenlake.cli.installation import Installation, SystemClock
from goldenlake.cli.options import CONF, ENV, Conf, Env, Lake
from goldenlake.declarations.matching import Matching
from goldenlake.errors import MatchingUndeclared, ModelMissing, with_options

if TYPE_CHECKING:
    from goldenlake.identity.matching.model import Model
    from goldenlake.steps.training import TrainedHere

PANEL = "Matching"
identity = typer.Typer(
    help="Train or import, tune and evaluate the matching of records that share no identifier.",
    no_args_is_help=True,
)

DEFAULT_THRESHOLDS = ["0.1", "0.3", "0.5", "0.7", "0.9", "0.95", "0.99"]

_SAVED = "What Splink's save_model_to_json wrote."
_WRITE = "Put the model and its page into conf/identity."
_ACCEPT = "With --write: although a component swallows people."
_PAGE = "Where to put the page to look at; without --write alone."


@identity.command()
def profile(conf: Conf = CONF, env: Env = ENV, lake: Lake = None) -> None:
    """How full columns and identifiers are, and what each blocking rule costs; needs no model."""
    from goldenlake.reporting.matching import profile_text
    from goldenlake.steps.tuning import ProfileMatching

    installation = _installation(conf, env, lake)
    with installation.hinting():
        step = ProfileMatching(
            matching=_declared(installation), rules=installation.catalogue.identity
        )
        found = step.run(installation.tables, installation.progress)
    Console().print(profile_text(found))


@identity.command()
def train(
    write: Annotated[bool, typer.Option("--write", help=_WRITE)] = False,
    accept: Annotated[bool, typer.Option("--accept", help=_ACCEPT)] = False,
    page: Annotated[Path | None, typer.Option("--page", help=_PAGE)] = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Learn a model from the profiles in the lake; only with --write does it come into force.

    A model that differs resolves everything anew in the next night. Doubts of the trainer are told
    and end with 0; a component that swallows people is not written and ends with 4.
    """
    from goldenlake.reporting.matching import model_text
    from goldenlake.steps.training import TrainModel

    installation = _installation(conf, env, lake)
    with installation.hinting():
        step = TrainModel(matching=_declared(installation))
        found = step.run(installation.tables, installation.progress)
        Console().print(model_text(found.trained.model, found.facts.matchable))
        command = "goldenlake identity train"
        _put(found, installation, command, write=write, accept=accept, page=page)


@identity.command("import")
def import_model(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL.json", exists=True, dir_okay=False, help=_SAVED),
    ],
    write: Annotated[bool, typer.Option("--write", help=_WRITE)] = False,
    accept: Annotated[bool, typer.Option("--accept", help=_ACCEPT)] = False,
    page: Annotated[Path | None, typer.Option("--page", help=_PAGE)] = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Take over a model made with Splink; only with --write does it come into force.

    Pairs get the weights that Splink gives them. What cannot be scored so is refused by name and
    ends with 2. Candidates and thresholds are those of conf/identity/matching.yml.
    """
    from goldenlake.identity.matching.splink_models import SplinkModel
    from goldenlake.reporting.matching import import_text
    from goldenlake.steps.training import ImportModel

    installation = _installation(conf, env, lake)
    with installation.hinting():
        matching = _declared(installation)
        splink = SplinkModel.from_json(model.read_bytes(), matching.columns)
        step = ImportModel(matching=matching, splink=splink)
        found = step.run(installation.tables, installation.progress)
        Console().print(import_text(found.trained.model, found.facts.matchable))
        command = f"goldenlake identity import {model}"
        _put(found, installation, command, write=write, accept=accept, page=page)


@identity.command()
def tune(
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="EDGE[/CUT]",
            help="Probabilities at which pairs connect and clusters join; may be repeated.",
        ),
    ] = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """What other thresholds would make of the same scores; changes nothing."""
    from goldenlake.identity.matching.tuning import Threshold
    from goldenlake.reporting.matching import tuning_text
    from goldenlake.steps.tuning import TuneThresholds

    wanted = [threshold_of(text) for text in threshold or DEFAULT_THRESHOLDS]
    installation = _installation(conf, env, lake)
    with installation.hinting():
        model = _model(installation)
        own = (model.matching.clustering.edge, model.matching.clustering.cut)
        thresholds = [Threshold(*each) for each in sorted({*wanted, own})]
        step = TuneThresholds(model=model, thresholds=thresholds)
        sample, found = step.run(installation.tables, installation.progress)
    declared = _declared(installation).clustering
    told = tuning_text(
        model, declared, sample.records, sample.matchable, found, options=installation.options
    )
    Console().print(told)


@identity.command()
def evaluate(
    truth: Annotated[
        str | None,
        typer.Option("--truth", help="CSV or Parquet with record_id and person_id."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A clerical sample that has been labelled.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=50, help="Draw so many pairs to be labelled, by weight."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The sample's file.")] = None,
    values: Annotated[
        bool,
        typer.Option("--values", help="With --sample: personal values beside the record ids."),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the sample.")] = 1,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """How right the published customers are: by a truth, or by pairs that people label."""
    asked = [each for each in (truth, labels, sample) if each is not None]
    if len(asked) != 1:
        raise typer.BadParameter("name one of --truth, --labels and --sample")
    if (sample is None) != (out is None):
        raise typer.BadParameter("--sample and --out go together")
    if values and sample is None:
        raise typer.BadParameter("--values goes with --sample")
    installation = _installation(conf, env, lake)
    with installation.hinting():
        if truth is not None:
            _evaluate_truth(installation, truth)
        elif labels is not None:
            _evaluate_labels(labels)
        elif sample is not None and out is not None:
            _draw(installation, sample, out, seed=seed, with_values=values)


def _put(
    found: TrainedHere,
    installation: Installation,
    command: str,
    *,
    write: bool,
    accept: bool,
    page: Path | None,
) -> None:
    """Write a model that ``command`` made with its page, or the page alone."""
    from goldenlake.steps.training import PAGE, write_model, write_page

    path = installation.model_path
    if write:
        shown = write_model(found, path, accept=accept, command=command)
        Console().print(f"{path} is written, and {shown.name} beside it", soft_wrap=True)
        return
    shown = page or installation.reports / PAGE
    write_page(found, shown)
    told = f"Look at {shown}; `{command} --write` puts the model into force."
    Console().print(with_options(told, installation.options), soft_wrap=True)


def _evaluate_truth(installation: Installation, truth: str) -> None:
    from goldenlake.reporting.matching import assessment_text
    from goldenlake.steps.evaluation import EvaluateAgainstTruth

    step = EvaluateAgainstTruth(truth=truth, matching=installation.catalogue.matching)
    Console().print(assessment_text(step.run(installation.tables, installation.progress)))


def _evaluate_labels(labels: Path) -> None:
    from goldenlake.reporting.matching import estimates_text
    from goldenlake.steps.labelling import ReadLabels

    Console().print(estimates_text(ReadLabels(labels=labels).run()))


def _draw(
    installation: Installation, wanted: int, out: Path, *, seed: int, with_values: bool
) -> None:
    from goldenlake.steps.labelling import DrawClericalSample

    step = DrawClericalSample(
        model=_model(installation), out=out, wanted=wanted, seed=seed, with_values=with_values
    )
    number = step.run(installation.tables, installation.progress)
    told = (
        f"{number:,} pairs are in {out}. Write 1 (one person) or 0 (two) under label, then "
        f"run `goldenlake identity evaluate --labels {out}`."
    )
    Console().print(with_options(told, installation.options), soft_wrap=True)


def threshold_of(text: str) -> tuple[float, float]:
    """``0.9`` or ``0.5/0.9`` as edge and cut. Raises BadParameter."""
    parts = text.split("/")
    try:
        edge, cut = float(parts[0]), float(parts[-1])
    except ValueError:
        edge = cut = 0.0
    if len(parts) > 2 or not (0 < edge < 1 and 0 < cut < 1):
        raise typer.BadParameter(f"--threshold {text}: write probabilities between 0 and 1")
    return edge, cut


def _installation(conf: Path, env: str, lake: str | None) -> Installation:
    return Installation.load(conf, env, lake, as_of=SystemClock().now().date())


def _declared(installation: Installation) -> Matching:
    if installation.catalogue.matching is None:
        raise MatchingUndeclared
    return installation.catalogue.matching


def _model(installation: Installation) -> Model:
    from goldenlake.identity.matching.model import Model

    _declared(installation)
    if installation.model is None:
        raise ModelMissing
    return Model.from_json(installation.model.text)
