"""Active latents of a model, by two conventions, and the order of latents."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from entropy_sums.analysis import statistics

COLLAPSED = 1.0
"""Nats; a latent with at least this mean posterior entropy counts as collapsed in Damm et al. (AISTATS 2023)."""

PRIOR = 0.5 * math.log(2 * math.pi * math.e)
"""Entropy of a standard normal prior in nats, reached by a latent that ignores the data."""

ACTIVE_VARIANCE = 1e-2
"""A latent whose posterior mean varies more than this over the points is active in Burda et al. (ICLR 2016)."""


def active_by_entropy(entropy: xr.DataArray) -> xr.DataArray:
    """Whether each latent is active by its mean posterior entropy; False where there is no latent.

    Example:
        >>> active_by_entropy(xr.DataArray([0.3, 1.4, np.nan], dims="latent")).values
        array([ True, False, False])
    """
    return entropy < COLLAPSED


def active_by_variance(variance: xr.DataArray) -> xr.DataArray:
    """Whether each latent is active by the variance of its posterior mean over points; False where there is no latent.

    Example:
        >>> active_by_variance(xr.DataArray([0.9, 0.001, np.nan], dims="latent")).values
        array([ True, False, False])
    """
    return variance > ACTIVE_VARIANCE


def number(active: xr.DataArray, latent: xr.DataArray) -> xr.DataArray:
    """Number of active latents; NaN for runs and steps without any value.

    Example:
        >>> entropy = xr.DataArray([[0.3, 1.4], [np.nan, np.nan]], dims=("seed", "latent"))
        >>> number(active_by_entropy(entropy), entropy).values
        array([ 1., nan])
    """
    return active.sum("latent").where(latent.notnull().any("latent"))


def ranked(entropy: xr.DataArray, ds: xr.Dataset) -> xr.DataArray:
    """The latents of each run in decreasing order of their final entropy, over `rank` (from 1) instead of `latent`.

    The order of the latents within a model has no meaning; ranked latents can be compared from seed to seed.

    Args:
        entropy: `latent_entropy` of `ds`, at all steps or at some.

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
