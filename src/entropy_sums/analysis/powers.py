"""Power laws of a study: gap and ELBO distance as functions of the gradient, of each other, or of a setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from entropy_sums.analysis import statistics

POINTS = 3
"""Least number of points for a power law: a line through fewer says nothing about a law."""

GAP_NOISE, DISTANCE_NOISE = 2, 3
"""Number of standard errors below which a median gap, or ELBO distance, is noise of the measurement. The distance needs
more, because the final ELBO from which it is measured is itself an estimate."""

NEAR = 0.1
"""Nats per data dimension: laws of stationary points are fitted where the ELBO is nearer to its final value."""


RESAMPLES = 9999


class Measured(NamedTuple):
    """Values over seeds, and their noise floor for medians over seeds (a number, or an array without seeds)."""

    values: xr.DataArray
    floor: xr.DataArray | float = 0.0


def points(x: Measured, y: Measured) -> xr.Dataset:
    """Medians over seeds of `x` and `y`, and whether both are `clear` of their floors.

    Example:
        >>> x, y = (xr.DataArray([value], dims=("seed", "step")) for value in ([1.0, 10.0], [0.1, 2.0]))
        >>> points(Measured(x), Measured(y, floor=0.5))["clear"].values
        array([False,  True])
    """
    medians = {name: measured.values.median("seed") for name, measured in (("x", x), ("y", y))}
    return xr.Dataset(medians | {"clear": (medians["x"] > x.floor) & (medians["y"] > y.floor)})


def law(x: Measured, y: Measured) -> xr.Dataset:
    r"""The power law $y = c\,x^b$ that the `points` follow: least squares of log y on log x.

    A single run scatters about its law in x as well as in y, which makes slopes of single runs too small; medians over
    seeds scatter less. Points within the noise are left out, and so are runs that lack a value at one of the other
    points. The 95 % interval comes from resampling the seeds. Percentiles of 2.5 and 97.5 % cover too little for few
    runs: its own lie further out, where they make the interval of a mean as long as Student's t does.

    Args:
        x, y: shape (seed, any other dimension), the same for both.

    Returns:
        The exponent b as `estimate`, its interval `low`, `high` (NaN with fewer than `statistics.MINIMUM_RUNS` runs),
        and the number of `runs`; the `factor` c; the number of `points` that were used and the number `left_out`. NaN
        with fewer than `POINTS` points, or all at one x.

    Source of the percentiles: Hesterberg, What teachers should know about the bootstrap (Am. Statistician 69, 2015).

    Example:
        >>> x = xr.DataArray([[1.0, 10.0, 100.0]] * 5, dims=("seed", "step"))
        >>> found = law(Measured(x), Measured(3 * x**2))
        >>> [round(found[name].item(), 12) for name in ("estimate", "low", "high", "factor", "points")]
        [2.0, 2.0, 2.0, 3.0, 3]
    """
    medians = points(x, y)
    (dim,) = medians["clear"].dims
    kept = np.flatnonzero(medians["clear"].values)
    rows = [m.values.transpose("seed", dim).values[:, kept] for m in (x, y)]
    floors = [(xr.zeros_like(medians["x"]) + m.floor).values[kept] for m in (x, y)]
    whole = np.isfinite(rows[0] + rows[1]).all(1)
    number, left_out = kept.size, int((medians["y"].notnull() & ~medians["clear"]).sum())
    counts = {"points": number, "left_out": left_out, "runs": int(whole.sum())}
    if number < POINTS or not whole.any() or np.ptp(medians["x"].values[kept]) == 0:
        return xr.Dataset(dict.fromkeys(("estimate", "low", "high", "factor"), np.nan) | counts)

    def logarithms(seeds: np.ndarray) -> Iterator[np.ndarray]:
        for values, floor in zip(rows, floors, strict=True):
            # The median of some resampled runs is within the noise: it then counts as the floor
            lowest = np.maximum(floor, np.finfo(float).tiny)
            yield np.log(np.maximum(np.median(values[whole][seeds], axis=-2), lowest))

    def exponent(seeds: np.ndarray, axis: int = -1) -> np.ndarray:
        log_x, log_y = logarithms(seeds)
        off = log_x - log_x.mean(-1, keepdims=True)
        return np.asarray((off * log_y).sum(-1) / (off**2).sum(-1))

    seeds = np.arange(whole.sum())
    log_x, log_y = logarithms(seeds)
    estimate = exponent(seeds).item()
    low, high = _resampled(exponent, seeds)
    factor = np.exp(log_y.mean() - estimate * log_x.mean())
    return xr.Dataset({"estimate": estimate, "low": low, "high": high, "factor": factor} | counts)


def _resampled(statistic: Callable[..., np.ndarray], seeds: np.ndarray) -> tuple[float, float]:
    """Percentile interval of a statistic of runs, resampled by their seeds; NaN for too few of them."""
    if seeds.size < statistics.MINIMUM_RUNS:
        return np.nan, np.nan
    outer = stats.t.ppf((1 + statistics.LEVEL) / 2, seeds.size - 1) * (seeds.size / (seeds.size - 1)) ** 0.5
    limits = stats.bootstrap(
        (seeds,),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=2 * float(stats.norm.cdf(outer)) - 1,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(limits.low), float(limits.high)


def gradient(ds: xr.Dataset) -> Measured:
    """Norm of the gradient of the ELBO in nats per unit of parameter; its own noise was not recorded.

    Example:
        >>> gradient(xr.Dataset({"gradient_norm": ("seed", [2.0])})).floor
        0.0
    """
    return Measured(ds["gradient_norm"])


def gap(ds: xr.Dataset) -> Measured:
    """Absolute gap |gap| in nats.

    Example:
        >>> ds = xr.Dataset({name: (("seed", "step"), [value]) for name, value in
        ...                  {"gap": [-0.5, 0.01], "gap_standard_error": [0.1, 0.1]}.items()})
        >>> gap(ds).values.values, gap(ds).floor.values
        (array([[0.5 , 0.01]]), array([0.2, 0.2]))
    """
    return Measured(abs(ds["gap"]), GAP_NOISE * ds["gap_standard_error"].median("seed"))


def distance(ds: xr.Dataset) -> Measured:
    """Distance in nats of the ELBO to the final ELBO of the run.

    The final ELBO stands for its limit, so that the distance is too small close to the end; its floor excludes these
    steps.

    Example:
        >>> ds = xr.Dataset({name: (("seed", "step"), [value]) for name, value in
        ...                  {"elbo": [-3.0, -1.0], "elbo_standard_error": [0.4, 0.3]}.items()})
        >>> distance(ds).values.values, distance(ds).floor.values.round(2)
        (array([[2., 0.]]), array([1.5 , 1.27]))
    """
    error = xr.ufuncs.hypot(ds["elbo_standard_error"], statistics.final(ds, "elbo_standard_error"))
    return Measured(statistics.final(ds, "elbo") - ds["elbo"], DISTANCE_NOISE * error.median("seed"))


def settled(ds: xr.Dataset) -> xr.Dataset:
    """The late part of the runs, in which the median ELBO stays within `NEAR` of its final value.

    Example:
        >>> ds = xr.Dataset({"elbo": (("seed", "step"), [[-9.0, -1.05, -5.0, -1.05, -1.0]]),
        ...                  "observed_dim": ("seed", [1.0])})
        >>> settled(ds)["elbo"].values
        array([[-1.05, -1.  ]])
    """
    far = (statistics.final(ds, "elbo") - ds["elbo"]).median("seed") > NEAR * ds["observed_dim"].median("seed")
    return ds.isel(step=slice(int(np.flatnonzero(far.values).max(initial=-1)) + 1, None))
