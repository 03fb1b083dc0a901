"""A user's own array from a .npy, .npz or .nc file."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile

import numpy as np
from pydantic import Field, model_validator

from entropy_sums.data.base import MeasuredSettings
from entropy_sums.data.checks import as_points
from entropy_sums.data.preparation import add_noise, split
from entropy_sums.data.scaling import Scale, Scaling
from entropy_sums.supports import Support


def read_points(path: Path, variable: str | None = None) -> np.ndarray:
    """The array of a file as points of shape (points, dimensions), in float32 if that holds every value exactly.

    Raises FileNotFoundError, or ValueError, naming the file, for an unknown suffix, a damaged file, a missing or
    ambiguous variable and values that are no finite points.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "x.npy"), np.eye(2))
        ...     read_points(Path(folder, "x.npy"))
        array([[1., 0.],
               [0., 1.]], dtype=float32)
    """
    if path.suffix not in _READERS:
        raise ValueError(f"{path}: not one of {', '.join(_READERS)}; save the array in one of these formats")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give the path of an existing array file")
    try:
        values = _READERS[path.suffix](path, variable)
    except (OSError, RuntimeError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read as a {path.suffix} array: {error}") from error
    return as_points(values, str(path))


def _npy(path: Path, variable: str | None) -> np.ndarray:
    if variable is not None:
        raise ValueError(f"it has no variable {variable!r}, nor any other; leave variable out")
    return np.load(path, allow_pickle=False)


def _npz(path: Path, variable: str | None) -> np.ndarray:
    # Opened here because numpy forgets to close a file that turns out to be no archive.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        return file[_choose(variable, file.files)]


def _nc(path: Path, variable: str | None) -> np.ndarray:
    import xarray as xr

    with xr.open_dataset(path, engine="netcdf4") as file:
        return file[_choose(variable, list(map(str, file.data_vars)))].values


def _choose(variable: str | None, names: list[str]) -> str:
    if variable is None and len(names) == 1:
        return names[0]
    if variable not in names:
        asked = "several arrays" if variable is None else f"no {variable!r}"
        raise ValueError(f"it holds {asked}; set variable to one of: {', '.join(names) or '(none)'}")
    return variable


_READERS: dict[str, Callable[[Path, str | None], np.ndarray]] = {".npy": _npy, ".npz": _npz, ".nc": _nc}


class Array(MeasuredSettings):
    """A user's own real array of shape (points, dimensions).

    Example:
        >>> Array(path="x.npy").test_fraction, Array(path="x.npy", test_path="y.npy").test_fraction
        (0.2, None)
    """

    name = "array"
    source = "the user's own file"

    path: Path
    """A .npy, .npz or .nc file, relative to the working directory."""
    variable: str | None = None
    """Name of the array in a .npz or .nc file; needed only where the file has several."""
    test_path: Path | None = None
    """A second file with the held-out points."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] | None = 0.2
    """Share of the points to hold out; none where there is a `test_path`."""
    scale: Scale = "none"
    """`centre`: subtract the mean of each column; `standardise`: divide by its standard deviation, too; `unit`: map all
    values to [0, 1] by one range; `unit_columns`: by the range of each column. Fitted to the training points and kept
    in the data file; `noise` comes after it."""

    @property
    def support(self) -> Support | None:
        return "real" if self.noise else None

    @property
    def files(self) -> list[Path]:
        return [path for path in (self.path, self.test_path) if path is not None]

    @model_validator(mode="before")
    @classmethod
    def _split_one_file(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("test_path") is not None:
            return {"test_fraction": None, **values}
        return values

    @model_validator(mode="after")
    def _one_way_to_hold_out(self):
        if (self.test_path is None) == (self.test_fraction is None):
            raise ValueError("held-out points come from test_path or from test_fraction: set one of the two")
        return self

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, Any]:
        """Training and held-out points of the user's file or files, scaled and with noise if the settings ask for it.

        Raises FileNotFoundError, or ValueError naming the file where it cannot be read or holds no finite points.
        """
        order, train_noise, test_noise = generator.spawn(3)
        train = read_points(self.path, self.variable)
        if self.test_path is not None:
            test = read_points(self.test_path, self.variable)
        else:
            assert self.test_fraction is not None, "the settings require one of test_path and test_fraction"
            held_out = round(self.test_fraction * len(train))
            train, test = split(train, len(train) - held_out, held_out, order)
        scaling = None
        if self.scale != "none":
            scaling = Scaling.fitted(self.scale, train)
            train, test = scaling(train), scaling(test)
        return {
            "scaling": scaling,
            "train": add_noise(train, self.noise, train_noise),
            "test": add_noise(test, self.noise, test_noise),
        }
