"""From one file per job to one labelled tree per study."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from entropy_sums.files import atomic
from entropy_sums.study.grid import Grid, Job
from entropy_sums.traces.schema import FURTHER_DIMENSION, PER_RUN, PER_STEP, attributes, group_name
from entropy_sums.traces.write import FORMAT, compressed, versions
from entropy_sums.training.settings import PROTOCOL


class TraceError(ValueError):
    """A trace file that cannot be used: damaged, foreign or of another configuration."""


def read(path: Path, job: Job) -> xr.Dataset:
    """The trace of a job.

    Raises:
        TraceError: naming the file, what is wrong with it and what to do.
    """
    try:
        with xr.open_dataset(path, engine="netcdf4") as file:
            dataset = file.load()
    except (OSError, ValueError, RuntimeError) as error:
        raise TraceError(f"{path}: damaged or no NetCDF file ({error}); delete it and train this job anew") from error
    if dataset.attrs.get("format") != FORMAT:
        raise TraceError(f"{path}: not a trace of this software (format {dataset.attrs.get('format')!r}); move it away")
    if dataset.attrs["job"] != job.name or dataset.attrs["identity"] != job.identity:
        raise TraceError(
            f"{path}: trace of another configuration (job {dataset.attrs['job']}, identity {dataset.attrs['identity']}; "
            f"the study wants {job.name}, {job.identity}); delete it and train this job anew"
        )
    wanted = [run.identity(dataset.attrs["data_checksum"]) for run in job.runs]
    if list(dataset["run"].values) != wanted:
        raise TraceError(f"{path}: its runs are not those of job {job.name}; delete it and train this job anew")
    return dataset


def collect(grid: Grid, jobs: Iterable[Job]) -> xr.DataTree:
    """Gather the traces of `jobs` in one tree: a group per model, dimensions axes + step.

    Cells without a trace are NaN.

    Raises:
        TraceError: a file is damaged, foreign, of another configuration, or made from other data than the rest.
    """
    found: dict[str, list[tuple[Job, xr.Dataset]]] = {}
    checksums: dict[str, tuple[str, Path]] = {}
    for job in jobs:
        path = grid.trace_path(job.name)
        dataset = read(path, job)
        checksum, first = checksums.setdefault(job.data, (dataset.attrs["data_checksum"], path))
        if checksum != dataset.attrs["data_checksum"]:
            raise TraceError(f"{path}: made from other data ({job.data}) than {first}; delete the older of the two")
        found.setdefault(job.runs[0].model, []).append((job, dataset))
    groups = {group_name(model): _group(grid, model, traces) for model, traces in found.items()}
    study = grid.study
    root = xr.Dataset(
        attrs={
            "study": study.study,
            "configuration": study.model_dump_json(),
            "protocol": PROTOCOL,
            "versions": json.dumps(versions()),
            "data_checksums": json.dumps({name: checksum for name, (checksum, _) in checksums.items()}),
        }
    )
    return xr.DataTree.from_dict({"/": root, **groups})


def _group(grid: Grid, model: str, traces: list[tuple[Job, xr.Dataset]]) -> xr.Dataset:
    axes = grid.axes_of(model)
    values = {axis: _axis_values(grid, model, axis) for axis in axes}
    steps = np.unique(np.concatenate([dataset["step"].values for _, dataset in traces]))
    factors = list(dict.fromkeys(str(f) for _, dataset in traces for f in dataset["factor"].values))
    latents = max(dataset.sizes["latent"] for _, dataset in traces)
    sizes = {"step": len(steps), "factor": len(factors), "latent": latents}
    shape = tuple(len(values[axis]) for axis in axes)
    names = {str(name) for _, dataset in traces for name in dataset.data_vars}
    arrays: dict[str, np.ndarray] = {}
    dims: dict[str, list[str]] = {}
    for name in [*PER_STEP, *PER_RUN]:
        if name in names:
            dims[name] = ["step", *([FURTHER_DIMENSION[name]] if name in FURTHER_DIMENSION else [])]
            dims[name] = dims[name] if name in PER_STEP else []
            full = (*shape, *(sizes[d] for d in dims[name]))
            arrays[name] = np.full(full, "", dtype=object) if name == "run" else np.full(full, np.nan)
    for job, dataset in traces:
        at = np.searchsorted(steps, dataset["step"].values)
        where = {"factor": [factors.index(str(f)) for f in dataset["factor"].values]}
        for replica, run in enumerate(job.runs):
            cell = tuple(values[axis].index(run.coordinates[axis]) for axis in axes)
            for name, array in dataset.data_vars.items():
                source = array.values[replica]
                if name in PER_RUN:
                    arrays[str(name)][cell] = source
                elif FURTHER_DIMENSION.get(str(name)) == "factor":
                    arrays[str(name)][cell][np.ix_(at, where["factor"])] = source
                elif FURTHER_DIMENSION.get(str(name)) == "latent":
                    arrays[str(name)][cell][at, : source.shape[-1]] = source
                else:
                    arrays[str(name)][cell][at] = source
    arrays["run"] = arrays["run"].astype(str)
    coordinates = {axis: [str(v) for v in vs] if isinstance(vs[0], str) else vs for axis, vs in values.items()}
    coordinates |= {"step": ("step", steps, {"long_name": "optimiser steps", "units": "1"}), "factor": factors}
    variables = {name: ([*axes, *dims[name]], array, attributes(name)) for name, array in arrays.items()}
    training = grid_training(traces)
    return xr.Dataset(
        variables, coords=coordinates, attrs={"model": model, "axes": json.dumps(axes), "training": training}
    )


def _axis_values(grid: Grid, model: str, axis: str) -> list:
    present = dict.fromkeys(run.coordinates[axis] for run in grid.runs if run.model == model)
    return list(present)


def grid_training(traces: list[tuple[Job, xr.Dataset]]) -> str:
    """Training settings of the first run of each dataset, as JSON."""
    settings = {job.runs[0].dataset: job.runs[0].training.model_dump(mode="json") for job, _ in reversed(traces)}
    return json.dumps(settings)


def write(tree: xr.DataTree, path: Path) -> None:
    """Write a collected tree; the file is complete or not there."""
    encoding = {node.path: compressed(node.to_dataset()) for node in tree.subtree}
    with atomic(path) as temporary:
        tree.to_netcdf(temporary, engine="netcdf4", encoding=encoding)


def missing(tree: xr.DataTree) -> Iterator[str]:
    """Names of groups and cells without a trace."""
    for name, node in tree.children.items():
        empty = node["run"] == ""
        for index in np.argwhere(empty.values):
            cell = {str(d): node[d].values[i].item() for d, i in zip(empty.dims, index, strict=True)}
            yield f"{name}: " + ", ".join(f"{axis}={value}" for axis, value in cell.items())
