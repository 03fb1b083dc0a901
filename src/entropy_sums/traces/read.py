"""Fast reading of the file of one job: for ten thousand files, xarray or even netCDF4 would take minutes more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from h5py import h5a, h5d, h5s  # pyright: ignore[reportAttributeAccessIssue]

from entropy_sums.files import checksum
from entropy_sums.quantities import COUNTED, FORMAT, LABELLED, QUANTITIES

ATTRIBUTES = ("job", "identity", "data_checksum", "versions", "device", "checksum")


class TraceError(ValueError):
    """Error for a trace file that cannot be used: damaged, foreign or of another configuration."""


@dataclass(frozen=True)
class Trace:
    """Contents of a trace file that collecting needs.

    Attributes:
        attributes: attributes named in `ATTRIBUTES`, as in docs/results-format.md.
        labels: dimension → its labels: steps, names of factors, numbers of points, or else numbers counted from 0.
        quantities: name → `(replica, …)` with the further dimensions of the quantity.
    """

    attributes: Mapping[str, str]
    labels: Mapping[str, np.ndarray]
    quantities: Mapping[str, np.ndarray]


def load(path: Path) -> Trace:
    """Read the trace file of any job.

    Raises:
        TraceError: the file is damaged or no trace; names it, what is wrong with it and what to do.
    """
    try:
        with h5py.File(path) as file:
            found = _text(file, "format") if "format" in file.attrs else None
            if found != FORMAT:
                raise TraceError(f"{path}: not a trace of this software (format {found!r}); move it away")
            attributes = {name: _text(file, name) for name in ATTRIBUTES}
            factor, run = _words(file, "factor"), _words(file, "run")
            labels = {name: _numbers(file, name) for name in LABELLED if file.id.links.exists(name.encode())}
            written = {"factor": factor, **labels}
            counted = {name for name in COUNTED if file.id.links.exists(name.encode())}
            labels = written | {name: np.arange(h5d.open(file.id, name.encode()).shape[0]) for name in counted}
            sizes = {name: values.size for name, values in labels.items()}
            quantities = {"run": run}
            for name, quantity in QUANTITIES.items():
                if name not in quantities and file.id.links.exists(name.encode()):
                    shape = (run.size, *(sizes[dimension] for dimension in quantity.dimensions))
                    quantities[name] = _numbers(file, name, shape)
            if checksum({**written, **quantities}) != attributes["checksum"]:
                raise ValueError("its values differ from its checksum")
            return Trace(attributes, labels, quantities)
    except TraceError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise TraceError(f"{path}: damaged or no NetCDF file ({error}); delete it and train this job anew") from error


def seconds_of_training(path: Path) -> float:
    """Seconds that the pack of a trace was trained, evaluation included.

    Raises:
        TraceError: the file is damaged or no trace.
    """
    try:
        with h5py.File(path) as file:
            return float(_numbers(file, "wall_time")[0, -1])
    except (OSError, KeyError, IndexError, RuntimeError) as error:
        raise TraceError(f"{path}: damaged or no NetCDF file ({error}); delete it and train this job anew") from error


# Direct calls of HDF5: `file[name][...]` and `file.attrs[name]` take several times as long
def _text(file: h5py.File, name: str) -> str:
    attribute = h5a.open(file.id, name.encode())
    if attribute.dtype.kind != "S":  # text that is not plain ASCII
        return str(file.attrs[name])
    value = np.empty((), attribute.dtype)
    attribute.read(value)
    return bytes(value[()]).decode()


def _numbers(file: h5py.File, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Values of a variable, in float64 if the shape is given: to ask for shape and type takes as long as to read."""
    variable = h5d.open(file.id, name.encode())
    values = np.empty(variable.shape, variable.dtype) if shape is None else np.empty(shape)
    variable.read(h5s.create_simple(values.shape), h5s.ALL, values)
    return values


def _words(file: h5py.File, name: str) -> np.ndarray:
    """Characters `(word, place)` as words."""
    characters = _numbers(file, name)
    words = characters.view(f"S{characters.shape[-1]}")
    return np.char.decode(words.squeeze(-1))
