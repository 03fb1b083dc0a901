"""Preparation of several kinds of data: noise, grey values, splits."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from entropy_sums.data.base import ImageSettings


@runtime_checkable
class Levels(Protocol):
    """Settings for turning grey levels into real numbers."""

    @property
    def dequantise(self) -> bool:
        """Whether uniform noise of one level is added."""
        ...

    @property
    def noise(self) -> float:
        """Standard deviation of the Gaussian noise that is added afterwards."""
        ...


_BINARISE = {
    "threshold": lambda unit, generator: unit > 0.5,
    "sample": lambda unit, generator: generator.random(unit.shape, dtype=np.float32) < unit,
}


def add_noise(values: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    r"""Values with independent Gaussian noise, $x + \sigma\varepsilon$ with $\varepsilon \sim N(0, 1)$.

    Example:
        >>> add_noise(np.zeros(2), 0.0, np.random.default_rng(0))
        array([0., 0.])
    """
    if noise == 0:
        return values
    return np.asarray(values, float) + noise * generator.standard_normal(values.shape, dtype=np.float32)


def prepare_images(grey: np.ndarray, white: int, settings: ImageSettings, generator: np.random.Generator) -> np.ndarray:
    r"""Images of values in [0, 1] from grey levels 0 … `white`, of shape (images, pixels).

    They have single precision, which tells all levels apart and halves the files.

    Dequantised $(g + u)/(\mathrm{white} + 1)$ with $u \sim U(0, 1)$, plain $g/\mathrm{white}$, or binary; then noise.

    Source: Theis, van den Oord & Bethge (ICLR 2016) for the dequantisation.

    Example:
        >>> from entropy_sums.data.shipped import Digits
        >>> grey = np.array([[0, 4, 16]])
        >>> prepare_images(grey, 16, Digits(dequantise=False), np.random.default_rng(0))
        array([[0.  , 0.25, 1.  ]], dtype=float32)
    """
    if settings.binarise != "none":
        return _BINARISE[settings.binarise](_unit(grey, white), generator)
    return to_real(grey, white, settings, generator).astype(np.float32)


def to_real(grey: np.ndarray, white: int, settings: Levels, generator: np.random.Generator) -> np.ndarray:
    r"""Values in [0, 1] from levels 0 … `white`: dequantised or not, then noise, as in `prepare_images`.

    Example:
        >>> from entropy_sums.data.bars import Bars
        >>> to_real(np.array([0, 1]), 1, Bars(dequantise=True), np.random.default_rng(0)).round(1)
        array([0.4, 0.8])
    """
    if not settings.dequantise:
        return add_noise(_unit(grey, white), settings.noise, generator)
    uniform = generator.random(grey.shape, dtype=np.float32)
    # A draw of 0 stands for all values below 2^-24: without it, dequantised values are positive
    return add_noise((grey + np.maximum(uniform, 2.0**-25)) / (white + 1), settings.noise, generator)


def _unit(grey: np.ndarray, white: int) -> np.ndarray:
    return (grey / white).astype(np.float32)


def split(points: np.ndarray, train: int, test: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random training and held-out points without overlap; a larger `train` keeps both sets and adds to the first.

    Raises ValueError where there are fewer than `train + test` points.

    Example:
        >>> train, test = split(np.arange(6), 4, 2, np.random.default_rng(0))
        >>> sorted([*train, *test]) == list(range(6))
        True
    """
    if train + test > len(points):
        raise ValueError(f"train: {train} and test: {test} together exceed the {len(points)} points; lower them")
    order = generator.permutation(len(points))
    return points[order[test : test + train]], points[order[:test]]
