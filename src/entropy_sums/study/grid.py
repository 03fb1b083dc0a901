"""The grid of a study: runs with their full settings, packed into jobs with stable names."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import groupby, product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote

from entropy_sums.data.base import DatasetSettings
from entropy_sums.models.base import ModelSettings
from entropy_sums.settings import PROTOCOL
from entropy_sums.study import fitting, pictures
from entropy_sums.study.blocks import Part, cells, matches
from entropy_sums.study.errors import CombinationError, StudyError, nearest
from entropy_sums.study.resolve import Resolver
from entropy_sums.study.schema import Panel, Scalar, Study
from entropy_sums.training.settings import TrainingSettings

if TYPE_CHECKING:
    from entropy_sums.data.dataset import Dataset

LONGEST_NAME = 120
"""Largest number of bytes of a folder or file name: file systems take 255, and suffixes are added later."""

DIGITS = 8
"""Number of digits of the digest in the name of a data file."""

T = TypeVar("T")

Coordinates = tuple[tuple[str, Scalar], ...]
"""Axes and values of a cell without its seed: model, dataset, and each axis that applies to them."""


@dataclass(frozen=True)
class Run:
    """One cell of the grid.

    Attributes:
        coordinates: axis → value as its setting reads it, for all axes that apply to this model and dataset, except
            `model`.
        code: block of settings that names a member of a plugin → digest of the plugin's code, as in `Catalogue.code`.
    """

    model: str
    dataset: str
    seed: int
    coordinates: Mapping[str, Scalar]
    model_settings: ModelSettings
    dataset_settings: DatasetSettings
    training: TrainingSettings
    code: Mapping[str, str] = field(default_factory=dict)

    @property
    def configuration(self) -> dict[str, Any]:
        """All settings, defaults included, as plain JSON types, with a digest of the code of each plugin in use."""
        return {
            "model": {"name": self.model, **self.source("model"), **self.model_settings.model_dump(mode="json")},
            "dataset": {
                "name": self.dataset,
                **self.source("dataset"),
                **self.dataset_settings.model_dump(mode="json"),
            },
            "training": self._training,
            "seed": self.seed,
        }

    @property
    def _training(self) -> dict[str, Any]:
        whole = self.training.model_dump(mode="json")
        phases = [{**self.source(f"training.phases.{i}"), **phase} for i, phase in enumerate(whole["phases"])]
        return {**whole, "phases": phases}

    def source(self, block: str) -> dict[str, str]:
        """Entry of a block of settings with the digest of the plugin's code; empty for code of this package."""
        return {"source": self.code[block]} if block in self.code else {}

    def identity(self, data_checksum: str) -> str:
        """Digest of everything that determines the trace: settings, data and version of the code that computes it."""
        return digest({**self.configuration, "data": data_checksum, "protocol": PROTOCOL})


@dataclass(frozen=True)
class Job:
    """Runs that are trained together.

    Attributes:
        name: path below `runs`, without suffix; it does not change when axes are added to the study.
        runs: runs of one shape, which differ only in packed settings and seed.
    """

    name: str
    runs: tuple[Run, ...]

    @property
    def data(self) -> str:
        """Name of the data file: dataset and digest of its settings."""
        return data_name(self.runs[0])

    @cached_property
    def identity(self) -> str:
        """Digest of the settings of all runs and of the protocol: a job whose identity changes is run again."""
        return digest([*(run.configuration for run in self.runs), PROTOCOL])


def data_name(run: Run) -> str:
    """Name of the data file of a run, without suffix: dataset and digest of its settings, and of a plugin's code."""
    made_by = {**run.source("dataset"), **run.dataset_settings.model_dump(mode="json")}
    return f"{run.dataset}-{digest(made_by)[:DIGITS]}"


def digest(value: Any) -> str:
    """Short hash of JSON types.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Column:
    """Runs that differ only in their seed.

    Attributes:
        folder: folder of their jobs: model, dataset, and each further unpacked axis.
        further: packed axis → value, for values that differ from the value without the axis.
        signature: digest of everything that the runs of a pack must share: all but packed settings and the seed.
        parts: keys of the parts of the study that contain some of the runs.
        misfits: reasons why model, data and training do not fit together; none if they fit.
        runs: none if the settings cannot be combined.
    """

    folder: tuple[str, ...]
    further: Mapping[str, Scalar]
    signature: str
    parts: tuple[str, ...]
    misfits: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def dataset(self) -> str:
        """The dataset of all its runs."""
        return self.folder[1]

    @property
    def cell(self) -> str:
        """Name of the cell in messages."""
        packed = ",".join(f"{axis}={_text(value)}" for axis, value in self.further.items())
        return "/".join([*self.folder, *([packed] if packed else [])])


class Formed(NamedTuple):
    """The cells of a study.

    Attributes:
        cells: cell → the parts that contain it, each with its seeds that are not excluded.
        impossible: name in messages → reason, for cells whose settings cannot be combined.
    """

    cells: dict[Coordinates, list[tuple[Part, list[Scalar]]]]
    impossible: dict[str, str]


class Grid:
    """All runs and jobs of a study.

    Args:
        study: a study file as read.
        source: origin of the study, for error messages.

    Attributes:
        whole: the study, with every value as its setting reads it.

    Raises:
        StudyError: a setting or a value that no model, dataset or training accepts.

    Example:
        >>> grid = Grid(Study(study="a", axes={"model": ["vae1"], "dataset": ["pca"], "seed": [0, 1, 2]}))
        >>> list(grid.jobs), len(grid.runs)
        (['vae1/pca/seed=0-2'], 3)
    """

    def __init__(self, study: Study, source: Path | str = "study") -> None:
        self.source = str(source)
        self._resolver = Resolver(study, self.source)
        self.whole = self._resolver.study

    @cached_property
    def missing(self) -> dict[str, str]:
        """Dataset that is left out of some or all cells → in which cells and why; empty without `skip_missing`.

        A dataset is available if the study has its data file: other nodes of a cluster see that file, but maybe not
        the files that it is made from.
        """
        if not self.whole.skip_missing:
            return {}
        lacking = Counter(column.dataset for column in self._whole_columns if not self._has_data(column))
        cells = Counter(column.dataset for column in self._whole_columns)
        reasons = {}
        for name, number in lacking.items():
            if (why := self.whole.catalogue.datasets[name].missing(self.whole.data_dir)) is not None:
                some = "" if number == cells[name] else f" in {number} of {cells[name]} cells"
                reasons[name] = f"is left out{some}: {why}"
        return reasons

    @cached_property
    def study(self) -> Study:
        """The study with completed panels, and with only those datasets on `axes` that are available."""
        axes = self.whole.axes
        if self.missing and (left := [name for name in axes.get("dataset", []) if name in self.datasets]):
            axes = {**axes, "dataset": left}
        return self.whole.model_copy(update={"axes": axes, "panels": self._completed_panels})

    @property
    def axes(self) -> dict[str, list[Scalar]]:
        """Axis → values, including values of blocks and excluded values, but only datasets that are available."""
        return {**self._axes, "dataset": [*self.datasets]} if self.missing else self._axes

    @cached_property
    def _axes(self) -> dict[str, list[Scalar]]:
        """Axis → values: first the values in `axes`, then the values that blocks add, in the order of their cells."""
        axes = {axis: dict.fromkeys(self.whole.axes.get(axis, [])) for axis in self.whole.named}
        for cell, parts in self._formed.cells.items():
            for axis, value in (*cell, *(("seed", seed) for _, seeds in parts for seed in seeds)):
                axes[axis].setdefault(value)
        return {axis: list({**values, **dict.fromkeys(self.whole.named[axis])}) for axis, values in axes.items()}

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets with runs, in the order of the axis."""
        found = {column.dataset for column in self._columns}
        return [name for name in map(str, self._axes["dataset"]) if name in found]

    @property
    def panels(self) -> dict[str, dict[str, Panel]]:
        """Figure → panel → its cells, for panels that have runs."""
        found = {
            figure: {name: panel for name, panel in named.items() if self.cells_of(f"panels.{figure}.{name}")}
            for figure, named in self.whole.panels.items()
        }
        return {figure: named for figure, named in found.items() if named}

    @property
    def pictures(self) -> list[str]:
        """Names of all pictures that the study asks for and has runs for."""
        present = pictures.parts(self.datasets, self.panels)
        figures = self.whole.catalogue.figures
        known = {*figures, *pictures.names(list(figures), present, figures)}
        return pictures.names([figure for figure in self.whole.figures if figure in known], present, figures)

    def cells_of(self, part: str) -> int:
        """Number of cells, not counting seeds, in a part of the study such as `grids.0`."""
        return sum(part in column.parts for column in self._columns)

    @cached_property
    def runs(self) -> list[Run]:
        """All runs, in the order of the axes.

        Raises:
            StudyError: no run is left, no dataset is available, or settings do not fit together.
        """
        return [run for column in self._columns for run in column.runs]

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Jobs by name.

        Packs are cut such that finished jobs stay valid when the study grows. Runs share a pack only if the same axes
        are off their defaults, so a further axis does not change the other jobs. Packs are filled seed by seed, so a
        further seed does not change full packs.
        """
        jobs: dict[str, Job] = {}
        for (folder, *_), columns in _grouped(self._columns, lambda c: (c.folder, c.signature, *c.further)).items():
            # The order within a pack must not depend on the order of the axes
            columns.sort(key=lambda column: [(isinstance(v, str), v) for v in column.further.values()])
            for together in _cut(columns, self.whole.pack.size):
                for pack in self._packs(together):
                    name = "/".join([*folder, _pack_name(pack)])
                    if name in jobs:
                        raise StudyError(
                            f"{self.source}: overrides: {name} would be two jobs; let no two depend on each other"
                        )
                    jobs[name] = Job(name, tuple(run for run, _ in pack))
        return jobs

    @property
    def left_out(self) -> list[str]:
        """A line for each dataset that is left out, and for each reason why other cells are left out."""
        return [*self._missing_lines, *(f"{self.source}: fit: left out, {line}" for line in self._misfit_lines)]

    @property
    def _missing_lines(self) -> list[str]:
        return [f"{self.source}: skip_missing: {dataset} {why}" for dataset, why in self.missing.items()]

    @property
    def _misfit_lines(self) -> list[str]:
        found = ((column.cell, reason) for column in self._present_columns for reason in column.misfits)
        return fitting.lines([*self._formed.impossible.items(), *found])

    def dimensions(self, model: str) -> dict[str, list[Scalar]]:
        """The axes of a model with the values that its runs have, both in the order of the study."""
        found = self._found[model]
        return {axis: [v for v in values if v in found[axis]] for axis, values in self._axes.items() if axis in found}

    def find(self, name: str) -> Job:
        """The job of this name.

        Raises:
            StudyError: no job has this name; the message names the nearest.
        """
        if name not in self.jobs:
            raise StudyError(f"{self.source}: no job {name!r}; {nearest(name, self.jobs)}")
        return self.jobs[name]

    def check_planned(self, job: Job, identity: str | None) -> None:
        """Refuse a job whose identity has changed since it was planned.

        Raises:
            ValueError: the study file, or the software, has changed in the meantime.
        """
        if identity not in (None, job.identity):
            raise ValueError(
                f"{self.source}: job {job.name} was planned as {identity} and is now {job.identity}: "
                "the study file, or the software, changed meanwhile; start the workflow again"
            )

    def check_data(self, name: str, dataset: Dataset) -> list[str]:
        """Check, before anything is trained, whether jobs can be trained on these data.

        Returns:
            Warnings about jobs that can be trained and may not learn.

        Raises:
            ValueError: no job on the data file of this name can be trained.
        """
        reasons, cautions = [], []
        # The runs of a job share all settings that these rules ask for
        first = {job.name: job.runs[0] for job in self.jobs.values() if job.data == name}
        known = {p: fitting.Data.read(dataset, p) for p in {run.training.precision for run in first.values()}}
        for job, run in first.items():
            cell = run.model_settings, run.dataset_settings, run.training, known[run.training.precision]
            reasons += [(job, reason) for reason in fitting.misfits(*cell)]
            cautions += [(job, caution) for caution in fitting.misfits(*cell, rules=fitting.CAUTIONS)]
        if len({job for job, _ in reasons}) == len(first) > 0:
            raise ValueError("\n".join(fitting.lines(reasons)))
        return fitting.lines(cautions)

    def trace_path(self, name: str) -> Path:
        """The trace file of the job of this name."""
        return self.whole.folder / "runs" / f"{name}.nc"

    def data_path(self, name: str) -> Path:
        """The data file of this name."""
        return self.whole.folder / "data" / f"{name}.nc"

    @property
    def data_names(self) -> list[str]:
        """Names of all data files."""
        return list(self._datasets)

    def dataset(self, name: str) -> DatasetSettings:
        """Settings of the data file of this name.

        Raises:
            StudyError: no data file has this name; the message names the nearest.
        """
        if name not in self._datasets:
            raise StudyError(f"{self.source}: no data file {name!r}; {nearest(name, self._datasets)}")
        return self._datasets[name]

    @cached_property
    def _datasets(self) -> dict[str, DatasetSettings]:
        return {job.data: job.runs[0].dataset_settings for job in self.jobs.values()}

    @property
    def _completed_panels(self) -> dict[str, dict[str, Panel]]:
        """The panels, completed with values on axes that only blocks name."""
        axes = [axis for axis in self._axes if axis not in self.whole.axes]

        def completed(key: str, panel: Panel) -> Panel:
            runs = [run for column in self._columns if key in column.parts for run in column.runs]
            found = {a: list(dict.fromkeys(r.coordinates[a] for r in runs if a in r.coordinates)) for a in axes}
            return panel.model_copy(update={"cells": {**{a: vs for a, vs in found.items() if vs}, **panel.cells}})

        return {
            figure: {name: completed(f"panels.{figure}.{name}", panel) for name, panel in named.items()}
            for figure, named in self.whole.panels.items()
        }

    @cached_property
    def _found(self) -> dict[str, dict[str, set[Scalar]]]:
        """Model → axis → values that its runs have."""
        found: dict[str, dict[str, set[Scalar]]] = defaultdict(lambda: defaultdict(set))
        for run in self.runs:
            for axis, value in run.coordinates.items():
                found[run.model][axis].add(value)
        return found

    @cached_property
    def _whole_columns(self) -> list[Column]:
        self._resolver.check_values(self._axes)
        order = {axis: {value: position for position, value in enumerate(on)} for axis, on in self._axes.items()}
        # Sorting is well defined, as all cells of one model and dataset have values on the same axes
        left = {cell: [(part, seeds) for part, seeds in parts if seeds] for cell, parts in self._formed.cells.items()}
        ordered = sorted(left, key=lambda cell: [order[axis][value] for axis, value in cell])
        columns = [self._column(dict(cell), left[cell]) for cell in ordered if left[cell]]
        if not columns and not self._formed.impossible:
            keys = " and ".join(key for key in ("exclude", "grids", "panels") if getattr(self.whole, key))
            raise StudyError(f"{self.source}: {keys}: leaves no run at all; leave out fewer cells")
        return columns

    @cached_property
    def _formed(self) -> Formed:
        formed = Formed({}, {})
        for part in self._resolver.parts:
            for values in part.products:
                for cell, seeds in self._cells_of(part, values, formed.impossible):
                    formed.cells.setdefault(tuple(cell.items()), []).append((part, seeds))
        return formed

    def _cells_of(
        self, part: Part, values: Mapping[str, list[Scalar]], impossible: dict[str, str]
    ) -> Iterator[tuple[dict, list[Scalar]]]:
        """Cells of a product of a part, each with its seeds that are not excluded.

        Args:
            impossible: receives the cells whose settings cannot be combined, which lack values on other axes.
        """
        exclude = self.whole.exclude
        for model, dataset in product(values["model"], values["dataset"]):
            places = self._resolver.applicable(str(model), str(dataset))
            one = {**values, "model": [model], "dataset": [dataset]}
            named = ["model", "dataset", *(axis for axis in places if axis in values)]
            for cell, seeds in cells(one, named, exclude):
                try:
                    complete = self._resolver.completed(part, cell, places)
                except CombinationError as error:
                    own = (f"{axis}={_text(value)}" for axis, value in cell.items() if axis not in ("model", "dataset"))
                    if seeds:
                        impossible["/".join([str(model), str(dataset), *own])] = self._reason(error)
                    continue
                if len(complete) > len(cell):
                    seeds = [s for s in seeds if not any(matches(rule, {**complete, "seed": s}) for rule in exclude)]
                yield complete, seeds

    @cached_property
    def _present_columns(self) -> list[Column]:
        columns = [c for c in self._whole_columns if c.dataset not in self.missing or self._has_data(c)]
        if self._whole_columns and not columns:
            lines = "\n".join(self._missing_lines)
            raise StudyError(f"{lines}\n{self.source}: axes.dataset: none is at hand; add one that needs no file")
        return columns

    @cached_property
    def _columns(self) -> list[Column]:
        columns = [column for column in self._present_columns if not column.misfits]
        cells = len(self._present_columns) + len(self._formed.impossible)
        lost = cells - len(columns)
        if lost and (self.whole.fit == "error" or not columns):
            lines = [f"{self.source}: {line}" for line in self._misfit_lines]
            if columns:
                lines.append(f"{self.source}: fit: {lost} of {cells} cells cannot be; `fit: skip` leaves them out")
            raise StudyError("\n".join(lines))
        return columns

    def _reason(self, error: CombinationError) -> str:
        return "; ".join(line.removeprefix(f"{self.source}: ") for line in str(error).splitlines())

    def _has_data(self, column: Column) -> bool:
        return any(self.data_path(data_name(run)).exists() for run in column.runs[:1])

    def _column(self, cell: dict[str, Scalar], parts: Sequence[tuple[Part, list[Scalar]]]) -> Column:
        model, dataset = str(cell["model"]), str(cell["dataset"])
        places = self._resolver.applicable(model, dataset)
        chosen = {axis: cell[axis] for axis in places}
        own = self._resolver.agreed(cell, parts)
        # Sorted by name, so that neither the order of the axes nor a further axis changes the name of a job
        further = {
            axis: chosen[axis]
            for axis in sorted(chosen)
            if chosen[axis] != self._resolver.default(axis, model, dataset, chosen, own)
        }
        unpacked = [f"{axis}={_text(value)}" for axis, value in further.items() if not places[axis].packed]
        column = partial(
            Column,
            folder=(model, dataset, *unpacked),
            further={axis: value for axis, value in further.items() if places[axis].packed},
            parts=tuple(dict.fromkeys(part.key for part, _ in parts)),
        )
        try:
            settings = self._resolver.resolve(model, dataset, chosen, own)
        except CombinationError as error:
            return column(signature="", misfits=(self._reason(error),), runs=())
        code = self.whole.catalogue.code(type(settings.model), type(settings.dataset), settings.training)
        dims = [axis for axis in self._axes if axis in places or axis in ("dataset", "seed")]
        found = {seed for _, seeds in parts for seed in seeds}
        full = [{**cell, "seed": seed} for seed in self._axes["seed"] if seed in found]
        runs = tuple(
            Run(model, dataset, int(each["seed"]), {axis: each[axis] for axis in dims}, *settings, code)
            for each in full
        )
        return column(signature=_signature(runs[0]), misfits=tuple(fitting.misfits(*settings)), runs=runs)

    def _packs(self, columns: Sequence[Column]) -> Iterator[Sequence[tuple[Run, Mapping[str, Scalar]]]]:
        """Packs of the runs of columns, filled seed by seed; one seed of all columns must fit into a pack."""
        order = {seed: position for position, seed in enumerate(self._axes["seed"])}
        runs = [(run, column.further) for column in columns for run in column.runs]
        runs.sort(key=lambda pair: order[pair[0].seed])
        return _cut(runs, self.whole.pack.size // len(columns) * len(columns))


def _grouped(values: Iterable[T], key: Callable[[T], Any]) -> dict[Any, list[T]]:
    groups: dict[Hashable, list[T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups


def _cut(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _signature(run: Run) -> str:
    phases = [phase.model_dump(mode="json", exclude=phase.packed()) for phase in run.training.phases]
    shared = run.training.model_dump(mode="json", exclude={"phases"})
    model = run.model_settings.model_dump(mode="json", exclude=run.model_settings.packed())
    return digest([model, data_name(run), shared, phases])


def _pack_name(pack: Sequence[tuple[Run, Mapping[str, Scalar]]]) -> str:
    """Name of a pack: axes and values if it is their full product and the name is short, or else a digest."""
    seeds = {run.seed for run, _ in pack}
    values = {axis: list(dict.fromkeys(further[axis] for _, further in pack)) for axis in pack[0][1]}
    parts = [f"{axis}={'+'.join(map(_text, chosen))}" for axis, chosen in values.items()]
    name = ",".join([*parts, _seeds(sorted(seeds))])
    whole = len(pack) == len(seeds) * prod(map(len, values.values()))
    if whole and len(name) <= LONGEST_NAME:
        return name
    return f"pack-{digest([[run.seed, dict(further)] for run, further in pack])}"


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds as ranges.

    Example:
        >>> _seeds([0, 1, 2, 3, 8])
        'seed=0-3+8'
    """
    ranges = []
    for _, members in groupby(enumerate(seeds), key=lambda pair: pair[1] - pair[0]):
        first, *others = [seed for _, seed in members]
        ranges.append(f"{first}-{others[-1]}" if others else str(first))
    return "seed=" + "+".join(ranges)


def _text(value: Scalar) -> str:
    """A value as a part of a file name, different for different values.

    Example:
        >>> _text(1e-3), _text(0.1234567890123), _text(16), _text("my data/a.npy")
        ('0.001', '0.1234567890123', '16', 'my%20data%2Fa.npy')
    """
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    text = quote(str(value), safe="")
    return text if len(text) <= LONGEST_NAME else digest(value)
