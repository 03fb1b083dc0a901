"""Scaling of points: an affine map of every column, fitted to the training points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Scale = Literal["none", "centre", "standardise", "unit", "unit_columns"]


@dataclass(frozen=True, eq=False)
class Scaling:
    r"""Map of points, $y_d = (x_d - a_d)/s_d$.

    Densities change by it: $\log p(x) = \log p(y) - \sum_d \log s_d$.

    Attributes:
        subtracted: $a$, `(D,)`.
        divisor: $s$, `(D,)`.

    Example:
        >>> scaling = Scaling.fitted("standardise", np.array([[0.0, 5.0], [8.0, 5.0]]))
        >>> scaling(np.array([[12.0, 6.0]])), scaling.log_scale
        (array([[2., 1.]]), 1.3862...)
    """

    subtracted: np.ndarray
    divisor: np.ndarray

    @classmethod
    def fitted(cls, scale: Scale, train: np.ndarray) -> Scaling:
        """The scaling of a name, from training points (N, D).

        Constant columns are divided by 1, and so they become 0 where their mean is subtracted.
        """
        subtracted, divisor = _FITS[scale](np.asarray(train, float))
        return cls(subtracted, np.where(divisor > 0, divisor, 1.0))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points (N, D) in the new scale, in float64."""
        return (np.asarray(points, float) - self.subtracted) / self.divisor

    @property
    def log_scale(self) -> float:
        r"""Sum $\sum_d \log s_d$ in nats: subtract it from log-likelihoods to have those of the original values."""
        return float(np.log(self.divisor).sum())

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Both vectors by their name in a data file."""
        return {"subtracted": self.subtracted, "divisor": self.divisor}


_Fit = tuple[np.ndarray, np.ndarray]


def _plain(train: np.ndarray) -> _Fit:
    return np.zeros(train.shape[1]), np.ones(train.shape[1])


def _centred(train: np.ndarray) -> _Fit:
    # The mean of equal values may differ from them in the last digit
    constant = train.min(axis=0) == train.max(axis=0)
    return np.where(constant, train[0], train.mean(axis=0)), np.ones(train.shape[1])


def _standardised(train: np.ndarray) -> _Fit:
    subtracted, _ = _centred(train)
    return subtracted, (train - subtracted).std(axis=0)


def _in_unit_range(train: np.ndarray) -> _Fit:
    low, high = train.min(), train.max()
    return np.full(train.shape[1], low), np.full(train.shape[1], high - low)


def _columns_in_unit_range(train: np.ndarray) -> _Fit:
    low, high = train.min(axis=0), train.max(axis=0)
    return low, high - low


_FITS: dict[Scale, Callable[[np.ndarray], _Fit]] = {
    "none": _plain,
    "centre": _centred,
    "standardise": _standardised,
    "unit": _in_unit_range,
    "unit_columns": _columns_in_unit_range,
}
