"""From names to settings: which block a setting belongs to, and the full settings of one cell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import product
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter

from entropy_sums.data.base import DatasetSettings
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models.base import ModelSettings
from entropy_sums.models.catalogue import MODELS
from entropy_sums.quantities import NAMES
from entropy_sums.settings import Settings
from entropy_sums.study.errors import StudyError, blocks, explained, nearest
from entropy_sums.study.schema import Panel, Scalar, Study
from entropy_sums.training.settings import EvaluationSettings, PhaseSettings, TrainingSettings

IDENTITY_AXES = ("model", "dataset", "seed")

PANEL_FIX = "put the setting on an axis, and name its value in `cells`"


class Place(NamedTuple):
    """Where a setting is: `("training", "phases", 0)`, PhaseSettings, `"learning_rate"`."""

    block: tuple[str | int, ...]
    schema: type[Settings]
    field: str

    def __str__(self) -> str:
        return ".".join(map(str, (*self.block, self.field)))

    @property
    def packed(self) -> bool:
        """Whether runs of one pack may differ in this setting."""
        return self.field in self.schema.packed()

    @property
    def reader(self) -> TypeAdapter:
        return _reader(self.schema, self.field)


@cache
def _reader(schema: type[Settings], field: str) -> TypeAdapter:
    info = schema.model_fields[field]
    form: Any = Annotated[info.annotation, info]  # pyright: ignore[reportInvalidTypeForm]
    # A field by itself does not know the configuration of its block
    return TypeAdapter(form, config=ConfigDict(allow_inf_nan=False))


class Cell(NamedTuple):
    """The full settings of a cell, seeds aside."""

    model: ModelSettings
    dataset: DatasetSettings
    training: TrainingSettings


class Resolver:
    """Resolves the settings of the cells of one study.

    A bare name (`latent_dim`, `learning_rate`, `noise`) is looked for among the settings of the model, of the
    dataset, of training, of its evaluation and of its first phase; a dotted one
    (`training.phases.1.learning_rate`, `model.initial_std`, `training.evaluation.samples`) says where it is.
    A setting that another model or dataset of the study has, but not this one, does not apply to the cell; one
    that nobody has is an error.

    Attributes:
        study: the study with every value on an axis or in a rule as its setting reads it (`"1e-3"` as a number).

    Raises:
        StudyError: an unknown or ambiguous name, a value that its setting does not take, a rule that names what
            is not on an axis.
    """

    def __init__(self, study: Study, source: str) -> None:
        self.source = source
        # Another study with other plugins may be read before this one is gone through
        self._models = {str(model): MODELS[str(model)] for model in study.axes["model"]}
        pairs = product(self._models, map(str, study.axes["dataset"]))
        self._places = {(m, d): _places(self._models[m], DATASETS[d], len(study.training.phases)) for m, d in pairs}
        self._default = cache(self._find_default)
        self._validated: dict[tuple[type[Settings], str], Settings] = {}
        for name, value in study.settings.items():
            self._read("settings", name, value)
        for i, rule in enumerate(study.overrides):
            for name, value in rule.set.items():
                self._read(f"overrides.{i}.set", name, value)
        axes = {axis: self._axis(axis, values) for axis, values in study.axes.items()}
        self._check_axes_differ(axes)
        overrides = [
            rule.model_copy(update={"when": self._rule(axes, f"overrides.{i}.when", rule.when)})
            for i, rule in enumerate(study.overrides)
        ]
        exclude = [self._rule(axes, f"exclude.{i}", rule) for i, rule in enumerate(study.exclude)]
        panels = {
            figure: {name: self._panel(axes, f"panels.{figure}.{name}", panel) for name, panel in named.items()}
            for figure, named in study.panels.items()
        }
        self._panels = {f"{figure}.{name}": panel for figure, named in panels.items() for name, panel in named.items()}
        changed = {"axes": axes, "overrides": overrides, "exclude": exclude, "panels": panels}
        self.study = study.model_copy(update=changed)

    def applicable(self, model: str, dataset: str) -> dict[str, Place]:
        """Where this model and dataset have the setting of each axis; axes that do not apply are left out."""
        places = {axis: self._place(axis, model, dataset) for axis in self.study.axes if axis not in IDENTITY_AXES}
        return {axis: place for axis, place in places.items() if place is not None}

    def shown_in(self, cell: Mapping[str, Scalar]) -> dict[str, Panel]:
        """The panels that may show a cell that has values on some of the axes, as `figure.panel`."""
        return {name: panel for name, panel in self._panels.items() if compatible(panel.cells, cell)}

    def check_panels(self, cell: Mapping[str, Scalar], seeds: Collection[Scalar]) -> None:
        """Refuse panels that show one cell with different settings: all its runs share them.

        Raises:
            StudyError: two panels set one setting to different values, or one sets it for some of the seeds only.
        """
        found: dict[Place, tuple[str, Any, set[Scalar]]] = {}
        for name, panel in self.shown_in(cell).items():
            for setting, value in panel.set.items():
                place = self._place(setting, str(cell["model"]), str(cell["dataset"]))
                if place is None:
                    continue
                first, known, having = found.setdefault(place, (f"{name}.set.{setting}", value, set()))
                having.update(_listed(panel.cells["seed"]))
                if known != value:
                    raise StudyError(
                        f"{self.source}: panels.{name}.set.{setting}: is {value!r} here and {known!r} in "
                        f"panels.{first} for a cell that both show; {PANEL_FIX}"
                    )
        for first, value, having in found.values():
            if others := [seed for seed in seeds if seed not in having]:
                raise StudyError(
                    f"{self.source}: panels.{first}: is {value!r} for some runs of a cell of which another panel shows "
                    f"seed {others[0]}, too; let both have the same seeds, or {PANEL_FIX}"
                )

    def resolve(self, model: str, dataset: str, chosen: Mapping[str, Scalar]) -> Cell:
        """Full settings of the cell in which the axes have the values `chosen`.

        Raises:
            StudyError: settings that do not go together.
        """
        cell = {"model": model, "dataset": dataset, **chosen}
        layers = [self.study.settings]
        layers += [rule.set for rule in self.study.overrides if matches(rule.when, cell)]
        layers += [panel.set for panel in self.shown_in(cell).values()]
        layers += [chosen]
        assigned: dict[Place, Any] = {}
        for name, value in (item for layer in layers for item in layer.items()):
            place = self._place(name, model, dataset)
            if place is not None:
                assigned[place] = value
        return Cell(
            self._validate(self._models[model], f"settings of model {model}", "model", assigned),
            self._validate(DATASETS[dataset], f"settings of dataset {dataset}", "dataset", assigned),
            self._validate(TrainingSettings, "training", "training", assigned),
        )

    def default(self, axis: str, model: str, dataset: str, chosen: Mapping[str, Scalar]) -> Scalar | None:
        """The value that the setting of `axis` would have in the cell `chosen` if it were no axis.

        None where there is no such cell: the setting has no default, or one that does not go with the others.
        """
        others = tuple((name, value) for name, value in chosen.items() if name != axis)
        return self._default(axis, model, dataset, others)

    def _find_default(self, axis: str, model: str, dataset: str, others: tuple[tuple[str, Scalar], ...]) -> Any:
        try:
            cell = self.resolve(model, dataset, dict(others))
        except StudyError:
            return None
        place = self._places[model, dataset][axis][0]
        value = getattr(_follow(cell._asdict(), place.block), place.field)
        return place.reader.dump_python(value, mode="json")

    def _place(self, name: str, model: str, dataset: str) -> Place | None:
        """Where a setting is, or None where this model and dataset do not have it."""
        found = self._places[model, dataset].get(name, ())
        if len(found) > 1:
            raise StudyError(f"{self.source}: {name!r} is ambiguous; write {' or '.join(map(str, found))}")
        return found[0] if found else None

    def _validate(self, schema: type[Any], where: str, root: str, assigned: Mapping[Place, Any]) -> Any:
        own = {place: value for place, value in assigned.items() if place.block[0] == root}
        # Many cells share a block: reading it once makes large grids fast and small
        key = (schema, repr([(place.block, place.field, value) for place, value in own.items()]))
        if key not in self._validated:
            tree = {"model": {}, "dataset": {}, "training": self.study.training.model_dump()}
            for place, value in own.items():
                _follow(tree, place.block)[place.field] = value
            with explained(f"{self.source}: {where}", tree[root], schema):
                self._validated[key] = schema.model_validate(tree[root])
        return self._validated[key]

    def _axis(self, axis: str, values: list[Scalar]) -> list[Scalar]:
        """The values of an axis as its setting reads them, none of them twice."""
        if axis == "seed":
            wrong = [seed for seed in values if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0]
            if wrong:
                raise StudyError(f"{self.source}: axes.seed: {wrong[0]!r} is not a whole number from 0 on")
        if axis in NAMES:
            raise StudyError(
                f"{self.source}: axes.{axis}: a quantity or dimension of the traces has this name; write where the "
                f"setting is, such as model.{axis}"
            )
        read = values if axis in IDENTITY_AXES else [self._read("axes", axis, value) for value in values]
        doubles = list(dict.fromkeys(str(value) for value in read if read.count(value) > 1))
        if doubles:
            raise StudyError(f"{self.source}: axes.{axis}: {', '.join(doubles)} stands twice; keep one")
        return read

    def _read(self, section: str, name: str, value: Any) -> Any:
        """A value as the setting of this name reads it."""
        place = next((place for pair in self._places if (place := self._place(name, *pair)) is not None), None)
        if place is None:
            known = {other for names in self._places.values() for other in names if ("." in other) == ("." in name)}
            hint = nearest(name, known)
            raise StudyError(
                f"{self.source}: {section}: {name!r} is no setting of these models, datasets or training; {hint}"
            )
        with explained(f"{self.source}: {section}.{name}", value):
            return place.reader.dump_python(place.reader.validate_python(value), mode="json")

    def _panel(self, axes: Mapping[str, list[Scalar]], section: str, panel: Panel) -> Panel:
        """A panel whose cells have values on every axis, and whose settings are as they are read."""
        settings = {name: self._read(f"{section}.set", name, value) for name, value in panel.set.items()}
        for name, axis, pair in product(settings, set(axes) - {*IDENTITY_AXES}, self._places):
            place = self._place(name, *pair)
            if place is not None and place == self._place(axis, *pair):
                raise StudyError(f"{self.source}: {section}.set.{name}: is an axis; name its value in `cells`")
        first = {axis: values if axis == "seed" else values[:1] for axis, values in axes.items()}
        cells = {**first, **self._rule(axes, f"{section}.cells", panel.cells)}
        cells["seed"] = _listed(cells["seed"])[: panel.runs]
        return panel.model_copy(update={"cells": cells, "set": settings})

    def _check_axes_differ(self, axes: Iterable[str]) -> None:
        for pair in self._places:
            taken: dict[Place, str] = {}
            for axis in axes:
                place = None if axis in IDENTITY_AXES else self._place(axis, *pair)
                if place is not None and taken.setdefault(place, axis) != axis:
                    raise StudyError(f"{self.source}: axes: {taken[place]!r} and {axis!r} are one setting; keep one")

    def _rule(
        self, axes: Mapping[str, list[Scalar]], section: str, rule: Mapping[str, Scalar | list[Scalar]]
    ) -> dict[str, Scalar | list[Scalar]]:
        """A rule with lists of values as the axes have them."""
        read: dict[str, Scalar | list[Scalar]] = {}
        for axis, wanted in rule.items():
            if axis not in axes:
                raise StudyError(f"{self.source}: {section}: {axis!r} is no axis; {nearest(axis, axes)}")
            if axis == "seed" and section.startswith("overrides"):
                raise StudyError(
                    f"{self.source}: {section}.seed: settings cannot depend on the seed, runs of a pack share them; "
                    "choose by another axis"
                )
            values = [v if axis in IDENTITY_AXES else self._read(section, axis, v) for v in _listed(wanted)]
            absent = [value for value in values if value not in axes[axis]]
            if absent:
                hint = nearest(str(absent[0]), map(str, axes[axis]))
                raise StudyError(f"{self.source}: {section}.{axis}: {absent[0]!r} is not on the axis; {hint}")
            read[axis] = values
        return read


def matches(rule: Mapping[str, Scalar | list[Scalar]], cell: Mapping[str, Scalar]) -> bool:
    """Whether a cell has, for each axis in `rule`, the value or one of the values given there.

    Example:
        >>> matches({"model": ["vae1", "vae2"], "latent_dim": 2}, {"model": "vae1", "latent_dim": 2})
        True
    """
    return all(axis in cell and cell[axis] in _listed(wanted) for axis, wanted in rule.items())


def compatible(rule: Mapping[str, Scalar | list[Scalar]], cell: Mapping[str, Scalar]) -> bool:
    """Whether a cell that has values on some of the axes may be one that `rule` names.

    Example:
        >>> compatible({"model": ["vae1"], "latent_dim": 2}, {"model": "vae1"})
        True
    """
    return all(cell[axis] in _listed(wanted) for axis, wanted in rule.items() if axis in cell)


def _follow(tree: Any, way: Iterable[Any]) -> Any:
    for part in way:
        tree = getattr(tree, part) if isinstance(tree, BaseModel) else tree[part]
    return tree


def _listed(wanted: Scalar | list[Scalar]) -> list[Scalar]:
    return wanted if isinstance(wanted, list) else [wanted]


def _places(model: type[Settings], dataset: type[Settings], phases: int) -> dict[str, list[Place]]:
    """Every name of a setting → where it is; a bare name that several blocks have is ambiguous."""
    schemas: dict[tuple[str | int, ...], type[Settings]] = {
        ("model",): model,
        ("dataset",): dataset,
        ("training",): TrainingSettings,
        ("training", "evaluation"): EvaluationSettings,
        **{("training", "phases", phase): PhaseSettings for phase in range(phases)},
    }
    found: dict[str, list[Place]] = {}
    for block, schema in schemas.items():
        for field, info in schema.model_fields.items():
            if any(blocks(info.annotation)):
                continue
            place = Place(block, schema, field)
            found[str(place)] = [place]
            if block[-1] == 0 or isinstance(block[-1], str):
                found.setdefault(field, []).append(place)
    return found
