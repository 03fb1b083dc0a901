"""Explanation of what a study file may name: models, datasets, blocks of training and optimisers."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from entropy_sums.study.catalogue import BUILT_IN, Catalogue
from entropy_sums.study.errors import StudyError, nearest
from entropy_sums.training.settings import EvaluationSettings, PhaseSettings, TrainingSettings

TRAINING: dict[str, type[BaseModel]] = {
    "training": TrainingSettings,
    "phases": PhaseSettings,
    "evaluation": EvaluationSettings,
}
"""Place in a study file → its settings; `phases` is a list of such blocks."""

WORDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "array": "list",
    "null": "null",
}
"""JSON type → its name in words."""

LIMITS = {"exclusiveMinimum": "above", "minimum": "from", "exclusiveMaximum": "below", "maximum": "to"}
"""Keyword for the limit of a number in JSON schema → its word."""


def overview(catalogue: Catalogue = BUILT_IN) -> str:
    """Names of all models, datasets, blocks of training and optimisers, each with a summary.

    Example:
        >>> print(overview().splitlines()[1])
          bernoulli_mixture           Bernoulli components for binary data.
    """
    groups: dict[str, Mapping[str, type]] = {
        "models": catalogue.models,
        "datasets": catalogue.datasets,
        "training": TRAINING,
        "optimizers": catalogue.optimizers,
    }
    lines = []
    for group, members in groups.items():
        names = sorted(members) if group != "training" else members
        lines += [group, *(f"  {name:27} {_summary(members[name])}" for name in names)]
    return "\n".join(lines)


def describe(name: str, catalogue: Catalogue = BUILT_IN) -> str:
    """Every setting of a model, a dataset or a block of training: values, default, meaning; what an optimiser takes.

    Raises:
        StudyError: the name is unknown.

    Example:
        >>> print(describe("rbm").splitlines()[5])
          gradient: exact | cd | pcd | parallel_tempering (default pcd)
        >>> describe("rmb")
        Traceback (most recent call last):
        entropy_sums.study.errors.StudyError: 'rmb' is no model, dataset, block of training or optimiser; did you ...
    """
    known: dict[str, type[BaseModel]] = {**catalogue.models, **catalogue.datasets, **TRAINING}
    if name not in known and name in catalogue.optimizers:
        return catalogue.optimizers[name].description()
    if name not in known:
        suggestion = nearest(name, [*known, *catalogue.optimizers])
        raise StudyError(f"{name!r} is no model, dataset, block of training or optimiser; {suggestion}")
    settings = known[name]
    schema = settings.model_json_schema()
    lines = [f"{name}: {_summary(settings)}"]
    for setting, field in schema.get("properties", {}).items():
        lines += [f"  {setting}: {_values(field)}{_default(field)}", *_indented(field.get("description", ""))]
    return "\n".join(lines)


def _summary(named: type) -> str:
    return (inspect.getdoc(named) or "").split("\n\n")[0].replace("\n", " ")


def _values(field: Mapping[str, Any]) -> str:
    """Allowed values of a setting, in words.

    Example:
        >>> _values({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"const": "full"}]})
        'whole number above 0 or full'
    """
    if "anyOf" in field:
        return " or ".join(_values(each) for each in field["anyOf"])
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "const" in field:
        return str(field["const"])
    kind = WORDS.get(field.get("type", ""), "block of settings")
    return " ".join([kind, *(f"{word} {field[limit]}" for limit, word in LIMITS.items() if limit in field)])


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return " (required)"
    default = field["default"]
    if isinstance(default, list | dict):
        return ""
    return f" (default {default if isinstance(default, str) else json.dumps(default)})"


def _indented(text: str) -> Iterator[str]:
    yield from (f"      {line}" for line in text.splitlines())
