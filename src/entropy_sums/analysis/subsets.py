"""Estimates of ELBO and entropy sum from few held-out points: their terms and standard deviations."""

from __future__ import annotations

import xarray as xr

QUANTITIES = ("elbo", "entropy_sum")

PRIOR = "prior"

ROUNDING = 1e-9
"""Relative rounding error: estimates that differ by less are equal, but summed in another order."""


def recorded(ds: xr.Dataset) -> bool:
    """Whether any of these runs has estimates from subsets.

    Example:
        >>> recorded(xr.Dataset({"elbo": ("seed", [-1.0])}))
        False
    """
    return "subset_elbo" in ds and bool(ds["subset_elbo"].notnull().any())


def terms(ds: xr.Dataset) -> xr.Dataset:
    """Every estimate and the terms that add up to it, in nats per data point, over `subset` and `estimate`.

    `elbo` = `negative_kl` + `expected_log_observation` and `entropy_sum` = `posterior_minus_prior` +
    `negative_observation_entropy`, where all factors but the prior count as observation; the terms are NaN for models
    without a factor called prior.

    Source: Damm et al. (AISTATS 2023), table 1.

    Example:
        >>> parts = terms(tree["vae1"].to_dataset())
        >>> rest = parts["elbo"] - parts["negative_kl"] - parts["expected_log_observation"]
        >>> bool(abs(rest).max() < 1e-12)
        True
    """
    own = {name: ds[f"subset_{name}"] for name in (*QUANTITIES, "posterior_entropy", "cross_entropy", "entropy")}
    found = {name: own[name] for name in QUANTITIES}
    others = [name for name in ds["factor"].values.tolist() if name != PRIOR]
    named = {"cross_entropy": ("negative_kl", "expected_log_observation")}
    named["entropy"] = ("posterior_minus_prior", "negative_observation_entropy")
    for kind, (prior, rest) in named.items():
        first = own[kind].reindex(factor=[PRIOR]).isel(factor=0, drop=True)
        found[prior] = own["posterior_entropy"] - first
        found[rest] = -own[kind].sel(factor=others).sum("factor").where(first.notnull())
    return xr.Dataset(found)


def estimates(ds: xr.Dataset) -> xr.Dataset:
    """All estimates of ELBO and entropy sum, in nats per data point, over `subset` and `estimate`.

    Example:
        >>> found = standard_deviation(estimates(tree["vae1"].to_dataset()))
        >>> bool((found["elbo"] > found["entropy_sum"]).mean() > 0.9)
        True
    """
    return xr.Dataset({name: ds[f"subset_{name}"] for name in QUANTITIES})


def standard_deviation(estimates: xr.Dataset) -> xr.Dataset:
    """Standard deviation over `estimate`, exactly 0 where no more than rounding is left.

    Example:
        >>> standard_deviation(xr.Dataset({"elbo": ("estimate", [-1.0, -1.0 - 1e-15])}))["elbo"].item()
        0.0
    """
    found = estimates.std("estimate", ddof=1, skipna=False)
    return found.where(~(found < ROUNDING * abs(estimates.mean("estimate"))), 0.0)
