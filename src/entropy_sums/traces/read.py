"""Read the file of one job, quickly: of ten thousand, all that xarray adds to each would be minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from entropy_sums.study.grid import Job
from entropy_sums.traces.schema import FORMAT, PER_RUN, PER_STEP

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
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            found = file.getncattr("format") if "format" in file.ncattrs() else None
            if found != FORMAT:
                raise TraceError(f"{path}: not a trace of this software (format {found!r}); move it away")
            wanted = [name for name in (*PER_STEP, *PER_RUN) if name in file.variables]
            quantities = {name: file.variables[name][...] for name in wanted}
            return Trace(
                attributes={name: file.getncattr(name) for name in ATTRIBUTES},
                step=file.variables["step"][...],
                factor=tuple(file.variables["factor"][...]),
                latents=file.dimensions["latent"].size,
                quantities=quantities,
            )
    except TraceError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise TraceError(f"{path}: damaged or no NetCDF file ({error}); delete it and train this job anew") from error


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
