"""The schema of a study file, and reading one with errors that name the file, the key and the fix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, PositiveInt, field_validator

from entropy_sums.data.settings import DATASETS
from entropy_sums.figures import FIGURES
from entropy_sums.models.settings import MODELS
from entropy_sums.settings import Settings
from entropy_sums.study.errors import StudyError, explained, nearest
from entropy_sums.training.settings import TrainingSettings

Scalar = bool | int | float | str
Rule = dict[str, Scalar | list[Scalar]]
"""Axis → value or values: the cells that have one of them on each of these axes."""


def _values(axis: Any) -> Any:
    """Write `{count: 8}` and `{count: 8, start: 100}` out as a list."""
    if isinstance(axis, Mapping):
        if not set(axis) <= {"count", "start"} or "count" not in axis:
            raise ValueError("an axis is a list of values, or {count: N} or {count: N, start: K} for whole numbers")
        return list(range(axis.get("start", 0), axis.get("start", 0) + axis["count"]))
    return axis


Axis = Annotated[list[Scalar], BeforeValidator(_values), Field(min_length=1)]


class Override(Settings):
    """Settings for some of the cells."""

    when: Rule = Field(min_length=1)
    """Axis → value or list of values; all must match."""
    set: dict[str, Any] = Field(min_length=1)
    """Setting → value."""


class PackSettings(Settings):
    """How runs are packed into jobs."""

    size: PositiveInt = 16
    """Most replicas per job."""


class Study(Settings):
    """A study: a grid of runs, what they have in common, and what is drawn of them."""

    study: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    """Name of the study, and of its folder under `results`."""
    axes: dict[str, Axis]
    """Axis → values: `model`, `dataset` and `seed`, and any setting of model, dataset or training."""
    settings: dict[str, Any] = Field(default={})
    """Setting → value, for all runs; unlike an axis it makes no dimension."""
    overrides: list[Override] = Field(default=[])
    """Settings for some of the cells; later ones win."""
    exclude: list[Rule] = Field(default=[])
    """Cells to leave out, each as axis → value or list of values."""
    training: TrainingSettings = TrainingSettings()
    """Phases, evaluation and precision of all runs."""
    pack: PackSettings = PackSettings()
    """How runs are packed into jobs."""
    figures: list[str] = Field(default=list(FIGURES))
    """Which figures to draw."""
    results: Path = Path("results")
    """Folder of all results."""
    data_dir: Path = Path("data")
    """Folder of the user's and of downloaded data files."""

    @field_validator("axes")
    @classmethod
    def _complete(cls, axes: dict[str, list[Scalar]]) -> dict[str, list[Scalar]]:
        for name, known in {"model": MODELS, "dataset": DATASETS}.items():
            if name not in axes:
                raise ValueError(f"the axis {name!r} is missing; add for example {name}: [{next(iter(known))}]")
            for value in axes[name]:
                if value not in known:
                    raise ValueError(f"{name}: {value!r} is unknown; {nearest(str(value), known)}")
        if "seed" not in axes:
            raise ValueError("the axis 'seed' is missing; add for example seed: {count: 8}")
        for name, values in axes.items():
            doubles = {repr(value) for value in values if values.count(value) > 1}
            if doubles:
                raise ValueError(f"{name}: {', '.join(sorted(doubles))} stands twice")
        return axes

    @field_validator("figures")
    @classmethod
    def _known_figures(cls, figures: list[str]) -> list[str]:
        for figure in figures:
            if figure not in FIGURES:
                raise ValueError(f"{figure!r} is unknown; {nearest(figure, FIGURES)}")
        return figures

    @property
    def folder(self) -> Path:
        """Where everything of this study lies."""
        return self.results / self.study


def read(path: Path) -> Study:
    """Read and check a study file.

    Raises:
        StudyError: naming the file, the key and the fix.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror}); name an existing study file") from error
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{path}: a study file is a mapping with at least the keys study and axes")
    with explained(str(path), Study):
        return Study.model_validate(content)
