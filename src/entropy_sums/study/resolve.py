"""Resolution of names to settings: the block to which a setting belongs, and the full settings of one cell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter

from entropy_sums.data.base import DatasetSettings
from entropy_sums.models.base import ModelSettings
from entropy_sums.quantities import NAMES
from entropy_sums.settings import Settings
from entropy_sums.study.blocks import Part, listed, matches
from entropy_sums.study.errors import StudyError, blocks, explained, nearest
from entropy_sums.study.schema import Block, Panel, Rule, Scalar, Study
from entropy_sums.training.settings import EvaluationSettings, PhaseSettings, TrainingSettings

IDENTITY_AXES = ("model", "dataset", "seed")

Pair = tuple[str, str]
"""Names of a model and a dataset."""

PANEL_FIX = "put the setting on an axis, and name its value in `cells`"
BLOCK_FIX = "write it in both, or as a key of both, which makes it an axis"


class Place(NamedTuple):
    """Place of a setting: `("training", "phases", 0)`, PhaseSettings, `"learning_rate"`."""

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

    def value(self, cell: CellSettings) -> Any:
        """Value of the setting in a cell, in the form of values on an axis."""
        value = getattr(_follow(cell._asdict(), self.block), self.field)
        return self.reader.dump_python(value, mode="json")


@cache
def _reader(schema: type[Settings], field: str) -> TypeAdapter:
    info = schema.model_fields[field]
    form: Any = Annotated[info.annotation, info]  # pyright: ignore[reportInvalidTypeForm]
    # A field by itself does not know the configuration of its block
    return TypeAdapter(form, config=ConfigDict(allow_inf_nan=False))


class CellSettings(NamedTuple):
    """The full settings of a cell, without its seed."""

    model: ModelSettings
    dataset: DatasetSettings
    training: TrainingSettings


class Resolver:
    """Resolves the settings of the cells of one study.

    A bare name (`latent_dim`, `learning_rate`, `noise`) is looked up among the settings of the model, of the
    dataset, of training, of its evaluation and of its first phase. A dotted name
    (`training.phases.1.learning_rate`, `model.initial_std`, `training.evaluation.samples`) states the place.
    A setting that only other models or datasets of the study have does not apply to the cell. A name that none
    of them has is an error.

    Attributes:
        study: the study with every value on an axis or in a rule as its setting reads it (`"1e-3"` as a number).

    Raises:
        StudyError: an unknown or ambiguous name, a value that its setting does not take, a rule with a name or a
            value that is on no axis, a block with a setting that its models do not have.
    """

    def __init__(self, study: Study, source: str) -> None:
        self.source = source
        self._catalogue = study.catalogue
        self._models, self._datasets = study.catalogue.models, study.catalogue.datasets
        phases = len(study.training.phases)
        self._places = {(m, d): _places(self._models[m], self._datasets[d], phases) for m, d in _pairs_of(study)}
        self._defaults: dict[tuple[str, ...], Any] = {}
        self._validated: dict[tuple[type[Settings], str], Settings] = {}
        self._unchecked: list[tuple[str, str, list[Scalar]]] = []
        for name, value in study.settings.items():
            self._read("settings", name, value)
        for i, rule in enumerate(study.overrides):
            for name, value in rule.set.items():
                self._read(f"overrides.{i}.set", name, value)
        self._axes = {axis: self._axis("axes", axis, values, self._places) for axis, values in study.axes.items()}
        grids = [self._block(f"grids.{i}", block, study.exclude) for i, block in enumerate(study.grids)]
        self._named = study.model_copy(update={"axes": self._axes, "grids": grids}).named
        self._check_axes_differ(grids)
        for i, block in enumerate(grids):
            self._check_no_axis(f"grids.{i}.with", block.together, "write it as a key of the block")
        overrides = [
            rule.model_copy(update={"when": self._rule(f"overrides.{i}.when", rule.when)})
            for i, rule in enumerate(study.overrides)
        ]
        exclude = [self._rule(f"exclude.{i}", rule) for i, rule in enumerate(study.exclude)]
        panels = {
            figure: {name: self._panel(f"panels.{figure}.{name}", panel) for name, panel in named.items()}
            for figure, named in study.panels.items()
        }
        rules = {"overrides": overrides, "exclude": exclude, "panels": panels}
        self.study = study.model_copy(update={"axes": self._axes, "grids": grids, **rules})
        axes = [axis for axis in self._named if axis not in IDENTITY_AXES]
        self._applicable = {
            pair: {axis: place for axis in axes if (place := self._place(axis, *pair)) is not None}
            for pair in self._places
        }

    @property
    def parts(self) -> list[Part]:
        """Parts of the study: blocks and panels, or else one part, the product of its axes."""
        blocks = [
            Part(f"grids.{i}", {**self._axes, **block.values}, block.vary, block.together, block=True)
            for i, block in enumerate(self.study.grids)
        ]
        panels = [
            Part(f"panels.{figure}.{name}", {a: listed(v) for a, v in panel.cells.items()}, settings=panel.set)
            for figure, named in self.study.panels.items()
            for name, panel in named.items()
        ]
        return [*blocks, *panels] or [Part("axes", self._axes)]

    def applicable(self, model: str, dataset: str) -> Mapping[str, Place]:
        """Axis → place of its setting for this model and dataset; axes that do not apply are left out."""
        return self._applicable[model, dataset]

    def completed(self, part: Part, cell: Mapping[str, Scalar], axes: Mapping[str, Place]) -> dict[str, Scalar]:
        """A cell with a value on each of `axes`; an axis that its part does not name has the value of its setting.

        Raises:
            StudyError: the setting has a value that cannot be on an axis.
        """
        values = {axis: cell[axis] for axis in axes if axis in cell}
        if others := {axis: place for axis, place in axes.items() if axis not in cell}:
            settings = self.resolve(str(cell["model"]), str(cell["dataset"]), values, part.settings)
            values |= {axis: place.value(settings) for axis, place in others.items()}
        for axis in others:
            if not isinstance(values[axis], Scalar):
                raise StudyError(
                    f"{self.source}: {part.key}: {axis!r} is an axis of other blocks, and {values[axis]!r} by default "
                    "here; name a value of it"
                )
        return {"model": cell["model"], "dataset": cell["dataset"], **{axis: values[axis] for axis in axes}}

    def agreed(self, cell: Mapping[str, Scalar], parts: Sequence[tuple[Part, Collection[Scalar]]]) -> Mapping[str, Any]:
        """Settings that the parts of a study give to a cell.

        All runs of a cell share their settings. All blocks with the cell must give it the same settings; a panel may
        give none.

        Args:
            parts: the parts that contain the cell, each with its seeds of the cell.

        Raises:
            StudyError: two parts set one setting to different values, a part sets it for some of the seeds only, or a
                block has the cell without a setting that another part sets.
        """
        found: dict[Place, tuple[str, Any, set[Scalar]]] = {}
        said = [(part, seeds, self._settings_of(part, cell)) for part, seeds in parts]
        for part, seeds, settings in said:
            for place, (setting, value) in settings.items():
                first, known, having = found.setdefault(place, (part.where(setting), value, set()))
                having.update(seeds)
                if known != value:
                    raise StudyError(
                        f"{self.source}: {part.where(setting)}: is {value!r} here and {known!r} in {first} for a cell "
                        f"that both have; {BLOCK_FIX if part.block else PANEL_FIX}"
                    )
        for place, (first, value, having) in found.items():
            if silent := [part.key for part, _, settings in said if part.block and place not in settings]:
                raise StudyError(
                    f"{self.source}: {first}: is {value!r} here and is not set in {silent[0]} for a cell that both "
                    f"have; {BLOCK_FIX}"
                )
            if others := [seed for _, seeds in parts for seed in seeds if seed not in having]:
                raise StudyError(
                    f"{self.source}: {first}: is {value!r} for some runs of a cell of which another panel shows "
                    f"seed {others[0]}, too; let both have the same seeds, or {PANEL_FIX}"
                )
        return {name: value for part, _ in parts for name, value in part.settings.items()}

    def check_values(self, axes: Mapping[str, Collection[Scalar]]) -> None:
        """Refuse rules with a value that no cell has, for axes whose values are known only from the cells.

        Raises:
            StudyError: a value is not on its axis.
        """
        for section, axis, values in self._unchecked:
            self._check_on_axis(section, axis, values, axes[axis])

    def resolve(self, model: str, dataset: str, chosen: Mapping[str, Scalar], own: Mapping[str, Any]) -> CellSettings:
        """Full settings of the cell with the values `chosen` on its axes and the settings `own` of its parts.

        Raises:
            StudyError: the settings do not fit together.
        """
        cell = {"model": model, "dataset": dataset, **chosen}
        layers = [self.study.settings]
        layers += [rule.set for rule in self.study.overrides if matches(rule.when, cell)]
        layers += [own, chosen]
        assigned: dict[Place, Any] = {}
        for name, value in (item for layer in layers for item in layer.items()):
            place = self._place(name, model, dataset)
            if place is not None:
                assigned[place] = value
        return CellSettings(
            self._validate(self._models[model], f"settings of model {model}", "model", assigned),
            self._validate(self._datasets[dataset], f"settings of dataset {dataset}", "dataset", assigned),
            self._validate(TrainingSettings, "training", "training", assigned),
        )

    def default(
        self, axis: str, model: str, dataset: str, chosen: Mapping[str, Scalar], own: Mapping[str, Any]
    ) -> Scalar | None:
        """Value that the setting of `axis` would have in the cell `chosen` without this axis.

        None if there is no such cell: the setting has no default, or its default does not fit the other settings.
        """
        others = {name: value for name, value in chosen.items() if name != axis}
        key = (axis, model, dataset, repr(others), repr(own))
        if key not in self._defaults:
            try:
                settings = self.resolve(model, dataset, others, own)
                self._defaults[key] = self._places[model, dataset][axis][0].value(settings)
            except StudyError:
                self._defaults[key] = None
        return self._defaults[key]

    def _settings_of(self, part: Part, cell: Mapping[str, Scalar]) -> dict[Place, tuple[str, Any]]:
        """Place → name in the part and value, for all settings of a part that apply to this cell."""
        model, dataset = str(cell["model"]), str(cell["dataset"])
        places = {setting: self._place(setting, model, dataset) for setting in part.settings}
        return {place: (name, part.settings[name]) for name, place in places.items() if place is not None}

    def _place(self, name: str, model: str, dataset: str) -> Place | None:
        """Place of a setting, or None if this model and dataset do not have it."""
        found = self._places[model, dataset].get(name, ())
        if len(found) > 1:
            raise StudyError(f"{self.source}: {name!r} is ambiguous; write {' or '.join(map(str, found))}")
        return found[0] if found else None

    def _validate(self, schema: type[Any], where: str, root: str, assigned: Mapping[Place, Any]) -> Any:
        own = {place: value for place, value in assigned.items() if place.block[0] == root}
        # Many cells share a block: validating it once makes large grids fast and small
        key = (schema, repr([(place.block, place.field, value) for place, value in own.items()]))
        if key not in self._validated:
            tree = {"model": {}, "dataset": {}, "training": self.study.training.model_dump()}
            for place, value in own.items():
                _follow(tree, place.block)[place.field] = value
            with explained(f"{self.source}: {where}", tree[root], schema):
                self._validated[key] = schema.model_validate(tree[root], context=self._catalogue)
        return self._validated[key]

    def _axis(self, section: str, axis: str, values: list[Scalar], pairs: Collection[Pair]) -> list[Scalar]:
        """Values of an axis as its setting reads them; refuses duplicates."""
        if axis == "seed":
            wrong = [seed for seed in values if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0]
            if wrong:
                raise StudyError(f"{self.source}: {section}.seed: {wrong[0]!r} is not a whole number from 0 on")
        if axis in NAMES:
            raise StudyError(
                f"{self.source}: {section}.{axis}: a quantity or dimension of the traces has this name; write where "
                f"the setting is, such as model.{axis}"
            )
        read = values if axis in IDENTITY_AXES else [self._read(section, axis, value, pairs) for value in values]
        doubles = list(dict.fromkeys(str(value) for value in read if read.count(value) > 1))
        if doubles:
            raise StudyError(f"{self.source}: {section}.{axis}: {', '.join(doubles)} stands twice; keep one")
        return read

    def _read(self, section: str, name: str, value: Any, pairs: Collection[Pair] | None = None) -> Any:
        """A value as the setting of this name reads it, among the settings of `pairs` (default: all pairs).

        Models may have different choices for a setting: the first setting that accepts the value reads it.
        """
        pairs = self._places if pairs is None else pairs
        refused: dict[Place, StudyError] = {}
        for place in (self._place(name, *pair) for pair in pairs):
            if place is not None and place not in refused:
                try:
                    with explained(f"{self.source}: {section}.{name}", value):
                        read = place.reader.validate_python(value, context=self._catalogue)
                        return place.reader.dump_python(read, mode="json")
                except StudyError as error:
                    refused[place] = error
        if not refused:
            names = (other for pair in pairs for other in self._places[pair])
            hint = nearest(name, {other for other in names if ("." in other) == ("." in name)})
            raise StudyError(
                f"{self.source}: {section}: {name!r} is no setting of these models, datasets or training; {hint}"
            )
        raise next(iter(refused.values()))

    def _block(self, section: str, block: Block, exclude: Sequence[Rule]) -> Block:
        """A block with its values as their settings read them."""
        pairs = _pairs({**self._axes, **block.values})
        left = [pair for pair in pairs if not any(matches(rule, _as_cell(pair)) for rule in exclude)]
        pairs = left or pairs
        if identity := [axis for axis in IDENTITY_AXES if axis in block.vary]:
            raise StudyError(
                f"{self.source}: {section}.vary.{identity[0]}: only settings can be varied; write it beside `vary`, "
                "with all its values"
            )
        values = {axis: self._axis(section, axis, on_axis, pairs) for axis, on_axis in block.values.items()}
        vary = {axis: self._axis(f"{section}.vary", axis, on_axis, pairs) for axis, on_axis in block.vary.items()}
        together = {name: self._read(f"{section}.with", name, v, pairs) for name, v in block.together.items()}
        keys = {name: name for name in values if name not in IDENTITY_AXES} | {f"vary.{name}": name for name in vary}
        for key, axis in keys.items():
            self._check_all_have(f"{section}.{key}", axis, pairs)
        for pair in pairs:
            taken: dict[Place, str] = {}
            for key, name in {**keys, **{f"with.{name}": name for name in together}}.items():
                place = self._place(name, *pair)
                if place is not None and taken.setdefault(place, key) != key:
                    raise StudyError(
                        f"{self.source}: {section}.{key}: stands in this block as {taken[place]}, too; keep one"
                    )
        return block.model_copy(update={**values, "vary": vary, "together": together})

    def _check_all_have(self, where: str, axis: str, pairs: Sequence[Pair]) -> None:
        """Refuse an axis of a block for which only some of its models or datasets have a setting."""
        having = [pair for pair in pairs if self._place(axis, *pair) is not None]
        for position, kind in enumerate(("model", "dataset")):
            names = dict.fromkeys(pair[position] for pair in having)
            if lacking := [pair[position] for pair in pairs if pair[position] not in names]:
                raise StudyError(
                    f"{self.source}: {where}: {kind} {lacking[0]} has no such setting; let the block have only those "
                    f"that do: {', '.join(names)}"
                )

    def _panel(self, section: str, panel: Panel) -> Panel:
        """A panel with values on every axis of the study, and with its settings as they are read."""
        settings = {name: self._read(f"{section}.set", name, value) for name, value in panel.set.items()}
        self._check_no_axis(f"{section}.set", settings, "name its value in `cells`")
        first = {axis: values if axis == "seed" else values[:1] for axis, values in self._axes.items()}
        cells = {**first, **self._rule(f"{section}.cells", panel.cells)}
        cells["seed"] = listed(cells["seed"])[: panel.runs]
        return panel.model_copy(update={"cells": cells, "set": settings})

    def _check_no_axis(self, section: str, settings: Iterable[str], fix: str) -> None:
        """Refuse settings of a part that are also an axis of the study."""
        for name, axis, pair in product(settings, self._named.keys() - {*IDENTITY_AXES}, self._places):
            place = self._place(name, *pair)
            if place is not None and place == self._place(axis, *pair):
                raise StudyError(f"{self.source}: {section}.{name}: is an axis; {fix}")

    def _check_axes_differ(self, grids: Sequence[Block]) -> None:
        for pair in self._places:
            taken: dict[Place, str] = {}
            for axis in self._named:
                place = None if axis in IDENTITY_AXES else self._place(axis, *pair)
                if place is not None and taken.setdefault(place, axis) != axis:
                    naming = [f"grids.{i}" for i, block in enumerate(grids) if axis in {**block.values, **block.vary}]
                    section = "axes" if axis in self._axes else naming[0]
                    raise StudyError(
                        f"{self.source}: {section}: {taken[place]!r} and {axis!r} are one setting; keep one name"
                    )

    def _rule(self, section: str, rule: Mapping[str, Scalar | list[Scalar]]) -> dict[str, Scalar | list[Scalar]]:
        """A rule with lists of values as the axes have them."""
        read: dict[str, Scalar | list[Scalar]] = {}
        for axis, wanted in rule.items():
            if axis not in self._named:
                raise StudyError(f"{self.source}: {section}: {axis!r} is no axis; {nearest(axis, self._named)}")
            if axis == "seed" and section.startswith("overrides"):
                raise StudyError(
                    f"{self.source}: {section}.seed: settings cannot depend on the seed, runs of a pack share them; "
                    "choose by another axis"
                )
            values = [v if axis in IDENTITY_AXES else self._read(section, axis, v) for v in listed(wanted)]
            if axis in self._axes or axis in IDENTITY_AXES:
                self._check_on_axis(section, axis, values, self._named[axis])
            else:
                # Blocks that do not name the axis have its default, which is not known yet
                self._unchecked.append((section, axis, values))
            read[axis] = values
        return read

    def _check_on_axis(self, section: str, axis: str, values: list[Scalar], known: Collection[Scalar]) -> None:
        absent = [value for value in values if value not in known]
        if absent:
            hint = nearest(str(absent[0]), map(str, known))
            raise StudyError(f"{self.source}: {section}.{axis}: {absent[0]!r} is not on the axis; {hint}")


def _pairs_of(study: Study) -> Iterable[Pair]:
    """Pairs of model and dataset for which a study may have cells."""
    products = [{**study.axes, **block.values} for block in study.grids]
    if study.panels or not products:
        products.append(study.named)
    return dict.fromkeys(pair for values in products for pair in _pairs(values))


def _pairs(values: Mapping[str, list[Scalar]]) -> list[Pair]:
    return list(product(map(str, values["model"]), map(str, values["dataset"])))


def _as_cell(pair: Pair) -> dict[str, Scalar]:
    return dict(zip(("model", "dataset"), pair, strict=True))


def _follow(tree: Any, way: Iterable[Any]) -> Any:
    for part in way:
        tree = getattr(tree, part) if isinstance(tree, BaseModel) else tree[part]
    return tree


def _places(model: type[Settings], dataset: type[Settings], phases: int) -> dict[str, list[Place]]:
    """Name of each setting → its places; a bare name with several places is ambiguous."""
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
