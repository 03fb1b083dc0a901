"""Verdict on the gap of a cell at the end of training: closed within noise, not yet closed, or one that stays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from entropy_sums.analysis import statistics

LIMIT = 2.0
"""Number of standard errors from which on a mean gap is told from zero."""

RESOLUTION = 1e-6
"""Gap relative to the ELBO below which it is closed whatever its standard error: a few roundings of float32."""


@dataclass(frozen=True)
class Closure:
    r"""The mean gap of the runs of a cell beside its Monte Carlo noise.

    $$\bar g = \tfrac1R \sum_r g_r, \qquad s = \tfrac1R \sqrt{\textstyle\sum_r s_r^2}, \qquad z = \bar g / s$$

    Attributes:
        mean: mean gap $\bar g$ over runs, in nats; NaN without runs.
        error: Monte Carlo standard error $s$ of it, in nats.
        predicted: mean gap that the certificates predict, in nats, over the runs for which they do; NaN where there is
            no prediction for any, None where traces do not record any.
        scale: mean absolute final ELBO, in nats.
    """

    mean: float
    error: float
    predicted: float | None
    scale: float

    @property
    def z(self) -> float:
        """Mean gap in standard errors; infinite for a gap without noise."""
        return self.mean / self.error if self.error else math.copysign(math.inf, self.mean)

    @property
    def noise(self) -> float:
        """Largest distance from zero, in nats, at which a mean gap cannot be told from it; NaN for an unknown error."""
        return max(LIMIT * self.error, RESOLUTION * self.scale) if math.isfinite(self.error) else math.nan

    @property
    def closed(self) -> bool:
        """Whether the mean gap cannot be told from zero."""
        return abs(self.mean) <= self.noise

    @property
    def stays(self) -> bool:
        """Whether no identity closes the gap: a certificate is missing, or predicts a gap that is not zero."""
        if self.predicted is None:
            return False
        return math.isnan(self.predicted) or abs(self.predicted) > self.noise

    def __str__(self) -> str:
        """The verdict in words.

        Example:
            >>> print(Closure(0.001, 0.002, 0.0, 9.0), Closure(-0.02, 0.002, 0.0, 9.0), sep="; ")
            closed within noise; not yet (-0.02 nats, z = -10)
            >>> print(Closure(3.7, 0.01, math.nan, 9.0), Closure(3.7, 0.01, None, 9.0), sep="; ")
            stays (3.7 nats); not closed (3.7 nats, z = 3.7e+02)
        """
        if math.isnan(self.mean):
            return "–"
        if self.closed:
            return "closed within noise"
        if math.isnan(self.noise):
            return f"cannot be told ({self.mean:.2g} nats, of unknown error)"
        if self.stays:
            return f"stays ({self.mean:.2g} nats)"
        # Without certificates nobody knows whether it will close
        return f"{'not closed' if self.predicted is None else 'not yet'} ({self.mean:.2g} nats, z = {self.z:.2g})"


def of(runs: xr.Dataset) -> Closure:
    """Closure of the runs of a cell, without those that diverged.

    Example:
        >>> from entropy_sums.analysis import cells
        >>> of(cells.select(tree["vae0"].to_dataset(), {"dataset": "digits", "latent_dim": 2})).closed
        False
    """
    kept = statistics.usable(runs)
    gaps, errors, elbos = (statistics.final(kept, name).values for name in ("gap", "gap_standard_error", "elbo"))
    there = ~np.isnan(gaps)
    if not there.any():
        return Closure(math.nan, math.nan, None, math.nan)
    predicted = None
    if "stationary_gap" in kept:
        predictions = statistics.predicted_gap(kept).values[there]
        known = predictions[~np.isnan(predictions)]
        predicted = float(known.mean()) if known.size else math.nan
    error = float(np.sqrt(np.square(errors[there]).sum()) / there.sum())
    return Closure(float(gaps[there].mean()), error, predicted, float(abs(elbos[there]).mean()))


def floor(runs: xr.Dataset) -> xr.DataArray:
    r"""Noise floor of the relative error: its median over runs where every gap is exactly zero.

    $$100\, \Phi^{-1}(3/4)\, s_r \, / \, |F_\mathrm{final}|$$ at every step, in percent, median over runs.

    Example:
        >>> from entropy_sums.analysis import cells
        >>> runs = cells.select(tree["vae1"].to_dataset(), {"dataset": "digits", "latent_dim": 2})
        >>> floor(runs).dims
        ('step',)
    """
    kept = statistics.usable(runs)
    return (100 * MEDIAN * kept["gap_standard_error"] / abs(statistics.final(kept, "elbo"))).median("seed")


MEDIAN = 0.6744897501960817
"""Median of the absolute value of a standard normal number."""
