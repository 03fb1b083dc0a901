"""From one file per job to one labelled tree per study."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from entropy_sums.files import atomic
from entropy_sums.study.grid import Grid, Job
from entropy_sums.traces.schema import PER_RUN, PER_STEP, STEP, attributes, dimensions, group_name
from entropy_sums.traces.write import FORMAT, compressed
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
        found = f"job {dataset.attrs['job']}, identity {dataset.attrs['identity']}"
        raise TraceError(
            f"{path}: trace of another configuration ({found}; the study wants {job.name}, {job.identity}); "
            "delete it and train this job anew"
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
            "versions": json.dumps(_distinct(found, "versions")),
            "devices": json.dumps(_distinct(found, "device")),
            "data_checksums": json.dumps({name: checksum for name, (checksum, _) in checksums.items()}),
        }
    )
    return xr.DataTree.from_dict({"/": root, **groups})


def _distinct(found: dict[str, list[tuple[Job, xr.Dataset]]], name: str) -> Any:
    """What the job files say of where they were made: one value, or all that differ."""
    said = list(dict.fromkeys(dataset.attrs[name] for traces in found.values() for _, dataset in traces))
    values = [json.loads(text) if name == "versions" else text for text in said]
    return values[0] if len(values) == 1 else values


def _group(grid: Grid, model: str, traces: list[tuple[Job, xr.Dataset]]) -> xr.Dataset:
    axes = grid.dimensions(model)
    position = {axis: {value: i for i, value in enumerate(values)} for axis, values in axes.items()}
    steps = np.unique(np.concatenate([dataset["step"].values for _, dataset in traces]))
    factors = list(dict.fromkeys(str(factor) for _, dataset in traces for factor in dataset["factor"].values))
    sizes = {
        **{axis: len(values) for axis, values in axes.items()},
        "step": len(steps),
        "factor": len(factors),
        "latent": max(dataset.sizes["latent"] for _, dataset in traces),
    }
    present = {str(name) for _, dataset in traces for name in dataset.data_vars}
    further = {name: dimensions(name) for name in [*PER_STEP, *PER_RUN] if name in present}
    arrays = {
        name: np.full(
            [sizes[d] for d in (*axes, *dims)], "" if name == "run" else np.nan, object if name == "run" else float
        )
        for name, dims in further.items()
    }
    for job, dataset in traces:
        at = {
            "step": np.searchsorted(steps, dataset["step"].values),
            "factor": np.array([factors.index(str(factor)) for factor in dataset["factor"].values]),
            "latent": np.arange(dataset.sizes["latent"]),
        }
        for replica, run in enumerate(job.runs):
            # What a dataset has no setting for does not change its runs: they stand at every value of that axis
            cell = [position[a][run.coordinates[a]] if a in run.coordinates else slice(None) for a in axes]
            for name, variable in dataset.data_vars.items():
                runs = arrays[str(name)][(*cell, ...)]
                runs[(..., *np.ix_(*(at[d] for d in further[str(name)])))] = variable.values[replica]
    return xr.Dataset(
        {
            name: ([*axes, *further[name]], array.astype(str) if name == "run" else array, attributes(name))
            for name, array in arrays.items()
        },
        coords={
            **{axis: [str(v) for v in vs] if any(isinstance(v, str) for v in vs) else vs for axis, vs in axes.items()},
            "step": ("step", steps, STEP),
            "factor": factors,
        },
        attrs={"model": model, "axes": json.dumps(list(axes)), "training": _training(traces)},
    )


def _training(traces: list[tuple[Job, xr.Dataset]]) -> str:
    """Training settings of the runs of each dataset, as JSON; where they differ, the value is `varied`."""
    settings: dict[str, Any] = {}
    for run in (run for job, _ in traces for run in job.runs):
        own = run.training.model_dump(mode="json")
        settings[run.dataset] = _common(settings.get(run.dataset, own), own)
    return json.dumps(settings)


def _common(a: Any, b: Any) -> Any:
    if isinstance(a, dict) and isinstance(b, dict):
        return {key: _common(a[key], b[key]) for key in a}
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [_common(*pair) for pair in zip(a, b, strict=True)]
    return a if a == b else "varied"


def write(tree: xr.DataTree, path: Path) -> None:
    """Write a collected tree; the file is complete or not there."""
    encoding = {node.path: compressed(node.to_dataset()) for node in tree.subtree}
    with atomic(path) as temporary:
        tree.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
