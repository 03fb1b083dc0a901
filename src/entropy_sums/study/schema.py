"""The schema of study files, and a reader whose errors name the file, the key and the fix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard

import yaml
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from yaml.composer import ComposerError

from entropy_sums.settings import Settings
from entropy_sums.study import pictures
from entropy_sums.study.catalogue import BUILT_IN, Catalogue
from entropy_sums.study.errors import StudyError, explained, nearest
from entropy_sums.study.plugins import Library
from entropy_sums.training.settings import TrainingSettings

Scalar = bool | int | float | str
Rule = Annotated[dict[str, Scalar | list[Scalar]], Field(min_length=1)]
"""Axis → value or values: all cells that have one of the values on each of these axes."""


class Count(Settings):
    """Consecutive whole numbers."""

    count: Annotated[int, Field(ge=1, strict=True)]
    """Number of values."""
    start: Annotated[int, Field(ge=0, strict=True)] = 0
    """The first value."""


def _values(axis: Any) -> Any:
    """Write `{count: 8}` and `{count: 8, start: 100}` out as a list."""
    try:
        numbers = Count.model_validate(axis) if isinstance(axis, Mapping) else None
    except ValidationError:
        numbers = None
    if numbers is None and not isinstance(axis, list):
        raise ValueError(
            "an axis is a list of values, or {count: N} or {count: N, start: K} with whole numbers "
            f"N from 1 and K from 0 on (got {axis!r})"
        )
    return axis if numbers is None else list(range(numbers.start, numbers.start + numbers.count))


def _one_or_more(values: Any) -> Any:
    """Write a single value as a list of one."""
    return _values(values) if isinstance(values, Mapping | list) else [values]


Values = Annotated[list[Scalar], Field(min_length=1)]
Axis = Annotated[Values, BeforeValidator(_values, json_schema_input_type=Values | Count)]
Choice = Annotated[Values, BeforeValidator(_one_or_more, json_schema_input_type=Scalar | Values | Count)]


def _digests(names: Any, info: Any) -> Any:
    """Name → digest of the named plugins, from the catalogue that `info` (a ValidationInfo) carries as context."""
    if isinstance(names, Mapping) and info.context is None:  # as a study that was read has it
        return names
    if not _are_plugins(names):
        raise ValueError(f"plugins are a list of Python files, such as [my_models.py] (got {names!r})")
    catalogue = _catalogue(info)
    if names and not set(names) <= catalogue.plugins.keys():
        raise ValueError("are loaded with a study file only; read it with entropy_sums.study.schema.read")
    return {name: catalogue.plugins[name] for name in names}


def _are_plugins(names: Any) -> TypeGuard[list[str]]:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _catalogue(info: Any) -> Catalogue:
    return BUILT_IN if info.context is None else info.context


Plugins = Annotated[dict[str, str], BeforeValidator(_digests, json_schema_input_type=list[str])]


class Override(Settings):
    """Settings for some of the cells."""

    when: Rule
    """Axis → value or list of values; all must match."""
    set: dict[str, Any] = Field(min_length=1)
    """Setting → value; where the setting is also an axis, it is the default of that axis."""


def _is_empty(value: Any) -> bool:
    return not value


class Block(Settings):
    """One of the products that make up a study. Its own keys are axes, each with a value or a list of values."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)
    __pydantic_extra__: dict[str, Choice]

    vary: Annotated[dict[str, Choice], Field(min_length=1)] = Field(default={}, exclude_if=_is_empty)
    """Axis → value or values, one axis at a time: all other axes stay as they are in the rest of the block."""
    together: Annotated[dict[str, Any], Field(min_length=1)] = Field(default={}, alias="with", exclude_if=_is_empty)
    """Setting → value, for the cells of this block; unlike a key of the block it makes no dimension."""

    @property
    def values(self) -> dict[str, list[Scalar]]:
        """Axis → values of its own keys.

        Example:
            >>> Block.model_validate({"model": "vae1", "seed": {"count": 2}, "with": {"steps": 10}}).values
            {'model': ['vae1'], 'seed': [0, 1]}
        """
        return self.__pydantic_extra__

    @model_validator(mode="before")
    @classmethod
    def _names_something(cls, content: Any) -> Any:
        if content == {}:
            raise ValueError("is empty; name a model or a setting in it, or take it out")
        for key, value in content.items() if isinstance(content, Mapping) else ():
            if key not in ("vary", "with") and isinstance(value, Mapping) and not value.keys() & Count.model_fields:
                raise ValueError(f"{key!r} is no key with settings in it; {nearest(str(key), ['vary', 'with'])}")
        return content


LONGEST_PART = 100
"""Largest number of characters of a name: file systems take 255 bytes, and two names and a suffix are put together."""

PathPart = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=LONGEST_PART)]
"""A name that is part of file names."""


class Panel(Settings):
    """A panel of a published figure: the cells that it shows, and their own settings."""

    cells: Rule
    """Axis → value or values; an axis that is not named has its first value, and all seeds."""
    runs: PositiveInt | None = None
    """Largest number of seeds; by default all seeds of `cells`."""
    set: dict[str, Any] = Field(default={})
    """Setting → value, for these cells."""
    nats: tuple[float, float] | None = None
    """Limits of the axis in nats, as published; by default those of the late curves."""
    epochs: PositiveFloat | None = None
    """Number of epochs that are shown; by default all."""
    rows: Annotated[list[Literal["error", "deviation"]], Field(min_length=1)] = Field(default=["error"])
    """Rows below the curves: `error` is the absolute gap in percent of the final ELBO, `deviation` is the gap with its
    sign, as mean and standard deviation over runs."""
    percent: PositiveFloat = 4.0
    """Limit of the axes in percent."""
    smooth: NonNegativeFloat = 0.0
    """Number of epochs over which deviations are averaged."""


class PackSettings(Settings):
    """Packing of runs into jobs."""

    size: PositiveInt = 16
    """Largest number of replicas per job."""


class Study(Settings):
    """A study: a grid of runs, their common settings, and the figures of them."""

    study: PathPart
    """Name of the study, and of its folder under `results`."""
    plugins: Plugins = Field(default={})
    """Models, datasets, figures, tables and optimisers of your own: Python files, as seen from the folder of the study
    file, or the names of installed plugins; read as name → digest."""
    axes: dict[str, Axis]
    """Axis → values: `model`, `dataset` and `seed`, and any setting of model, dataset or training."""
    grids: Annotated[list[Block], Field(min_length=1)] = Field(default=[], exclude_if=_is_empty)
    """Blocks of cells, each a product of `axes` and of axes of its own, which replace those of the same name; where
    there are blocks, the study has their cells and no others."""
    settings: dict[str, Any] = Field(default={})
    """Setting → value, for all runs; unlike an axis it makes no dimension. For an axis it is the default."""
    overrides: list[Override] = Field(default=[])
    """Settings for some of the cells; later ones win."""
    exclude: list[Rule] = Field(default=[])
    """Cells to leave out, each as axis → value or list of values."""
    panels: dict[PathPart, Annotated[dict[PathPart, Panel], Field(min_length=1)]] = Field(default={})
    """Figure → panel → its cells; where there are panels, the study has their cells and those of `grids`, and no
    others."""
    note: str | None = None
    """Note in every figure of this study, such as that it is smaller than the published one."""
    training: TrainingSettings = TrainingSettings()
    """Phases, evaluation and precision of all runs."""
    pack: PackSettings = PackSettings()
    """Packing of runs into jobs."""
    figures: list[str] = Field(default=list(pictures.DEFAULT))
    """Figures to draw: all pictures of a figure, or single ones, such as `traces_digits`; by default the figures that
    say something of every model."""
    size: PathPart | None = None
    """Size of this study, one of `sizes`; None is the study as it stands."""
    sizes: dict[str, dict[str, Any]] = Field(default={}, exclude=True)
    """Size → its differences from the study: blocks are merged key by key, all else is replaced; null removes a key."""
    results: Path = Path("results")
    """Folder of all results."""
    data_dir: Path = Path("data")
    """Folder of the user's and of downloaded data files."""
    fit: Literal["error", "skip"] = Field(default="error", exclude=True)
    """Treatment of cells whose model, data and training do not fit together: an `error` names them before anything
    runs, `skip` leaves them out, with a line for each reason."""
    skip_missing: bool = False
    """Whether datasets whose files are not available are left out, with a line that says so; nothing is downloaded for
    them. Otherwise a missing file is an error."""

    _carried: Catalogue = PrivateAttr(default_factory=lambda: BUILT_IN)

    @property
    def catalogue(self) -> Catalogue:
        """Catalogue of everything that the study may name, its plugins included."""
        return self._carried

    @model_validator(mode="after")
    def _with_catalogue(self, info: Any) -> Study:
        self._carried = _catalogue(info)
        return self

    @model_validator(mode="after")
    def _complete(self):
        blocks = {f"grids.{i}": block.values for i, block in enumerate(self.grids)}
        for where, values in {"axes: ": self.axes, **{f"{key}.": values for key, values in blocks.items()}}.items():
            for axis, known in {"model": self.catalogue.models, "dataset": self.catalogue.datasets}.items():
                for value in values.get(axis, []):
                    if value not in known:
                        raise ValueError(f"{where}{axis}: {value!r} is unknown; {nearest(str(value), known)}")
        for axis, example in EXAMPLES.items():
            if axis in self.axes:
                continue
            if self.panels or not blocks:
                raise ValueError(f"axes: the axis {axis!r} is missing; add for example {example}")
            for key, values in blocks.items():
                if axis not in values:
                    raise ValueError(
                        f"{key}: the axis {axis!r} is missing, here and in axes; add for example {example}"
                    )
        return self

    @field_validator("figures")
    @classmethod
    def _known_figures(cls, named: list[str], info: Any) -> list[str]:
        if not {"axes", "grids", "panels"} <= info.data.keys():
            return named  # the parts with pictures are not known, and the mistake in them is reported already
        datasets = _named(info.data["axes"], info.data["grids"]).get("dataset", [])
        parts, figures = pictures.parts(datasets, info.data["panels"]), _catalogue(info).figures
        known = [*figures, *pictures.names(list(figures), parts, figures)]
        for figure in named:
            if figure not in known:
                raise ValueError(f"{figure!r} is unknown; {nearest(figure, known)}")
        return named

    @property
    def named(self) -> dict[str, list[Scalar]]:
        """Axis → all its values in the study file, those of `axes` before those of `grids`.

        Example:
            >>> axes = {"model": ["vae1"], "dataset": ["pca"], "beta": [1.0], "seed": [0]}
            >>> grids = [{"vary": {"beta": 2.0, "dropout": 0.1}}, {"model": "vae2"}]
            >>> Study(study="a", axes=axes, grids=grids).named
            {'model': ['vae1', 'vae2'], 'dataset': ['pca'], 'beta': [1.0, 2.0], 'seed': [0], 'dropout': [0.1]}
        """
        return _named(self.axes, self.grids)

    @property
    def tables(self) -> list[str]:
        """Names of the tables of its runs, of this package and of plugins.

        Example:
            >>> axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0]}
            >>> Study(study="a", axes=axes, training={"evaluation": {"subset_sizes": [10, 100]}}).tables
            ['final', 'subsets']
        """
        return [name for name, table in self.catalogue.tables.items() if table.wanted(self)]

    def has_data_with(self, setting: str) -> bool:
        """Whether one of its datasets has this setting.

        Example:
            >>> Study(study="a", axes={"model": ["vae1"], "dataset": ["pca"], "seed": [0]}).has_data_with("segment")
            False
        """
        kinds = [self.catalogue.datasets[str(name)] for name in self.named["dataset"]]
        return any(setting in kind.model_fields for kind in kinds)

    def asks(self, name: str) -> bool:
        """Whether some of the runs may have this setting of evaluation switched on.

        Example:
            >>> axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0], "batches": [False, True]}
            >>> Study(study="a", axes=axes).asks("batches"), Study(study="a", axes=axes).asks("subset_sizes")
            (True, False)
        """
        panels = [panel for named in self.panels.values() for panel in named.values()]
        given = [self.settings, *(rule.set for rule in self.overrides), *(block.together for block in self.grids)]
        given += [panel.set for panel in panels]
        values = [value for settings in given for key, value in settings.items() if key.split(".")[-1] == name]
        values += [value for axis, on_axis in self.named.items() if axis.split(".")[-1] == name for value in on_axis]
        return any([getattr(self.training.evaluation, name), *values])

    @property
    def name(self) -> str:
        """Name of the study, and of its size where it has one."""
        return f"{self.study}-{self.size}" if self.size else self.study

    @property
    def folder(self) -> Path:
        """Folder of everything that belongs to this study."""
        return self.results / self.name


EXAMPLES = {
    "model": "model: [vae1]",
    "dataset": "dataset: [pca]",
    "seed": "seed: {count: 8}",
}
"""Axis that every cell needs → example of its notation."""


def _named(axes: Mapping[str, list[Scalar]], grids: Sequence[Block]) -> dict[str, list[Scalar]]:
    values = [axes, *(named for block in grids for named in (block.values, block.vary))]
    named: dict[str, dict[Scalar, None]] = {axis: {} for axis in ("model", "dataset") if axis not in axes}
    for axis, on_axis in (item for each in values for item in each.items()):
        named.setdefault(axis, {}).update(dict.fromkeys(on_axis))
    return {axis: list(on_axis) for axis, on_axis in named.items() if on_axis}


class _Loader(yaml.SafeLoader):
    """Loader of YAML as people write it: `1e-3` is a number, and a duplicate key is a mistake."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise ComposerError(None, None, f"the key {key.value!r} stands twice; keep one", key.start_mark)
            seen.add(key.value)
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), "-+.0123456789"
)


def read(path: Path, size: str | None = None) -> Study:
    """Read a study file and check its form; names and values of settings are checked by `Grid`.

    Args:
        size: one of its `sizes`; by default the size that the file names, if any.

    Raises:
        StudyError: the file has a mistake; the message names the file, the key and the fix.
    """
    content = _parse(path)
    sizes = content.pop("sizes", None) or {}
    library = Library(path.parent)

    def validated(where: str, content: Mapping[str, Any]) -> Study:
        named = content.get("plugins", [])
        if isinstance(named, Mapping) and all(re.fullmatch("[0-9a-f]{16}", str(digest)) for digest in named.values()):
            # As a study that was read has it: name → digest
            content, named = {**content, "plugins": [*named]}, [*named]
        try:
            catalogue = BUILT_IN.with_plugins(library.load(named) if _are_plugins(named) else {})
        except StudyError as error:
            raise StudyError(f"{where}: plugins: {error}") from error
        with explained(where, content, Study):
            return Study.model_validate(content, context=catalogue)

    validated(str(path), {**content, "sizes": sizes})
    studies = {None: validated(str(path), content)}
    for name, different in sizes.items():
        studies[name] = validated(f"{path}: sizes.{name}", {**_merged(content, different), "size": name})
    chosen = size or content.get("size")
    if chosen not in studies:
        known = nearest(str(chosen), sizes) if sizes else "the file has no sizes"
        raise StudyError(f"{path}: size: {chosen!r} is unknown; {known}")
    return studies[chosen]


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror}); name an existing study file") from error
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: not a text file in UTF-8 ({error.reason}); name a study file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise StudyError(f"{path}: {line}not valid YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{path}: a study file is a mapping with at least the keys study and axes")
    return content


def _merged(whole: Any, different: Any) -> Any:
    """Blocks merged key by key; null removes a key, any other value replaces.

    Example:
        >>> _merged({"a": {"b": 1, "c": 2}, "d": [3], "e": 4}, {"a": {"b": 4}, "d": [5, 6], "e": None})
        {'a': {'b': 4, 'c': 2}, 'd': [5, 6]}
    """
    if isinstance(whole, Mapping) and isinstance(different, Mapping):
        both = {**whole, **{key: _merged(whole.get(key), value) for key, value in different.items()}}
        return {key: value for key, value in both.items() if value is not None or key not in different}
    return different
