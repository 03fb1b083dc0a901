"""Collection of the files of all jobs in one labelled tree per study."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, cpu_count, delayed

from entropy_sums.files import atomic
from entropy_sums.quantities import DIMENSIONS, LABELLED, QUANTITIES, group_name
from entropy_sums.settings import PROTOCOL, Settings
from entropy_sums.study.grid import Grid, Job, Run
from entropy_sums.study.schema import Scalar
from entropy_sums.terminal import Meter
from entropy_sums.traces.read import Trace, TraceError, load


def check(trace: Trace, path: Path, job: Job) -> None:
    """Refuse a trace that does not match the job as the study defines it now.

    Raises:
        TraceError: naming the file, what is wrong with it and what to do.
    """
    attributes = trace.attributes
    if attributes["job"] != job.name or attributes["identity"] != job.identity:
        found = f"job {attributes['job']}, identity {attributes['identity']}"
        raise TraceError(
            f"{path}: trace of another configuration ({found}; the study wants {job.name}, {job.identity}); "
            "delete it and train this job anew"
        )
    wanted = [run.identity(attributes["data_checksum"]) for run in job.runs]
    if list(trace.quantities["run"]) != wanted:
        raise TraceError(f"{path}: its runs are not those of job {job.name}; delete it and train this job anew")


FILES_PER_PROCESS = 200
"""Number of files that take longer to read than a process takes to start."""


def collect(grid: Grid, jobs: Iterable[Job], processes: int | None = None) -> xr.DataTree:
    """Gather the traces of `jobs` in one tree: a group per model, dimensions axes + step.

    Cells without a trace are NaN. `processes` processes read at once, by default one per CPU. This process reads alone
    where there are few files.

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
    # One model at a time, so that the traces of no more than one model take memory beside the result
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
            **({"shown": json.dumps(shown)} if (shown := study.catalogue.shown) else {}),
            "devices": json.dumps(_one_or_all(devices)),
            "data_checksums": json.dumps({name: checksum for name, (checksum, _) in checksums.items()}),
        }
    )
    return xr.DataTree.from_dict({"/": root, **groups})


def _read(paths: Sequence[Path], processes: int | None) -> Iterator[Trace]:
    """Read the traces in the order of their paths."""
    most = cpu_count() if processes is None else processes
    parallel = Parallel(max(1, min(most, len(paths) // FILES_PER_PROCESS)), return_as="generator")
    traces = cast("Iterable[Trace]", parallel(delayed(load)(path) for path in paths))
    return _told(traces, len(paths))


def _told(traces: Iterable[Trace], total: int) -> Iterator[Trace]:
    """Report the number of traces that have been read."""
    with Meter("traces read:", total) as meter:
        for number, trace in enumerate(traces, start=1):
            yield trace
            meter.tell(number)


def _one_or_all(said: Iterable[Any]) -> Any:
    """Provenance of all job files: one value, or all values where they differ."""
    values = list(said)
    return values[0] if len(values) == 1 else values


def _group(grid: Grid, model: str, traces: list[tuple[Job, Trace]]) -> xr.Dataset:
    axes = grid.dimensions(model)
    runs = [run for job, _ in traces for run in job.runs]
    rows = _rows(axes, runs)
    labels = _labels([trace for _, trace in traces])
    places = [{d: labels[d].get_indexer(own) for d, own in trace.labels.items()} for _, trace in traces]
    present = {name for _, trace in traces for name in trace.quantities}
    variables = {}
    for name, quantity in QUANTITIES.items():
        if name not in present:
            continue
        further = quantity.dimensions
        shape = (len(runs) + 1, *(len(labels[d]) for d in further))
        # The last row is that of cells without a run
        table = np.full(shape, "", object) if quantity.text else np.full(shape, np.nan)
        end = 0
        for (job, trace), at in zip(traces, places, strict=True):
            start, end = end, end + len(job.runs)
            if name in trace.quantities:
                table[start:end][(slice(None), *np.ix_(*(at[d] for d in further)))] = trace.quantities[name]
        array = table[rows]
        variables[name] = ([*axes, *further], array.astype(str) if quantity.text else array, quantity.attributes)
    planned = _rows(axes, [run for run in grid.runs if run.model == model]) >= 0
    variables["planned"] = (list(axes), planned.astype(float), QUANTITIES["planned"].attributes)
    return xr.Dataset(
        variables,
        coords={
            **{axis: [str(v) for v in vs] if any(isinstance(v, str) for v in vs) else vs for axis, vs in axes.items()},
            **{name: (name, labels[name], DIMENSIONS[name].attributes) for name in LABELLED if name in labels},
            "factor": list(labels["factor"]),
        },
        attrs={
            "model": model,
            "axes": json.dumps(list(axes)),
            "training": _settings(runs, lambda run: run.training),
            "data": _settings(runs, lambda run: run.dataset_settings),
        },
    )


def _labels(traces: Sequence[Trace]) -> dict[str, pd.Index]:
    """Labels along each dimension of all traces: numbers in increasing order, factors in order of appearance."""
    own: dict[str, list[np.ndarray]] = {}
    for trace in traces:
        for dimension, values in trace.labels.items():
            own.setdefault(dimension, []).append(values)
    return {
        d: pd.Index(pd.unique(np.concatenate(found)) if d == "factor" else reduce(np.union1d, found))
        for d, found in own.items()
    }


def _rows(axes: Mapping[str, Sequence[Scalar]], runs: Sequence[Run]) -> np.ndarray:
    """Position of the run of every cell of the axes; -1 where there is none."""
    position = {axis: {value: i for i, value in enumerate(values)} for axis, values in axes.items()}
    rows = np.full([len(values) for values in axes.values()], -1)
    for row, run in enumerate(runs):
        # A setting that a dataset lacks does not change its runs: they fill every value of that axis
        cell = (position[a][run.coordinates[a]] if a in run.coordinates else slice(None) for a in axes)
        rows[tuple(cell)] = row
    return rows


def _settings(runs: Iterable[Run], of: Callable[[Run], Settings]) -> str:
    """Settings of the runs of each dataset, as JSON; where they differ, the value is `varied`."""
    settings: dict[str, Any] = {}
    # Many runs share their settings: each block of settings is read once
    for dataset, block in {(run.dataset, id(of(run))): (run.dataset, of(run)) for run in runs}.values():
        own = block.model_dump(mode="json")
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


def present(grid: Grid, partial: bool) -> list[Job]:
    """Jobs of a study that have a trace; with `partial` the others are named on standard error and left out.

    Raises:
        ValueError: some have none, and `partial` is not asked for; or none has.
    """
    jobs = list(grid.jobs.values())
    absent = {job.name: None for job in jobs if not grid.trace_path(job.name).exists()}
    if absent and (not partial or len(absent) == len(jobs)):
        raise ValueError(
            f"{len(absent)} of {len(jobs)} jobs have no trace yet, the first is {next(iter(absent))}; "
            "train them (`entropy-sums train`), or gather what there is with --partial"
        )
    for name in absent:
        print(f"no trace of {name}", file=sys.stderr)
    return [job for job in jobs if job.name not in absent]


def open_tree(path: Path) -> xr.DataTree:
    """Read a collected file whole: figures and tables use every number many times.

    Raises:
        TraceError: the file is not there, damaged, or no collected file; names it and what to do.
    """
    if not path.exists():
        raise TraceError(f"{path}: not there; `entropy-sums collect` writes it")
    try:
        with xr.open_datatree(path, engine="netcdf4") as tree:
            tree.load()
    except (OSError, RuntimeError) as error:
        raise TraceError(f"{path}: damaged or no NetCDF file ({error}); collect it anew") from error
    if "study" not in tree.attrs or not tree.children:
        raise TraceError(
            f"{path}: not a collected file; give the traces.nc of a study, which `entropy-sums collect` writes"
        )
    return tree
