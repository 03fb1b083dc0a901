"""Which latents a model uses, by two conventions, and their order."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from entropy_sums.analysis import statistics

COLLAPSED = 1.0
"""Nats; a latent of at least this mean posterior entropy counts as collapsed in Damm et al. (AISTATS 2023)."""

PRIOR = 0.5 * math.log(2 * math.pi * math.e)
"""Nats; entropy of a standard normal prior, reached by a latent that ignores the data."""

ACTIVE_VARIANCE = 1e-2
"""A latent whose posterior mean varies more than this over the points is active in Burda et al. (ICLR 2016)."""


def active_by_entropy(entropy: xr.DataArray) -> xr.DataArray:
    """Whether each latent is active by its mean posterior entropy; not where there is no latent.

    Example:
        >>> active_by_entropy(xr.DataArray([0.3, 1.4, np.nan], dims="latent")).values
        array([ True, False, False])
    """
    return entropy < COLLAPSED


def active_by_variance(variance: xr.DataArray) -> xr.DataArray:
    """Whether each latent is active by the variance over points of its posterior mean; not where there is no latent.

    Example:
        >>> active_by_variance(xr.DataArray([0.9, 0.001, np.nan], dims="latent")).values
        array([ True, False, False])
    """
    return variance > ACTIVE_VARIANCE


def number(active: xr.DataArray, latent: xr.DataArray) -> xr.DataArray:
    """How many latents are active; NaN for runs and steps without any number.

    Example:
        >>> entropy = xr.DataArray([[0.3, 1.4], [np.nan, np.nan]], dims=("seed", "latent"))
        >>> number(active_by_entropy(entropy), entropy).values
        array([ 1., nan])
    """
    return active.sum("latent").where(latent.notnull().any("latent"))


def ranked(entropy: xr.DataArray, ds: xr.Dataset) -> xr.DataArray:
    """The latents of each run in decreasing order of their entropy at the end, over `rank` (from 1) for `latent`.

    The order of the latents within a model means nothing; ranked they can be compared from seed to seed.

    Args:
        entropy: `latent_entropy` of `ds`, of all steps or of some.

    Example:
        >>> ds = xr.Dataset({"elbo": (("seed", "step"), [[-2.0, -1.0]]),
        ...                  "latent_entropy": (("seed", "step", "latent"), [[[1.4, 1.3], [0.2, 1.1]]])})
        >>> ranked(ds["latent_entropy"], ds).values.tolist()
        [[[1.3, 1.4], [1.1, 0.2]]]
    """
    end = statistics.final(ds, "latent_entropy")
    # numpy sorts NaN, the latents beyond the latent size of the run, to the end
    order = xr.apply_ufunc(np.argsort, -end, input_core_dims=[["latent"]], output_core_dims=[["rank"]])
    ordered = entropy.isel(latent=order).assign_coords(rank=np.arange(1, order.sizes["rank"] + 1))
    return ordered.transpose(*(d for d in (*entropy.dims, "rank") if d != "latent"))
