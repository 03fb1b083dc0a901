"""Read the file of one job, quickly: of ten thousand, what xarray and even netCDF4 add to each would be minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5s  # pyright: ignore[reportAttributeAccessIssue]

from entropy_sums.files import checksum
from entropy_sums.study.grid import Job
from entropy_sums.traces.schema import CHECKED, FORMAT

WORDS = ("factor", "run")
ATTRIBUTES = ("job", "identity", "data_checksum", "versions", "device")


class TraceError(ValueError):
    """A trace file that cannot be used: damaged, foreign or of another configuration."""


@dataclass(frozen=True)
class Trace:
    """What collecting needs of the file of a job.

    Attributes:
        attributes: those of `ATTRIBUTES`, as in docs/results-format.md.
        step: `(step,)`, optimiser steps.
        factor: names of the factors.
        latents: size of the dimension `latent`.
        quantities: name → `(replica, …)` with the further dimensions that `schema.dimensions` gives.
    """

    attributes: Mapping[str, str]
    step: np.ndarray
    factor: tuple[str, ...]
    latents: int
    quantities: Mapping[str, np.ndarray]


def load(path: Path) -> Trace:
    """A trace file, of whatever job it is.

    Raises:
        TraceError: the file is damaged or no trace; names it, what is wrong with it and what to do.
    """
    try:
        with h5py.File(path) as file:
            found = _text(file.attrs.get("format"))
            if found != FORMAT:
                raise TraceError(f"{path}: not a trace of this software (format {found!r}); move it away")
            arrays = {
                name: (_words if name in WORDS else _numbers)(file, name)
                for name in CHECKED
                if file.id.links.exists(name.encode())
            }
            if checksum(arrays) != _text(file.attrs["checksum"]):
                raise ValueError("its values differ from its checksum")
            return Trace(
                attributes={name: str(_text(file.attrs[name])) for name in ATTRIBUTES},
                step=arrays.pop("step"),
                factor=tuple(arrays.pop("factor")),
                latents=h5d.open(file.id, b"latent").shape[0],
                quantities=arrays,
            )
    except TraceError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise TraceError(f"{path}: damaged or no NetCDF file ({error}); delete it and train this job anew") from error


def _text(attribute: Any) -> str | None:
    """NetCDF keeps plain text as bytes, other text as a string."""
    return attribute.decode() if isinstance(attribute, bytes) else attribute


def _words(file: h5py.File, name: str) -> np.ndarray:
    return np.asarray(h5py.Dataset(h5d.open(file.id, name.encode())).asstr()[...])


def _numbers(file: h5py.File, name: str) -> np.ndarray:
    """A whole array by the calls of HDF5 itself: `file[name][...]` takes twice as long."""
    variable = h5d.open(file.id, name.encode())
    values = np.empty(variable.shape, variable.dtype)
    variable.read(h5s.ALL, h5s.ALL, values)
    return values


def check(trace: Trace, path: Path, job: Job) -> None:
    """Refuse a trace that is not of the job as the study wants it now.

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
