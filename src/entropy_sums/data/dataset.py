"""A dataset in memory and on disk, with a checksum that identifies its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from entropy_sums.data.base import DatasetSettings
from entropy_sums.data.checks import as_points, rounded_to
from entropy_sums.data.scaling import Scaling
from entropy_sums.data.truths import Truth, Unknown
from entropy_sums.files import atomic, checksum

_DIMENSIONS = {
    "train": ("train_point", "pixel"),
    "test": ("test_point", "pixel"),
    "weights": ("pixel", "true_latent"),
    "offset": ("pixel",),
    "upper_weights": ("true_latent", "true_upper_latent"),
    "noise": (),
    "scale": (),
    "probability": (),
    "dequantised": (),
    "means": ("true_component", "pixel"),
    "shape": (),
    "transform": ("pixel", "direction"),
    "scales": ("segment", "direction"),
    "subtracted": ("pixel",),
    "divisor": ("pixel",),
}
_LONG_NAMES = {
    "train": "training points",
    "test": "held-out points",
    "weights": "true weights W from latents to pixels",
    "offset": "true offset",
    "upper_weights": "true weights between the two layers of latents",
    "noise": "true standard deviation of the observation",
    "scale": "true scale of the latents",
    "probability": "true probability of each latent",
    "dequantised": "1 for pixels that are uniform in one half of [0, 1]",
    "means": "true means of the components",
    "shape": "true shape of the components",
    "transform": "true orthogonal transform of the latents",
    "scales": "true standard deviations of the latents of each segment",
    "subtracted": "numbers that the setting scale has subtracted from the original values",
    "divisor": "numbers by which the setting scale has then divided them",
}


POINTS_AT_ONCE = 64
"""Number of points whose densities are computed at once: with 2^16 states each they take 34 MB."""


@dataclass(frozen=True, eq=False)
class Dataset:
    r"""Training points (N, D) and held-out points (M, D) with their provenance.

    Both are float32 if that holds every value exactly, else float64.
    `truth` holds the known parameters of the distribution that generated them (PCA: `weights` W (D, H), `offset` (D,),
    `noise` σ; the true log-likelihood is then given by $N(b, WW^\top + \sigma^2 I)$). `scaling` is the map from the
    original values, if there is one. Raises ValueError for values that are no finite points and for training and
    held-out points of different dimensions.

    Example:
        >>> dataset = Dataset("example", train=np.zeros((3, 2)), test=np.ones((2, 2)), attributes={})
        >>> dataset.train.dtype, dataset.checksum[:8]
        (dtype('float32'), '...')
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    attributes: Mapping[str, str | float]
    truth: Mapping[str, np.ndarray] = field(default_factory=dict)
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        parts = {part: as_points(getattr(self, part), f"{self.name}, {part}") for part in ("train", "test")}
        common = np.result_type(*parts.values())
        for part, points in parts.items():
            object.__setattr__(self, part, points.astype(common, copy=False))
        if self.train.shape[1] != self.test.shape[1]:
            raise ValueError(
                f"{self.name}: training points have {self.train.shape[1]} dimensions, held-out points "
                f"{self.test.shape[1]}; give both the same"
            )

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by their name in the file."""
        scaling = {} if self.scaling is None else self.scaling.arrays
        return {"train": self.train, "test": self.test, **self.truth, **scaling}

    def in_precision(self, precision: str) -> Dataset:
        """The dataset with points as training in this floating point type sees them.

        Example:
            >>> dataset = Dataset("example", train=np.eye(2) / 3, test=np.ones((2, 2)), attributes={})
            >>> dataset.train.dtype, dataset.in_precision("float32").train.dtype
            (dtype('float64'), dtype('float32'))
        """
        dtype = np.dtype(precision)
        return replace(self, train=rounded_to(self.train, dtype), test=rounded_to(self.test, dtype))

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over names, shapes, types and values of all arrays, the same on every machine."""
        return checksum(self.arrays)

    def write(self, path: Path) -> None:
        """Write a NetCDF file, whole or not at all, that opens in plain xarray.

        Variables are `train` (train_point, pixel), `test` (test_point, pixel), the truth and the scaling, `subtracted`
        and `divisor` (pixel). Attributes are `name`, `checksum`, `log_scale` if there is a scaling, and the attributes
        of the dataset. Raises OSError where the folder is not writable.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> dataset = Dataset("example", train=np.zeros((3, 2)), test=np.ones((2, 2)), attributes={})
            >>> with TemporaryDirectory() as folder:
            ...     dataset.write(Path(folder, "example.nc"))
            ...     Dataset.read(Path(folder, "example.nc")).checksum == dataset.checksum
            True
        """
        import xarray as xr

        variables = {
            name: xr.Variable(_DIMENSIONS[name], values, {"long_name": _LONG_NAMES[name]}, {"_FillValue": None})
            for name, values in self.arrays.items()
        }
        attributes = {"name": self.name, "checksum": self.checksum, **self.attributes}
        if self.scaling is not None:
            attributes["log_scale"] = self.scaling.log_scale
        with atomic(path) as temporary:
            xr.Dataset(variables, attrs=attributes).to_netcdf(temporary, engine="netcdf4")

    @classmethod
    def read(cls, path: Path) -> Dataset:
        """Read a file that `write` wrote, and compare the checksum.

        Raises FileNotFoundError, or ValueError naming the file where it is damaged or was not written by `write`.
        """
        import xarray as xr

        try:
            file = xr.load_dataset(path, engine="netcdf4")
        except FileNotFoundError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{path}: damaged, or no NetCDF file ({error}); delete it and load the data again"
            ) from error
        attributes = dict(file.attrs)
        if not (
            {"train", "test"} <= file.variables.keys() <= _DIMENSIONS.keys()
            and {"name", "checksum"} <= attributes.keys()
        ):
            raise ValueError(f"{path}: not a data file of this project; give a file that Dataset.write wrote")
        arrays = {str(name): variable.values for name, variable in file.variables.items()}
        if checksum(arrays) != attributes.pop("checksum"):
            raise ValueError(f"{path}: damaged, its values differ from its checksum; delete it and load the data again")
        scaled = attributes.pop("log_scale", None) is not None
        return cls(
            name=attributes.pop("name"),
            train=arrays.pop("train"),
            test=arrays.pop("test"),
            attributes=attributes,
            scaling=Scaling(arrays.pop("subtracted"), arrays.pop("divisor")) if scaled else None,
            truth=arrays,
        )


def true_log_likelihoods(kind: type[DatasetSettings], dataset: Dataset) -> dict[str, float]:
    """Mean log-likelihood in nats of both parts of a dataset under the distribution they were drawn from, if known.

    Example:
        >>> from pathlib import Path
        >>> from entropy_sums.data import load
        >>> from entropy_sums.data.linear import PCA, PCARing
        >>> known = true_log_likelihoods(PCA, load(PCA(), Path()))
        >>> {part: round(nats, 1) for part, nats in known.items()}
        {'train': 3.1, 'test': 3.1}
        >>> true_log_likelihoods(PCARing, load(PCARing(), Path()))
        {}
    """
    parts = {"train": dataset.train, "test": dataset.test}
    found = {part: log_likelihood(kind, points, dataset.truth) for part, points in parts.items()}
    return {part: nats for part, nats in found.items() if nats is not None}


def log_likelihood(kind: type[DatasetSettings], points: np.ndarray, truth: Truth) -> float | None:
    """Mean log-likelihood of points (N, D) in nats, or None where datasets of this kind have no known one.

    It is unknown where points are rounded to more than the `noise` σ or to a point of infinite density, where the
    latents have too many states, and where the truth lacks something, as in files of older versions.

    Example:
        >>> from entropy_sums.data.mixtures import MixtureOfBernoullis
        >>> truth = {"means": np.array([[0.5, 0.5], [0.5, 0.5]])}
        >>> log_likelihood(MixtureOfBernoullis, np.array([[0.0, 1.0]]), truth)
        -1.38629...
    """
    if truth.get("noise", np.inf) < np.finfo(points.dtype).eps * np.abs(points).max():
        return None
    chunks = np.array_split(points.astype(float), -(-len(points) // POINTS_AT_ONCE))
    try:
        found = np.concatenate([kind.log_density(chunk, truth) for chunk in chunks])
    except Unknown:
        return None
    return float(found.mean()) if np.isfinite(found).all() else None
