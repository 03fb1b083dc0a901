"""From names to settings: which block a setting belongs to, and the full settings of one cell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from entropy_sums.data.settings import DATASETS, DatasetSettings
from entropy_sums.models.settings import MODELS, ModelSettings
from entropy_sums.settings import Settings
from entropy_sums.study.errors import StudyError, explained, nearest
from entropy_sums.study.schema import Scalar, Study
from entropy_sums.training.settings import EvaluationSettings, PhaseSettings, TrainingSettings

Path = tuple[str | int, ...]
"""Way to a setting: `("model", "latent_dim")`, `("training", "phases", 0, "learning_rate")`."""

TRAINING_BLOCKS: dict[Path, type[Settings]] = {
    ("training",): TrainingSettings,
    ("training", "phases", 0): PhaseSettings,
}
"""Where a bare name is looked for beside model and dataset: training itself and its first phase."""


class Resolver:
    """Resolves the settings of the cells of one study.

    A bare name (`latent_dim`, `learning_rate`, `noise`) is looked for among the settings of the model, of the
    dataset, of training and of the first phase; a dotted one (`training.phases.1.learning_rate`,
    `model.initial_std`, `training.evaluation.every`) says where it is. A setting that another model or
    dataset of the study has, but not this one, does not apply to the cell; one that nobody has is an error.
    """

    def __init__(self, study: Study, source: str) -> None:
        self.study, self.source = study, source
        self.seeds = self._seeds()
        self._check_names()
        self.defaults = cache(self._defaults)

    def applicable(self, model: str, dataset: str) -> list[str]:
        """The axes, `model`, `dataset` and `seed` aside, that this model and dataset have a setting for."""
        return [axis for axis in self._further_axes if self._locate(axis, model, dataset) is not None]

    def resolve(
        self, model: str, dataset: str, chosen: Mapping[str, Scalar]
    ) -> tuple[ModelSettings, DatasetSettings, TrainingSettings, dict[str, Any]]:
        """Full settings of a cell, and the value of each chosen axis as the schema reads it (`1e-3` as a number)."""
        cell = {"model": model, "dataset": dataset, **chosen}
        tree: dict[str, Any] = {"model": {}, "dataset": {}, "training": self.study.training.model_dump()}
        layers = [("settings", self.study.settings)]
        layers += [("overrides", rule.set) for rule in self.study.overrides if matches(rule.when, cell)]
        layers += [("axes", chosen)]
        for _, values in layers:
            for name, value in values.items():
                path = self._locate(name, model, dataset)
                if path is not None:
                    _assign(tree, path, value, f"{self.source}: {name}")
        where = f"{self.source}: model {model}, dataset {dataset}"
        with explained(where, MODELS[model]):
            model_settings = MODELS[model].model_validate(tree["model"])
        with explained(where, DATASETS[dataset]):
            dataset_settings = DATASETS[dataset].model_validate(tree["dataset"])
        with explained(where, TrainingSettings):
            training = TrainingSettings.model_validate(tree["training"])
        blocks = {"model": model_settings, "dataset": dataset_settings, "training": training}
        read = {axis: _read(blocks, self._locate(axis, model, dataset)) for axis in chosen}
        return model_settings, dataset_settings, training, read

    def _defaults(self, model: str, dataset: str) -> dict[str, Any]:
        """The value of each applicable axis where the axis is not there."""
        model_settings, dataset_settings, training, _ = self.resolve(model, dataset, {})
        blocks = {"model": model_settings, "dataset": dataset_settings, "training": training}
        return {axis: _read(blocks, self._locate(axis, model, dataset)) for axis in self.applicable(model, dataset)}

    def is_packed(self, axis: str, model: str, dataset: str) -> bool:
        """Whether runs of one pack may differ in this axis."""
        *block, name = self._locate(axis, model, dataset) or ("", "")
        schema: Any = {"model": MODELS[model], "dataset": None, "training": PhaseSettings}[str(block[0])]
        return schema is not None and name in schema.packed()

    @property
    def _further_axes(self) -> list[str]:
        return [axis for axis in self.study.axes if axis not in ("model", "dataset", "seed")]

    def _seeds(self) -> list[int]:
        seeds = self.study.axes["seed"]
        wrong = [seed for seed in seeds if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0]
        if wrong:
            raise StudyError(f"{self.source}: axes.seed: {wrong[0]!r} is not a whole number from 0 on")
        return [int(seed) for seed in seeds]

    def _locate(self, name: str, model: str, dataset: str) -> Path | None:
        """The way to a setting, or None where this model and dataset do not have it."""
        return _locate(name, MODELS[model], DATASETS[dataset], self.source)

    def _check_names(self) -> None:
        """Every name in the study must be a setting of at least one of its cells, every axis in a rule an axis."""
        models = [MODELS[str(model)] for model in self.study.axes["model"]]
        datasets = [DATASETS[str(dataset)] for dataset in self.study.axes["dataset"]]
        named = [("axes", axis) for axis in self._further_axes] + [("settings", name) for name in self.study.settings]
        named += [(f"overrides.{i}.set", name) for i, rule in enumerate(self.study.overrides) for name in rule.set]
        for section, name in named:
            if not any(_locate(name, m, d, self.source) for m in models for d in datasets):
                known = {f for block in [*models, *datasets, *TRAINING_BLOCKS.values()] for f in block.model_fields}
                hint = nearest(name, known - {"phases", "evaluation"})
                raise StudyError(
                    f"{self.source}: {section}: {name!r} is no setting of these models, datasets or training; {hint}"
                )
        rules = [(f"overrides.{i}.when", rule.when) for i, rule in enumerate(self.study.overrides)]
        rules += [(f"exclude.{i}", rule) for i, rule in enumerate(self.study.exclude)]
        for section, rule in rules:
            for axis, wanted in rule.items():
                self._check_rule(section, axis, wanted)

    def _check_rule(self, section: str, axis: str, wanted: Scalar | list[Scalar]) -> None:
        if axis not in self.study.axes:
            raise StudyError(f"{self.source}: {section}: {axis!r} is no axis; {nearest(axis, self.study.axes)}")
        if axis == "seed" and section.startswith("overrides"):
            raise StudyError(f"{self.source}: {section}: settings cannot depend on the seed; runs of a pack share them")
        values = self.study.axes[axis]
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if value not in values:
                raise StudyError(
                    f"{self.source}: {section}.{axis}: {value!r} is not on the axis; {nearest(str(value), map(str, values))}"
                )


def matches(rule: Mapping[str, Scalar | list[Scalar]], cell: Mapping[str, Scalar]) -> bool:
    """Whether a cell has, for each axis in `rule`, the value or one of the values given there.

    Example:
        >>> matches({"model": ["vae1", "vae2"], "latent_dim": 2}, {"model": "vae1", "latent_dim": 2})
        True
    """
    return all(
        axis in cell and cell[axis] in (want if isinstance(want, list) else [want]) for axis, want in rule.items()
    )


def _locate(name: str, model: type[ModelSettings], dataset: type[DatasetSettings], source: str) -> Path | None:
    if "." in name:
        return _locate_dotted(name, model, dataset)
    blocks: dict[Path, type[Settings]] = {("model",): model, ("dataset",): dataset, **TRAINING_BLOCKS}
    found = [path for path, block in blocks.items() if name in block.model_fields]
    if len(found) > 1:
        ways = " or ".join(".".join(map(str, (*path, name))) for path in found)
        raise StudyError(f"{source}: {name!r} is ambiguous; write {ways}")
    return (*found[0], name) if found else None


def _locate_dotted(name: str, model: type[ModelSettings], dataset: type[DatasetSettings]) -> Path | None:
    path = tuple(int(part) if part.isdigit() else part for part in name.split("."))
    *block, field = path
    blocks: dict[Path, type[Settings]] = {
        ("model",): model,
        ("dataset",): dataset,
        ("training",): TrainingSettings,
        ("training", "evaluation"): EvaluationSettings,
    }
    if tuple(block[:2]) == ("training", "phases") and len(block) == 3 and isinstance(block[2], int):
        blocks[tuple(block)] = PhaseSettings
    schema = blocks.get(tuple(block))
    return path if schema is not None and field in schema.model_fields else None


def _assign(tree: Any, path: Path, value: Any, where: str) -> None:
    *way, last = path
    for part in way:
        if isinstance(part, int) and part >= len(tree):
            raise StudyError(f"{where}: there is no phase {part}; training.phases has {len(tree)}, counted from 0")
        tree = tree[part]
    tree[last] = value


def _read(blocks: Mapping[str, Settings], path: Path | None) -> Any:
    value: Any = blocks
    for part in path or ():
        value = getattr(value, part) if isinstance(value, Settings) and isinstance(part, str) else value[part]
    return value
