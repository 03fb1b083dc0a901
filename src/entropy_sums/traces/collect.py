"""From one file per job to one labelled tree per study."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
from joblib import Parallel, cpu_count, delayed
from rich.console import Console
from rich.progress import track

from entropy_sums.files import atomic
from entropy_sums.study.grid import Grid, Job, Run
from entropy_sums.study.schema import Scalar
from entropy_sums.traces.read import Trace, TraceError, check, load
from entropy_sums.traces.schema import PER_RUN, PER_STEP, STEP, attributes, dimensions, group_name
from entropy_sums.training.settings import PROTOCOL

FILES_PER_PROCESS = 200
"""To read so many takes longer than to start a process."""

SECONDS_BETWEEN_LINES = 10.0


def collect(grid: Grid, jobs: Iterable[Job], processes: int | None = None) -> xr.DataTree:
    """Gather the traces of `jobs` in one tree: a group per model, dimensions axes + step.

    Cells without a trace are NaN. `processes` read at once, by default one per CPU; few files are read by this one.

    Raises:
        TraceError: a file is damaged, foreign, of another configuration, or made from other data than the rest.
    """
    jobs = list(jobs)
    models = list(dict.fromkeys(job.runs[0].model for job in jobs))
    jobs.sort(key=lambda job: models.index(job.runs[0].model))
    paths = [grid.trace_path(job.name) for job in jobs]
    checksums: dict[str, tuple[str, Path]] = {}
    versions: dict[str, None] = {}
    devices: dict[str, None] = {}
    groups = {}
    # A model at a time, so that the traces of no more than one take memory beside what is gathered
    read = zip(jobs, paths, _read(paths, processes), strict=True)
    for model, of_model in groupby(read, lambda each: each[0].runs[0].model):
        traces = []
        for job, path, trace in of_model:
            check(trace, path, job)
            made_from = trace.attributes["data_checksum"]
            checksum, first = checksums.setdefault(job.data, (made_from, path))
            if checksum != made_from:
                raise TraceError(f"{path}: made from other data ({job.data}) than {first}; delete the older of the two")
            versions.setdefault(trace.attributes["versions"])
            devices.setdefault(trace.attributes["device"])
            traces.append((job, trace))
        groups[group_name(model)] = _group(grid, model, traces)
    study = grid.study
    root = xr.Dataset(
        attrs={
            "study": study.name,
            "size": study.size or "",
            "configuration": study.model_dump_json(),
            "protocol": PROTOCOL,
            "versions": json.dumps(_one_or_all(map(json.loads, versions))),
            "devices": json.dumps(_one_or_all(devices)),
            "data_checksums": json.dumps({name: checksum for name, (checksum, _) in checksums.items()}),
        }
    )
    return xr.DataTree.from_dict({"/": root, **groups})


def _read(paths: Sequence[Path], processes: int | None) -> Iterator[Trace]:
    """The traces in the order of their paths."""
    most = cpu_count() if processes is None else processes
    parallel = Parallel(max(1, min(most, len(paths) // FILES_PER_PROCESS)), return_as="generator")
    traces = cast("Iterable[Trace]", parallel(delayed(load)(path) for path in paths))
    return _told(traces, len(paths))


def _told(traces: Iterable[Trace], total: int) -> Iterator[Trace]:
    """Tell on standard error how many have been read: a bar on a terminal, lines in a log where it takes long."""
    if sys.stderr.isatty():
        yield from track(traces, "traces read", total, console=Console(stderr=True), transient=True)
        return
    last = time.monotonic()
    for number, trace in enumerate(traces, start=1):
        yield trace
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{number} of {total} traces read", file=sys.stderr, flush=True)


def _one_or_all(said: Iterable[Any]) -> Any:
    """What the job files say of where they were made: one value, or all that differ."""
    values = list(said)
    return values[0] if len(values) == 1 else values


def _group(grid: Grid, model: str, traces: list[tuple[Job, Trace]]) -> xr.Dataset:
    axes = grid.dimensions(model)
    runs = [run for job, _ in traces for run in job.runs]
    rows = _rows(axes, runs)
    steps = np.unique(np.concatenate([trace.step for _, trace in traces]))
    factors = list(dict.fromkeys(factor for _, trace in traces for factor in trace.factor))
    sizes = {"step": len(steps), "factor": len(factors)}
    sizes |= {"latent": max(trace.latents for _, trace in traces), "pixel": max(trace.pixels for _, trace in traces)}
    places = [
        {
            "step": np.searchsorted(steps, trace.step),
            "factor": np.array([factors.index(factor) for factor in trace.factor]),
            "latent": np.arange(trace.latents),
            "pixel": np.arange(trace.pixels),
        }
        for _, trace in traces
    ]
    present = {name for _, trace in traces for name in trace.quantities}
    variables = {}
    for name in (name for name in (*PER_STEP, *PER_RUN) if name in present):
        further = dimensions(name)
        shape = (len(runs) + 1, *(sizes[d] for d in further))
        # The last row is that of cells without a run
        table = np.full(shape, "", object) if name == "run" else np.full(shape, np.nan)
        end = 0
        for (job, trace), at in zip(traces, places, strict=True):
            start, end = end, end + len(job.runs)
            if name in trace.quantities:
                table[start:end][(slice(None), *np.ix_(*(at[d] for d in further)))] = trace.quantities[name]
        array = table[rows]
        variables[name] = ([*axes, *further], array.astype(str) if name == "run" else array, attributes(name))
    planned = _rows(axes, [run for run in grid.runs if run.model == model]) >= 0
    variables["planned"] = (list(axes), planned.astype(float), attributes("planned"))
    return xr.Dataset(
        variables,
        coords={
            **{axis: [str(v) for v in vs] if any(isinstance(v, str) for v in vs) else vs for axis, vs in axes.items()},
            "step": ("step", steps, STEP),
            "factor": factors,
        },
        attrs={"model": model, "axes": json.dumps(list(axes)), "training": _training(runs)},
    )


def _rows(axes: Mapping[str, Sequence[Scalar]], runs: Sequence[Run]) -> np.ndarray:
    """For every cell of the axes the position of its run, -1 where there is none."""
    position = {axis: {value: i for i, value in enumerate(values)} for axis, values in axes.items()}
    rows = np.full([len(values) for values in axes.values()], -1)
    for row, run in enumerate(runs):
        # What a dataset has no setting for does not change its runs: they stand at every value of that axis
        cell = (position[a][run.coordinates[a]] if a in run.coordinates else slice(None) for a in axes)
        rows[tuple(cell)] = row
    return rows


def _training(runs: Iterable[Run]) -> str:
    """Training settings of the runs of each dataset, as JSON; where they differ, the value is `varied`."""
    settings: dict[str, Any] = {}
    # Many runs share their settings: each is looked at once
    for dataset, training in {(run.dataset, id(run.training)): (run.dataset, run.training) for run in runs}.values():
        own = training.model_dump(mode="json")
        settings[dataset] = _common(settings.get(dataset, own), own)
    return json.dumps(settings)


def _common(a: Any, b: Any) -> Any:
    if isinstance(a, dict) and isinstance(b, dict):
        return {key: _common(a[key], b[key]) for key in a}
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [_common(*pair) for pair in zip(a, b, strict=True)]
    return a if a == b else "varied"


def write(tree: xr.DataTree, path: Path) -> None:
    """Write a collected tree, compressed without loss; the file is complete or not there."""
    encoding = {
        node.path: {
            str(name): {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True}
            for name, variable in node.data_vars.items()
            if variable.dtype.kind == "f" and variable.ndim > 1
        }
        for node in tree.subtree
    }
    with atomic(path) as temporary:
        tree.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
