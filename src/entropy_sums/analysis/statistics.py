"""Statistics over runs: the end of training, quartile bands, intervals, counts of what is left out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import xarray as xr
from scipy import stats

from entropy_sums.certificates.verdict import THRESHOLD
from entropy_sums.study.tables import MINIMUM_RUNS

LEVEL = 0.95
"""Confidence level of every interval over runs."""

BEYOND = 0.2
"""Share of the outermost spacing by which the interval of five runs is longer than their range at each end. It brings
the coverage from 93.75 % to 95 % where the density is about level near the median (bench/coverage.md)."""

GRAIN = 100
"""Number of parts of the range to which the drawing of an end looks at the runs: rounding changes few intervals."""


def diverged(ds: xr.Dataset) -> xr.DataArray:
    """Whether each run was found diverged, shape (axes).

    Example:
        >>> ds = xr.Dataset({"diverged_at": ("seed", [np.nan, 64.0])})
        >>> diverged(ds).values
        array([False,  True])
    """
    return ds["diverged_at"].notnull()


def planned(ds: xr.Dataset) -> xr.DataArray:
    """Whether the study has each run, shape (axes); other runs belong to combinations that it excludes.

    Example:
        >>> planned(xr.Dataset({"planned": ("seed", [1.0, 0.0, np.nan])})).values
        array([ True, False, False])
    """
    return ds["planned"] > 0


def missing(ds: xr.Dataset) -> xr.DataArray:
    """Whether each run of the study has no record although it did not diverge: it failed or is not yet trained.

    Example:
        >>> ds = xr.Dataset({"diverged_at": ("seed", [np.nan, 0.0]), "elbo": (("seed", "step"), [[np.nan], [np.nan]])})
        >>> missing(ds.assign(planned=("seed", [1.0, 1.0]))).values
        array([ True, False])
    """
    return ds["elbo"].isnull().all("step") & ~diverged(ds) & planned(ds)


def usable(ds: xr.Dataset) -> xr.Dataset:
    """The same runs, with every number of a diverged run replaced by NaN, so that it enters no statistic.

    Example:
        >>> ds = xr.Dataset({"diverged_at": ("seed", [np.nan, 64.0]), "elbo": ("seed", [-3.0, -1e9])})
        >>> usable(ds)["elbo"].values
        array([-3., nan])
    """
    keep = ~diverged(ds)
    if keep.all():
        return ds
    traces = {name: array.where(keep) for name, array in ds.data_vars.items() if array.dtype.kind == "f"}
    return ds.assign(traces)


def final(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Value of `name` at the last step at which the ELBO of each run was recorded; NaN for a missing run.

    Runs may end at different steps. A variable without steps keeps its value. Unit as `name`, shape (axes) and any
    further dimension of `name`.

    Raises:
        KeyError: the file has no variable of this name.

    Example:
        >>> ds = xr.Dataset({"elbo": (("seed", "step"), [[1.0, 2.0, np.nan], [1.0, 2.0, 3.0]])})
        >>> final(ds, "elbo").values
        array([2., 3.])
    """
    recorded = ds["elbo"].notnull()
    if "step" not in ds[name].dims:
        return ds[name].where(recorded.any("step"))
    last = (recorded * np.arange(recorded.sizes["step"])).argmax("step")
    return ds[name].isel(step=last).where(recorded.any("step")).drop_vars("step", errors="ignore")


def at_every_step(ds: xr.Dataset, name: str) -> xr.DataArray:
    """A quantity over `step`; a quantity without steps has the same value at every step.

    Example:
        >>> runs = xr.Dataset({"true_log_likelihood": -1.0}, {"step": [0, 1]})
        >>> at_every_step(runs, "true_log_likelihood").values
        array([-1., -1.])
    """
    return ds[name] if "step" in ds[name].dims else ds[name].expand_dims(step=ds["step"])


def predicted_gap(ds: xr.Dataset) -> xr.DataArray:
    """The gap in nats that the certificates predict for the end of each run, shape (axes).

    It is the gap at a stationary point of the objective; NaN where some factor has no prediction, and for runs that
    ended where the identity does not hold.

    Example:
        >>> values = {"cross_entropy": [[1.0, 2.0]], "stationary_gap": [[0.0, 0.25]]}
        >>> one_step = {name: (("step", "factor"), value) for name, value in values.items()}
        >>> predicted_gap(xr.Dataset({"elbo": ("step", [-3.0]), **one_step})).item()
        0.25
    """
    predicted = ds.assign(predicted=_over_factors(ds, "stationary_gap"))
    return final(predicted, "predicted").where(~fails_here(ds))


def fails_here(ds: xr.Dataset) -> xr.DataArray:
    """Whether the identity of a certificate does not hold at the parameters that each run ended at, shape (axes).

    It is so where the direction has no derivative, as below a floor of a standard deviation.

    Example:
        >>> fails_here(xr.Dataset({"certificate_residual": (("seed", "factor"), [[1e-15, 0.2], [1e-15, np.nan]])}))
        <xarray.DataArray 'certificate_residual' (seed: 2)> Size: 2B
        array([ True, False])
        Dimensions without coordinates: seed
    """
    if "certificate_residual" not in ds:
        return xr.DataArray(False)
    return (ds["certificate_residual"] >= THRESHOLD).any("factor")


def certified(ds: xr.Dataset) -> bool:
    """Whether the model of these runs has a certificate for every factor, also where the runs ended.

    Example:
        >>> values = {"cross_entropy": [[1.0, 2.0]], "directional_derivative": [[0.1, np.nan]]}
        >>> one_step = {name: (("step", "factor"), value) for name, value in values.items()}
        >>> certified(xr.Dataset({"elbo": ("step", [-3.0]), **one_step}))
        False
    """
    known = final(ds.assign(total=_over_factors(ds, "directional_derivative")), "total").notnull()
    return bool(known.any() and not fails_here(ds).any())


def _over_factors(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Sum over the factors of each run; NaN where one of them has no value. Other runs may have further factors."""
    there = ds["cross_entropy"].notnull()
    return ds[name].where(there, 0.0).sum("factor", skipna=False).where(there.any("factor"))


def relative_gap(ds: xr.Dataset) -> xr.DataArray:
    r"""The gap at every step, in percent of the final ELBO of the run.

    $$100 \, |F - E| \, / \, |F_\mathrm{final}|$$

    The relative error of Damm et al. (AISTATS 2023), Fig. 1. It says little where the final ELBO is
    near zero: look at the gap per data dimension beside it.

    Example:
        >>> ds = xr.Dataset({name: (("seed", "step"), [value]) for name, value in
        ...                  {"elbo": [-8.0, -4.0], "gap": [-2.0, 0.1]}.items()})
        >>> relative_gap(ds).values
        array([[50. ,  2.5]])
    """
    return 100 * abs(ds["gap"]) / abs(final(ds, "elbo"))


def band(values: xr.DataArray, dim: str = "seed") -> xr.Dataset:
    """Median and quartiles (`low` 25 %, `high` 75 %) over `dim`, NaN left out; NaN where nothing is left.

    Example:
        >>> band(xr.DataArray([1.0, 2.0, 3.0, np.nan], dims="seed"))["low"].item()
        1.5
    """
    counted = values.notnull().any(dim)
    quartiles = values.where(counted, 0.0).quantile([0.25, 0.5, 0.75], dim).where(counted)
    names = ("low", "median", "high")
    return xr.Dataset({name: quartiles.isel(quantile=k, drop=True) for k, name in enumerate(names)})


def interval(values: xr.DataArray, dim: str = "seed") -> xr.Dataset:
    r"""The median over runs with a 95 % interval between order statistics, for any continuous distribution.

    NaN are left out. The result has `estimate`, `low`, `high` (unit of the values) and `runs`, the number of values
    used. Without a value the estimate is NaN; with fewer than `MINIMUM_RUNS`, or an infinite one, the interval is NaN.

    The interval from the (a+1)-th smallest to the (b+1)-th largest of n runs covers the median with probability
    $1 - P(B \le a) - P(B \le b)$, where $B$ is binomial with n and ½. For few runs no a and b give 95 %. Therefore
    one of two neighbours is drawn, with odds that give 95 % exactly; one end of the shorter one is cut by a run more.
    The draw is a function of the runs and no other numbers: their order, scale and sign do not matter.
    Five runs have no such interval, since their range covers 93.75 %. It is extended at both ends by `BEYOND` times the
    outermost spacing. That covers 95 %, but where two modes lie far apart 93.75 % only.
    Interpolation between order statistics (Hettmansperger and Sheather 1986) needs no draw, but covers only 88 to 97 %
    where runs end in two modes.

    Source: Zieliński and Zieliński, Best exact nonparametric confidence intervals for quantiles, Statistics 39 (2005).

    Example:
        >>> result = interval(xr.DataArray([1.0, 2.0, 4.0, 7.0, np.nan, 9.0], dims="seed"))
        >>> [round(result[name].item(), 9) for name in ("estimate", "low", "high", "runs")]
        [4.0, 0.8, 9.4, 5]
    """
    return _over_runs(values, np.median, _order_statistics, dim)


def interval_of_mean(values: xr.DataArray, dim: str = "seed") -> xr.Dataset:
    """The mean over runs with its 95 % interval by Student's t; otherwise as `interval`.

    Example:
        >>> result = interval_of_mean(xr.DataArray([1.0, 2.0, 3.0, 4.0, 5.0], dims="seed"))
        >>> [round(result[name].item(), 3) for name in ("estimate", "low", "high")]
        [3.0, 1.037, 4.963]
    """
    return _over_runs(values, np.mean, _student, dim)


def single(values: xr.DataArray, dim: str = "seed") -> xr.DataArray:
    """The runs themselves where they are too few for an interval; NaN elsewhere.

    Example:
        >>> single(xr.DataArray([1.0, np.nan, 2.0], dims="seed")).values
        array([ 1., nan,  2.])
        >>> single(xr.DataArray([1.0, 2.0, 3.0, 4.0, 5.0], dims="seed")).notnull().any().item()
        False
    """
    return values.where(values.notnull().sum(dim) < MINIMUM_RUNS)


def _over_runs(
    values: xr.DataArray,
    statistic: Callable[[np.ndarray], np.floating],
    limits: Callable[[np.ndarray], tuple[float, float]],
    dim: str,
) -> xr.Dataset:
    def one(row: np.ndarray) -> tuple[float, float, float, int]:
        row = row[~np.isnan(row)]
        enough = row.size >= MINIMUM_RUNS and np.isfinite(row).all()
        low, high = limits(np.sort(row)) if enough else (np.nan, np.nan)
        return (float(statistic(row)) if row.size else np.nan), low, high, row.size

    columns = xr.apply_ufunc(one, values, input_core_dims=[[dim]], output_core_dims=[[]] * 4, vectorize=True)
    return xr.Dataset(dict(zip(("estimate", "low", "high", "runs"), columns, strict=True)))


def _student(row: np.ndarray) -> tuple[float, float]:
    half = stats.t.ppf((1 + LEVEL) / 2, row.size - 1) * row.std(ddof=1) / row.size**0.5
    return float(row.mean() - half), float(row.mean() + half)


def _order_statistics(row: np.ndarray) -> tuple[float, float]:
    """Limits of the interval for the median of sorted runs."""
    if row[0] == row[-1]:
        return float(row[0]), float(row[0])
    if row.size == MINIMUM_RUNS:
        return float(row[0] - BEYOND * (row[1] - row[0])), float(row[-1] + BEYOND * (row[-1] - row[-2]))
    length, mirrored = _drawn(row)
    wide, chance = _cut(row.size)
    cut = wide + (length >= chance)
    ends = (cut // 2, cut - cut // 2)
    low, high = ends[::-1] if mirrored else ends
    return float(row[low]), float(row[row.size - 1 - high])


@cache
def _cut(runs: int) -> tuple[int, float]:
    """Number of runs that the longer of two neighbouring intervals leaves out, and its chance to be drawn.

    Example:
        >>> cut, chance = _cut(8)
        >>> cut, round(chance, 3)
        (1, 0.65)
    """
    below = stats.binom(runs, 0.5).cdf
    covered = [1 - below(cut // 2) - below(cut - cut // 2) for cut in range(runs - 1)]
    wide = max(cut for cut, share in enumerate(covered) if share >= LEVEL)
    return wide, float((LEVEL - covered[wide + 1]) / (covered[wide] - covered[wide + 1]))


def _drawn(row: np.ndarray) -> tuple[float, bool]:
    """A number in [0, 1) and a coin, functions of the pattern of sorted runs; its mirror image flips the coin."""
    places = np.rint(GRAIN * (row - row[0]) / (row[-1] - row[0])).astype(int).tolist()
    mirror = [GRAIN - place for place in reversed(places)]
    number, coin = np.random.default_rng(min(places, mirror)).random(2)
    return float(number), bool((coin < 0.5) != (mirror < places))
