"""Statistics over runs: the end of training, quartile bands, bootstrap intervals, counts of what is left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy import stats

from entropy_sums.certificates.verdict import THRESHOLD

MINIMUM_RUNS = 3
"""Least number of runs for a bootstrap interval: two runs would give their range and call it 95 %."""

RESAMPLES = 9999

Statistic = Callable[..., np.ndarray]


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


def interval(
    values: xr.DataArray, statistic: Statistic = np.median, *, level: float = 0.95, seed: int = 0, dim: str = "seed"
) -> xr.Dataset:
    """A statistic over runs with its percentile bootstrap interval.

    NaN are left out. The result has `estimate`, `low`, `high` (unit of the values) and `runs`, the number
    of values used. With none of them the estimate is NaN; with fewer than `MINIMUM_RUNS` the interval is NaN.
    An interval for the median that spans all n runs still covers it only with probability 1 − 2^(1−n):
    with fewer than six runs it is narrower than its level says.

    Args:
        values: one number per run along `dim`.
        statistic: reduces one axis, as `numpy.median` and `numpy.mean` do.
        level: confidence level of the interval.
        seed: every cell is resampled by a generator of its own with this seed, so that the interval
            of a cell does not depend on which other cells there are.

    Source: Agarwal et al. (NeurIPS 2021) on intervals over few runs; computed by `scipy.stats.bootstrap`.

    Example:
        >>> result = interval(xr.DataArray([1.0, 2.0, np.nan], dims="seed"))
        >>> result["estimate"].item(), result["low"].item(), result["runs"].item()
        (1.5, nan, 2)
    """

    def one(row: np.ndarray) -> tuple[float, float, float, int]:
        row = row[~np.isnan(row)]
        if row.size < MINIMUM_RUNS:
            return (float(statistic(row)) if row.size else np.nan), np.nan, np.nan, row.size
        limits = stats.bootstrap(
            (row,),
            statistic,
            n_resamples=RESAMPLES,
            confidence_level=level,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        return float(statistic(row)), limits.low, limits.high, row.size

    columns = xr.apply_ufunc(one, values, input_core_dims=[[dim]], output_core_dims=[[]] * 4, vectorize=True)
    return xr.Dataset(dict(zip(("estimate", "low", "high", "runs"), columns, strict=True)))
