"""The table of estimates from few held-out points."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr

from entropy_sums.analysis import cells, statistics, subsets
from entropy_sums.tables.words import numbers

SUBSETS = {
    "runs": "runs that the statistics rest on",
    "subset": "number of held-out points of an estimate",
    "entropy_sum": "sum of entropies, nats per data point",
    "elbo": "ELBO, nats per data point",
    "posterior_minus_prior": "entropy of the posterior minus that of the prior, nats per data point",
    "negative_kl": "negative KL divergence of the posterior from the prior, nats per data point",
    "negative_observation_entropy": "negative entropy of the observation, nats per data point",
    "expected_log_observation": "expected log-probability of the observation, nats per data point",
}
"""Columns of the table of estimates from few held-out points: the mean over the estimates of a run, median over runs
with `…_low`, `…_high`, its 95 % bootstrap interval, and `…_std`, the median of their standard deviations."""


def subsets_table(tree: xr.DataTree) -> pd.DataFrame:
    """Estimates from few held-out points, a row per cell and number of points; columns as in `SUBSETS`.

    No rows where no run has any. Source: Damm et al. (AISTATS 2023), table 1.

    Example:
        >>> table = subsets_table(tree)
        >>> table.loc[:1, ["model", "dataset", "latent_dim", "subset"]]
               model dataset  latent_dim  subset
        0  linearvae     pca           2      10
        1  linearvae     pca           2     100
    """
    rows: list[dict[str, Any]] = []
    for model, cell, runs in cells.walk(tree):
        kept = statistics.usable(runs)
        if subsets.recorded(kept):
            terms = subsets.terms(kept)
            spreads = subsets.deviation(terms).rename({name: f"{name}_std" for name in terms})
            moments = xr.merge([terms.mean("estimate"), spreads])
            number = int(statistics.final(kept, "elbo").notnull().sum())
            rows += [
                {"model": model, **cell, "runs": number, "subset": size} | numbers(moments.sel(subset=size), SUBSETS)
                for size in moments["subset"].values.tolist()
            ]
    return pd.DataFrame(rows, columns=None if rows else ["model", "dataset", *SUBSETS])
