"""A trained model as the driver knows it: what it was trained for, and its text for the workers.

Reading the whole model needs compiled kernels, which only those who score have to load.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from goldenlake.declarations.matching import Matching
from goldenlake.errors import ModelUnfit

KEYS = 2
"""Raise it when the same model gives a record other keys: those that are stored are made anew."""


@dataclass(frozen=True)
class TrainedModel:
    """One model file under ``conf/identity/``."""

    text: str

    @cached_property
    def matching(self) -> Matching:
        """What it compares, and how its scores become clusters. Raises ModelUnfit."""
        try:
            return Matching.model_validate(json.loads(self.text)["matching"])
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise ModelUnfit("it is not a model of this version") from error

    @cached_property
    def version(self) -> str:
        """Names the model: twelve hexadecimal digits of what it says."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @property
    def keyed_by(self) -> str:
        """What the keys of a record follow from besides the record."""
        return f"{self.version}.{KEYS}"

    def checked(self, declared: Matching) -> TrainedModel:
        """This model, if it compares what is declared. Raises ModelUnfit."""
        if self.matching.columns != declared.columns:
            raise ModelUnfit("it was trained for other columns than conf/identity/matching.yml has")
        return self
