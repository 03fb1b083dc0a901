"""Base class of datasets, and settings that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from entropy_sums.data.truths import Truth, Unknown
from entropy_sums.settings import Settings
from entropy_sums.supports import Support

PointCount = Annotated[int, Field(ge=2)]
"""Number of points, at least two for a covariance."""

StandardDeviation = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Probability = Annotated[float, Field(gt=0, lt=1)]


class DatasetSettings(Settings, ABC):
    """Base class of all datasets.

    A dataset is one subclass: a `name` for study files, a `label` for figures, a `source` to cite, its settings,
    `arrays`, and the `numbers` that its points are made of.

    Example:
        >>> from entropy_sums.data.catalogue import DATASETS
        >>> DATASETS["pca"](dim=5).model_dump()
        {'data_seed': 0, 'train': 1000, 'test': 1000, 'noise': 0.1, 'dim': 5, 'true_latent_dim': 2}
    """

    name: ClassVar[str]
    label: ClassVar[str] = ""
    """Name in figures and tables, by default `name` in words; not inherited."""
    source: ClassVar[str]
    numbers: ClassVar[Support | None] = None
    """Narrowest support of all points; None where it depends on the settings, or is known from the data alone."""
    remedies: ClassVar[Mapping[Support, Mapping[str, Any]]] = {}
    """Support → settings with which the points have it."""

    data_seed: NonNegativeInt = 0
    """Seed of everything that is drawn for the data: ground truth, points, noise, split."""

    @abstractmethod
    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, Any]:
        """Arrays `train` (N, D) and `test` (M, D), the `truth` (name → array) if it is known, the `scaling` if any.

        Points keep the digits that they are returned with.

        Args:
            data_dir: folder of data files.
            generator: source of all random numbers.
        """

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        """Log-density in nats of points x (N, D) under the distribution they are drawn from, (N,).

        Raises:
            Unknown: there is no closed form, or the truth lacks something.
        """
        raise Unknown

    @property
    def shape(self) -> tuple[int, int] | None:
        """Number of training points and of dimensions, for a forecast of cost; None where only the data tell."""
        return None

    @property
    def held_out(self) -> int | None:
        """Number of held-out points, the setting `test`; None where only the data tell."""
        return getattr(self, "test", None)

    @property
    def support(self) -> Support | None:
        """Narrowest support of all points that these settings make; None where only the data tell."""
        return self.numbers

    @property
    def number_bytes(self) -> int:
        """Bytes of a number in the data file: whole numbers need single precision, others take double."""
        return 4 if self.support in ("binary", "counts") else 8

    @property
    def true_weights(self) -> tuple[int, int] | None:
        """Shape (D, H) of the true weights W, which the truth has as `weights`; None where it has none."""
        return None

    @property
    def files(self) -> list[Path]:
        """Files of the user's that the data are read from; when one changes, they are read again."""
        return []

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        """Reason why the data are not available here (the missing file, its folder, and where to get it), or None.

        Example:
            >>> from entropy_sums.data.linear import PCA
        >>> PCA.missing(Path("data")) is None
            True
        """
        return None


class DrawnSettings(DatasetSettings):
    """Points drawn from a known distribution; more points keep the earlier ones, save where a scale is fitted."""

    train: PointCount = 1000
    """Number of training points."""
    test: PointCount = 1000
    """Number of held-out points, drawn apart from the training points."""


class VectorSettings(DrawnSettings):
    """Points with a chosen number of dimensions."""

    dim: PositiveInt
    """Number D of data dimensions."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.dim


class GeneratedSettings(DrawnSettings):
    """Points with Gaussian noise."""

    numbers = "real"

    noise: StandardDeviation = 0.05
    """Standard deviation of the Gaussian noise on every coordinate; with 0 the data have no density."""

    coordinates: ClassVar[int] = 2

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.coordinates


class EmbeddedSettings(GeneratedSettings):
    """Generated points that lie near a set of fewer dimensions than the data have."""

    dim: PositiveInt = 10
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 2
    """Number of latent dimensions that the data are generated from."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.dim

    @model_validator(mode="after")
    def _embeddable(self):
        if self.true_latent_dim > self.dim:
            raise ValueError(f"true_latent_dim: {self.true_latent_dim} is more than dim: {self.dim}; lower it")
        return self


class LatentSettings(VectorSettings):
    """Points drawn from a model with latents and known weights."""

    dim: PositiveInt = 16
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 4
    """Number of latents that the data are generated from."""

    @property
    def true_weights(self) -> tuple[int, int]:
        return self.dim, self.true_latent_dim


class MeasuredSettings(DatasetSettings):
    """Data that were not drawn from a density, so that learned variances may shrink without end."""

    noise: StandardDeviation = 0.0
    """Standard deviation of extra Gaussian noise in data units (grey values in [0, 1]): a stated variance floor."""
    allow_constant: bool = False
    """Accept training dimensions that never vary, for which a learned variance has no optimum."""


class ImageSettings(MeasuredSettings):
    """Grey images, scaled to [0, 1].

    Example:
        >>> from entropy_sums.data.shipped import Digits
        >>> Digits(binarise="threshold").dequantise
        False
    """

    binarise: Literal["none", "threshold", "sample"] = "none"
    """`threshold`: 1 where the grey value is above 1/2; `sample`: 1 with the grey value as probability, drawn once."""
    dequantise: bool = True
    """Add uniform noise of one grey level, so that constant and few-valued pixels have a density
    (Theis, van den Oord & Bethge 2016); by default on for grey and off for binary images."""

    remedies: ClassVar[Mapping[Support, Mapping[str, Any]]] = {
        "binary": {"binarise": "threshold", "dequantise": False, "noise": 0.0},
        "counts": {"binarise": "threshold", "dequantise": False, "noise": 0.0},
        "nonnegative": {"noise": 0.0},
        "positive": {"binarise": "none", "dequantise": True, "noise": 0.0},
    }

    @property
    def number_bytes(self) -> int:
        return 4

    @property
    def support(self) -> Support:
        if self.binarise != "none":
            return "binary"
        if self.noise:
            return "real"
        return "positive" if self.dequantise else "nonnegative"

    @model_validator(mode="before")
    @classmethod
    def _dequantise_grey_images(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("binarise", "none") != "none":
            return {"dequantise": False, **values}
        return values

    @model_validator(mode="after")
    def _binary_or_noisy(self):
        if self.binarise != "none" and (self.dequantise or self.noise):
            raise ValueError(
                f"binarise: {self.binarise} makes binary images, which dequantise and noise would undo; "
                "set binarise: none, or leave dequantise and noise out"
            )
        return self


class CountedImageSettings(ImageSettings):
    """Images with a chosen number of training and held-out images."""

    pixels: ClassVar[int] = 28 * 28

    train: PointCount
    """Number of training images."""
    test: PointCount
    """Number of held-out images."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.pixels
