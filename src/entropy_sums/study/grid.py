"""The grid of a study: every cell a run with its full settings, runs packed into jobs with stable names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, product
from math import prod
from pathlib import Path
from typing import Any

from entropy_sums.data.settings import DatasetSettings
from entropy_sums.models.settings import ModelSettings
from entropy_sums.study.errors import StudyError, nearest
from entropy_sums.study.resolve import Resolver, matches
from entropy_sums.study.schema import Scalar, Study
from entropy_sums.training.settings import PROTOCOL, TrainingSettings

IDENTITY_AXES = ("model", "dataset", "seed")


@dataclass(frozen=True)
class Run:
    """One cell of the grid.

    Attributes:
        coordinates: axis → value, for all axes that this model and dataset have a setting for, except `model`.
    """

    model: str
    dataset: str
    seed: int
    coordinates: Mapping[str, Scalar]
    model_settings: ModelSettings
    dataset_settings: DatasetSettings
    training: TrainingSettings

    @property
    def configuration(self) -> dict[str, Any]:
        """All settings, defaults included, as plain JSON types."""
        return {
            "model": {"name": self.model, **self.model_settings.model_dump(mode="json")},
            "dataset": {"name": self.dataset, **self.dataset_settings.model_dump(mode="json")},
            "training": self.training.model_dump(mode="json"),
            "seed": self.seed,
        }

    def identity(self, data_checksum: str) -> str:
        """Digest of all that determines the trace: settings, data and the version of the code that computes it."""
        return digest({**self.configuration, "data": data_checksum, "protocol": PROTOCOL})


@dataclass(frozen=True)
class Job:
    """Runs that are trained together.

    Attributes:
        name: path below `runs`, without suffix; the same whatever axes are added to the study.
        runs: of one shape; they differ in packed settings and seed only.
    """

    name: str
    runs: tuple[Run, ...]

    @property
    def data(self) -> str:
        """Name of the data file: dataset and digest of its settings."""
        return data_name(self.runs[0])

    @cached_property
    def identity(self) -> str:
        """Digest of the settings of all runs and of the protocol: a job whose identity changes is done anew."""
        return digest([*(run.configuration for run in self.runs), PROTOCOL])


def data_name(run: Run) -> str:
    """Name of the data file of a run, without suffix."""
    return f"{run.dataset}-{digest(run.dataset_settings.model_dump(mode='json'))[:8]}"


def digest(value: Any) -> str:
    """Short hash of JSON types.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class Grid:
    """All runs and jobs of a study.

    Args:
        study: a checked study file.
        source: where it comes from, for error messages.

    Raises:
        StudyError: a setting or a value that no model, dataset or training accepts.
    """

    def __init__(self, study: Study, source: Path | str = "study") -> None:
        self.study, self.source = study, str(source)
        self._resolver = Resolver(study, self.source)

    @cached_property
    def runs(self) -> list[Run]:
        """Every cell, in the order of the axes."""
        runs = [run for model, dataset in self._pairs() for run in self._cells(model, dataset)]
        if not runs:
            raise StudyError(f"{self.source}: exclude: leaves no run at all")
        return runs

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Jobs by name."""
        jobs: dict[str, Job] = {}
        for folder, members in _grouped(self.runs, self._folder).items():
            for signature_members in _grouped(members, _signature).values():
                for pack in self._packs(signature_members):
                    job = Job("/".join([*folder, self._pack_name(pack)]), tuple(pack))
                    jobs[job.name] = job
        return jobs

    def axes_of(self, model: str) -> list[str]:
        """The axes of a model, `dataset` first, in the order of the study: the dimensions of its traces."""
        present = {axis for run in self.runs if run.model == model for axis in run.coordinates}
        return [axis for axis in self.study.axes if axis in present]

    def find(self, name: str) -> Job:
        """The job of this name.

        Raises:
            StudyError: there is none; names the nearest.
        """
        if name not in self.jobs:
            raise StudyError(f"{self.source}: no job {name!r}; {nearest(name, self.jobs)}")
        return self.jobs[name]

    def trace_path(self, name: str) -> Path:
        """The trace file of the job of this name."""
        return self.study.folder / "runs" / f"{name}.nc"

    def data_path(self, name: str) -> Path:
        """The data file of this name."""
        return self.study.folder / "data" / f"{name}.nc"

    @cached_property
    def _datasets(self) -> dict[str, DatasetSettings]:
        return {job.data: job.runs[0].dataset_settings for job in self.jobs.values()}

    def dataset(self, name: str) -> DatasetSettings:
        """Settings of the data file of this name.

        Raises:
            StudyError: there is none; names the nearest.
        """
        if name not in self._datasets:
            raise StudyError(f"{self.source}: no data file {name!r}; {nearest(name, self._datasets)}")
        return self._datasets[name]

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for model, dataset in product(self.study.axes["model"], self.study.axes["dataset"]):
            yield str(model), str(dataset)

    def _cells(self, model: str, dataset: str) -> Iterator[Run]:
        axes = self._resolver.applicable(model, dataset)
        seeds = self._resolver.seeds
        for values in product(*(self.study.axes[axis] for axis in axes)):
            chosen = dict(zip(axes, values, strict=True))
            cell = {"model": model, "dataset": dataset, **chosen}
            kept = [seed for seed in seeds if not self._excluded({**cell, "seed": seed})]
            if not kept:
                continue
            model_settings, dataset_settings, training, read = self._resolver.resolve(model, dataset, chosen)
            for seed in kept:
                known = {"dataset": dataset, "seed": seed, **read}
                coordinates = {axis: known[axis] for axis in self.study.axes if axis in known}
                yield Run(model, dataset, seed, coordinates, model_settings, dataset_settings, training)

    def _excluded(self, cell: Mapping[str, Scalar]) -> bool:
        return any(matches(rule, cell) for rule in self.study.exclude)

    def _further(self, run: Run) -> dict[str, Scalar]:
        """Axis → value where it is not the value that the run would have without the axis."""
        defaults = self._resolver.defaults(run.model, run.dataset)
        return {
            axis: value
            for axis, value in run.coordinates.items()
            if axis not in IDENTITY_AXES and value != defaults[axis]
        }

    def _folder(self, run: Run) -> tuple[str, ...]:
        further = self._further(run)
        parts = [f"{axis}={_text(value)}" for axis, value in further.items() if not self._packed(axis, run)]
        return (run.model, run.dataset, *parts)

    def _packed(self, axis: str, run: Run) -> bool:
        return self._resolver.is_packed(axis, run.model, run.dataset)

    def _packs(self, runs: list[Run]) -> Iterator[list[Run]]:
        """Cut runs of one shape into packs.

        Runs that have the default of every packed axis stay among themselves, so that a further axis leaves
        their jobs as they are; seeds are cut at multiples of the pack size, so that a further seed leaves the
        full packs as they are.
        """
        size = self.study.pack.size
        plain = [run for run in runs if not self._further_packed(run)]
        others = [run for run in runs if self._further_packed(run)]
        for start in range(0, len(plain), size):
            yield plain[start : start + size]
        for start in range(0, len(others), size):
            yield others[start : start + size]

    def _further_packed(self, run: Run) -> dict[str, Scalar]:
        return {axis: value for axis, value in self._further(run).items() if self._packed(axis, run)}

    def _pack_name(self, pack: list[Run]) -> str:
        values: dict[str, list[Scalar]] = {}
        for axis in [a for a in pack[0].coordinates if a in {k for r in pack for k in self._further_packed(r)}]:
            values[axis] = list(dict.fromkeys(run.coordinates[axis] for run in pack))
        name = ",".join([f"{axis}={'+'.join(map(_text, v))}" for axis, v in values.items()] + [_seeds(pack)])
        whole = len(pack) == len(_seed_set(pack)) * prod(len(v) for v in values.values())
        return name if whole and len(name) <= 120 else f"pack-{digest([list(run.coordinates.items()) for run in pack])}"


def _grouped(runs: Iterable[Run], key) -> dict[Any, list[Run]]:
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def _signature(run: Run) -> str:
    """What the runs of a pack must have in common: everything but packed settings and the seed."""
    phases = [phase.model_dump(mode="json", exclude=phase.packed()) for phase in run.training.phases]
    shared = run.training.model_dump(mode="json", exclude={"phases"})
    model = run.model_settings.model_dump(mode="json", exclude=run.model_settings.packed())
    return digest([model, data_name(run), shared, phases])


def _seed_set(pack: list[Run]) -> list[int]:
    return sorted({run.seed for run in pack})


def _seeds(pack: list[Run]) -> str:
    """Seeds as ranges: `seed=0-7`, `seed=0-3+8`."""
    ranges = []
    for _, members in groupby(enumerate(_seed_set(pack)), key=lambda pair: pair[1] - pair[0]):
        seeds = [seed for _, seed in members]
        ranges.append(str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}")
    return "seed=" + "+".join(ranges)


def _text(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace("/", "_")
