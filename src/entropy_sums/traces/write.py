"""One NetCDF file per job: the trace of every replica with its provenance."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from entropy_sums import mkl
from entropy_sums.files import atomic, checksum
from entropy_sums.quantities import CHECKED, DIMENSIONS, FORMAT, PER_STEP, QUANTITIES, WORDS
from entropy_sums.settings import PROTOCOL


def versions() -> dict[str, str]:
    """Versions of the packages that the numbers depend on, and whether MKL was unlocked, which affects rounding."""
    packages = ("entropy-sums", "torch", "numpy", "scipy", "scikit-learn", "xarray", "netCDF4", "snakemake")
    found = {package: version(package) for package in packages}
    return {"python": platform.python_version(), **found, "mkl": mkl.state()}


@dataclass(frozen=True)
class Header:
    """Provenance of a trace: a job and its runs.

    Attributes:
        job: name of the job.
        model: name of the model of all runs.
        identity: identity of the job.
        configurations: full settings of each run, plain JSON types.
        identities: identity of each run.
        coordinates: axis → value of each run.
        subset_sizes: numbers of held-out points of the estimates from subsets.
        data_checksum: checksum of the data file.
    """

    job: str
    model: str
    identity: str
    configurations: Sequence[Mapping[str, Any]]
    identities: Sequence[str]
    coordinates: Mapping[str, Sequence[Any]]
    subset_sizes: Sequence[int]
    data_checksum: str


def to_dataset(
    header: Header,
    arrays: dict[str, np.ndarray],
    at_end: dict[str, np.ndarray],
    steps: list[int],
    per_step: dict[str, list[float]],
    diverged_at: np.ndarray,
    factors: list[str],
    observed_dim: int,
    device: str,
) -> xr.Dataset:
    """Trace as a labelled dataset; each quantity has the dimension replica and its own dimensions.

    Args:
        arrays: quantity → `(step, replica, …)`.
        at_end: quantity that does not depend on the step → `(replica, …)`.
        per_step: quantity that all runs have in common → `(step,)`.
    """
    size = len(header.identities)
    variables = {}

    def add(name: str, values: Any) -> None:
        quantity = QUANTITIES[name]
        variables[name] = (["replica", *quantity.dimensions], values, quantity.attributes)

    for name in PER_STEP:
        if name in arrays:
            add(name, np.moveaxis(arrays[name], 0, 1))
    for name, values in at_end.items():
        add(name, values)
    for name, shared in per_step.items():
        add(name, np.broadcast_to(shared, (size, len(steps))))
    add("diverged_at", diverged_at)
    add("observed_dim", np.full(size, float(observed_dim)))
    add("run", list(header.identities))
    coordinates: dict[str, Any] = {axis: ("replica", list(values)) for axis, values in header.coordinates.items()}
    labels = {"step": steps, "subset": list(header.subset_sizes)}
    coordinates |= {name: (name, values, DIMENSIONS[name].attributes) for name, values in labels.items() if values}
    coordinates |= {"factor": factors}
    return xr.Dataset(
        variables,
        coords=coordinates,
        attrs={
            "format": FORMAT,
            "job": header.job,
            "model": header.model,
            "identity": header.identity,
            "configuration": json.dumps(list(header.configurations)),
            "data_checksum": header.data_checksum,
            "protocol": PROTOCOL,
            "versions": json.dumps(versions()),
            "device": device,
        },
    )


def write(dataset: xr.Dataset, path: Path) -> None:
    """Write a trace; the file is complete or not there.

    The numbers are few. They are stored uncompressed, words as characters, under one checksum. Compression and a
    checksum per array, as in collected files, would make reading several times slower.
    """
    arrays = {name: dataset[name].values for name in CHECKED if name in dataset.variables}
    characters = {name: {"dtype": "S1"} for name in WORDS}
    with atomic(path) as temporary:
        dataset.assign_attrs(checksum=checksum(arrays)).to_netcdf(temporary, engine="netcdf4", encoding=characters)
