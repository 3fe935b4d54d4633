"""Train the model of matching, or take one over from Splink, and write it with its page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from goldenlake.declarations.matching import Matching
from goldenlake.errors import ModelRefused
from goldenlake.identity.matching import findings
from goldenlake.identity.matching.charts import bands_of, figures_of, unlinkable
from goldenlake.identity.matching.charts import weights_against_themselves as against_themselves
from goldenlake.identity.matching.clustering import sizes
from goldenlake.identity.matching.resolution import blocked
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.splink_models import SplinkModel
from goldenlake.identity.matching.training import Trained, train
from goldenlake.ports import Progress, Tables
from goldenlake.reporting.model_page import ModelFacts, model_page
from goldenlake.steps.profiles import IdentityState, ProfileSample, read_profiles

PAGE = "model.html"


@dataclass(frozen=True)
class TrainedHere:
    """A model in this process, and what can be told of it."""

    trained: Trained
    facts: ModelFacts


@dataclass(frozen=True, kw_only=True)
class TrainModel:
    """Learn a model from the profiles in the lake; it depends on nothing else but the declaration.

    The same profiles, whatever their order in the lake, give the same model to the byte.
    """

    matching: Matching

    def run(self, tables: Tables, progress: Progress) -> TrainedHere:
        """Nothing is written. Raises ProfilesMissing."""
        state = IdentityState.of(tables)
        sample = read_profiles(state, self.matching, progress)
        trained = train(sample.table, self.matching, data_version=sample.version, progress=progress)
        progress("what the model makes of the sample is counted")
        return TrainedHere(trained, _facts(trained, sample))


@dataclass(frozen=True, kw_only=True)
class ImportModel:
    """Take over a model that Splink saved, with the frequencies of the lake's own values.

    Candidates are those of the declaration, and so are thresholds.
    """

    matching: Matching
    splink: SplinkModel

    def run(self, tables: Tables, progress: Progress) -> TrainedHere:
        """Nothing is written. Raises ProfilesMissing."""
        sample = read_profiles(IdentityState.of(tables), self.matching, progress)
        imported = self.splink.over(sample.table, self.matching, data_version=sample.version)
        progress("what the model makes of the sample is counted")
        return TrainedHere(imported, _facts(imported, sample))


def write_model(
    here: TrainedHere,
    model: Path,
    *,
    accept: bool = False,
    command: str = "goldenlake identity train",
) -> Path:
    """Put a model and its page, beside it, in place; gives the page's path.

    Each is whole or as it was before. Raises ModelRefused, unless told to accept it, where a
    component swallows people; it names the ``command`` to be said again.
    """
    swallowing = [
        each.message for each in here.trained.findings if each.name == findings.SWALLOWING
    ]
    if swallowing and not accept:
        raise ModelRefused(swallowing, command=command)
    page = model.with_name(PAGE)
    write_page(here, page)
    _write(model, here.trained.model.to_json())
    return page


def write_page(here: TrainedHere, page: Path) -> None:
    """The page alone."""
    page.parent.mkdir(parents=True, exist_ok=True)
    _write(page, model_page(here.facts))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)


def _facts(trained: Trained, sample: ProfileSample) -> ModelFacts:
    scorer = Scorer.of(trained.model, sample.table)
    pairs = blocked(scorer)
    cluster = trained.resolution.clusters.cluster
    weights = scorer.score(pairs.left, pairs.right).weights
    found, clusters = np.unique(sizes(cluster), return_counts=True)
    return ModelFacts(
        model=trained.model,
        matchable=sample.matchable,
        figures=figures_of(trained.model),
        unlinkable=unlinkable(against_themselves(scorer)),
        bands=bands_of(weights, cluster[pairs.left] == cluster[pairs.right]),
        rules=pairs.report,
        sizes=dict(zip(found.tolist(), clusters.tolist(), strict=True)),
    )
