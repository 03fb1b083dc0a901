"""One NetCDF file per job: the trace of every replica with all that it was made from."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import xarray as xr

from entropy_sums import mkl
from entropy_sums.files import atomic, checksum
from entropy_sums.study.grid import Job
from entropy_sums.traces.schema import CHECKED, FORMAT, LABELS, PER_STEP, WORDS, attributes, dimensions
from entropy_sums.training.settings import PROTOCOL


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on, and whether MKL was unlocked, by which they differ in rounding."""
    packages = ("entropy-sums", "torch", "numpy", "scipy", "scikit-learn", "xarray", "netCDF4", "snakemake")
    found = {package: version(package) for package in packages}
    return {"python": platform.python_version(), **found, "mkl": mkl.state()}


def to_dataset(
    job: Job,
    arrays: dict[str, np.ndarray],
    at_end: dict[str, np.ndarray],
    steps: list[int],
    per_step: dict[str, list[float]],
    diverged_at: np.ndarray,
    factors: list[str],
    observed_dim: int,
    data_checksum: str,
    device: str,
) -> xr.Dataset:
    """A trace as a labelled dataset with the dimension replica and those that `schema.dimensions` gives.

    Args:
        arrays: quantity → `(step, replica, …)`.
        at_end: quantity that does not depend on the step → `(replica, …)`.
        per_step: quantity that all runs have in common → `(step,)`.
    """
    size = len(job.runs)
    variables = {}
    for name in PER_STEP:
        if name in arrays:
            dims = ["replica", *dimensions(name)]
            variables[name] = (dims, np.moveaxis(arrays[name], 0, 1), attributes(name))
    for name, values in at_end.items():
        variables[name] = (["replica", *dimensions(name)], values, attributes(name))
    for name, shared in per_step.items():
        variables[name] = (["replica", "step"], np.broadcast_to(shared, (size, len(steps))), attributes(name))
    variables["diverged_at"] = (["replica"], diverged_at, attributes("diverged_at"))
    variables["observed_dim"] = (["replica"], np.full(size, float(observed_dim)), attributes("observed_dim"))
    variables["run"] = (["replica"], [run.identity(data_checksum) for run in job.runs], attributes("run"))
    coordinates = {axis: ("replica", [run.coordinates[axis] for run in job.runs]) for axis in job.runs[0].coordinates}
    labels = {"step": steps, "subset": list(job.runs[0].training.evaluation.subset_sizes)}
    coordinates |= {name: (name, values, LABELS[name]) for name, values in labels.items() if values}
    coordinates |= {"factor": factors}
    return xr.Dataset(
        variables,
        coords=coordinates,
        attrs={
            "format": FORMAT,
            "job": job.name,
            "model": job.runs[0].model,
            "identity": job.identity,
            "configuration": json.dumps([run.configuration for run in job.runs]),
            "data_checksum": data_checksum,
            "protocol": PROTOCOL,
            "versions": json.dumps(versions()),
            "device": device,
        },
    )


def write(dataset: xr.Dataset, path: Path) -> None:
    """Write a trace; the file is complete or not there.

    Its numbers are few and lie there as they are, words as characters, under one checksum: compressed and with
    checksums array by array, as in collected files, they would take several times as long to read.
    """
    arrays = {name: dataset[name].values for name in CHECKED if name in dataset.variables}
    characters = {name: {"dtype": "S1"} for name in WORDS}
    with atomic(path) as temporary:
        dataset.assign_attrs(checksum=checksum(arrays)).to_netcdf(temporary, engine="netcdf4", encoding=characters)
