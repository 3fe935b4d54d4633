"""What ``goldenlake check`` finds wrong with matching, beyond its declaration by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from goldenlake.declarations.documents import Document, read_document, written
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.sentences import hint
from goldenlake.errors import ModelUnfit, Problem
from goldenlake.identity.matching.keys import rule_names
from goldenlake.identity.matching.model import Model
from goldenlake.identity.trained import TrainedModel

_MEND = (
    "Train one with `goldenlake identity train`, or remove the file to go on with declared "
    "identifiers alone."
)


def matching_problems(conf: Path) -> list[Problem]:
    """Blocking rules that there are not, and a model that could not be used. What is wrong with
    the declaration itself is told elsewhere.
    """
    path = conf / "identity" / "matching.yml"
    if not path.is_file():
        return []
    document, faults = read_document(path, file=f"{conf.name}/identity/matching.yml")
    try:
        declared = Matching.model_validate(document.data)
    except ValidationError:
        return []
    return [] if faults else [*_rules(document, declared), *_model(conf, declared)]


def _rules(document: Document, declared: Matching) -> Iterator[Problem]:
    every = declared.blocking.model_copy(update={"rules": []})
    try:
        known = rule_names(declared.model_copy(update={"blocking": every}))
    except ModelUnfit:
        return  # more than can be told apart, so that some have to be named
    for at, name in enumerate(declared.blocking.rules):
        if name not in known:
            yield document.problem(
                ("blocking", "rules", at),
                f"{name!r} is no rule that these columns make. {hint(name, known)}",
            )


def _model(conf: Path, declared: Matching) -> Iterator[Problem]:
    path = conf / "identity" / "model.json"
    if not path.is_file():
        return
    file = f"{conf.name}/identity/model.json"
    try:
        text = path.read_text(encoding="utf-8")
        Model.from_json(text)
        TrainedModel(text).checked(declared)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        yield Problem(file=file, line=0, key=written(fault["loc"]), message=_said(fault["msg"]))
    except (OSError, ValueError):
        yield Problem(file=file, line=0, key="", message=f"is no readable text. {_MEND}")
    except ModelUnfit:
        yield Problem(
            file=file, line=0, key="matching.columns",
            message=f"are other columns than conf/identity/matching.yml has. {_MEND}",
        )  # fmt: skip


def _said(message: str) -> str:
    return f"{message[0].lower()}{message[1:].rstrip('.')}. {_MEND}"
