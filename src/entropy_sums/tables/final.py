"""The table of final numbers: ELBO, entropy sum, gap and likelihoods of every cell."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.tables.words import with_interval

QUANTITIES = {
    "elbo": "ELBO on the training set, nats per data point",
    "heldout_elbo": "ELBO on held-out data, nats per data point",
    "entropy_sum": "sum of entropies on the training set, nats per data point",
    "gap": "ELBO minus entropy sum on the training set, nats per data point",
    "gap_per_dimension": "gap divided by the number of data dimensions, nats",
    "relative_gap": "absolute gap in percent of the absolute final ELBO",
    "gradient_norm": "Euclidean norm of the gradient of the full-batch ELBO, nats per unit of parameter",
}
"""Quantities with an interval: the median over runs, and `…_low`, `…_high`, its 95 % bootstrap interval."""

LIKELIHOODS = {
    "log_likelihood": "log-likelihood of the training set, nats per data point",
    "heldout_log_likelihood": "log-likelihood of held-out data, nats per data point",
}
"""Exact, or else a bound or an estimate, as the column `likelihood_by` says; with an interval as the quantities above,
of annealing the medians over runs of the lower limit of reverse and the upper limit of forward annealing."""

COLUMNS = {
    "model": "model, as its group in traces.nc",
    "dataset": "dataset",
    "runs": "runs that the statistics rest on",
    "diverged": "runs left out because they diverged",
    "missing": "runs that failed or are not there",
    **QUANTITIES,
    "gap_standard_error": "median Monte Carlo standard error of the gap of one run, nats per data point",
    **LIKELIHOODS,
    "likelihood_by": "how the log-likelihood was found: exact, importance-weighted bound or forward AIS",
    "true_log_likelihood": "log-likelihood of the training set under what it was drawn from, nats per data point",
    "certified": "whether every factor of the model has a certificate (yes, no), where traces record them",
    "predicted_gap": "median gap that the certificates predict for the end, nats per data point, where they do",
}
"""What each column holds and its unit; columns beside these are axes of the study."""


def final_table(tree: xr.DataTree) -> pd.DataFrame:
    """One row per model, dataset and combination of the other axes but the seed; columns as in `COLUMNS`.

    Diverged runs are counted and left out. Medians of no run and intervals of fewer than
    `statistics.MINIMUM_RUNS` runs are NaN.

    Example:
        >>> frame = final_table(tree)
        >>> frame.loc[:1, ["model", "dataset", "latent_dim", "runs", "diverged"]]
               model dataset  latent_dim  runs  diverged
        0  linearvae     pca           2     7         1
        1  linearvae     pca           4     8         0
    """
    return pd.DataFrame([_row(model, cell, runs) for model, cell, runs in cells.walk(tree.load())])


def _row(model: str, cell: cells.Cell, runs: xr.Dataset) -> dict[str, Any]:
    kept = statistics.usable(runs)
    kept = kept.assign(gap_per_dimension=kept["gap"] / kept["observed_dim"], relative_gap=statistics.relative_gap(kept))
    row: dict[str, Any] = {"model": model} | cell
    row["runs"] = int(statistics.final(kept, "elbo").notnull().sum())
    row["diverged"] = int(statistics.diverged(runs).sum())
    row["missing"] = int(statistics.missing(runs).sum())
    for name in QUANTITIES:
        row |= with_interval(name, statistics.final(kept, name))
    row |= _likelihoods(kept)
    if "true_log_likelihood" in runs and row["runs"]:
        row["true_log_likelihood"] = kept["true_log_likelihood"].median("seed").item()
    errors = statistics.final(kept, "gap_standard_error")
    row["gap_standard_error"] = statistics.band(errors)["median"].item()
    if "stationary_gap" in runs and row["runs"]:
        row["certified"] = "yes" if statistics.certified(kept) else "no"
        row["predicted_gap"] = statistics.predicted_gap(kept).median("seed").item()
    return row


def _likelihoods(runs: xr.Dataset) -> dict[str, Any]:
    """What these runs have, the exact one before the bound, and the bound before annealing."""
    row: dict[str, Any] = {}
    there = [name for name in runs if runs[name].notnull().any()]
    for name in LIKELIHOODS:
        prefix = name.removesuffix("log_likelihood")
        bound, forward, reverse = (f"{prefix}{e}" for e in ("importance_weighted_bound", "forward_ais", "reverse_ais"))
        if name in there:
            row |= with_interval(name, statistics.final(runs, name)) | {"likelihood_by": "exact"}
        elif bound in there:
            row |= with_interval(name, runs[bound]) | {"likelihood_by": names.readable("importance_weighted_bound")}
        elif forward in there:
            ends = {"": forward, "_low": f"{reverse}_low", "_high": f"{forward}_high"}
            row |= {f"{name}{end}": runs[each].median("seed").item() for end, each in ends.items()}
            row["likelihood_by"] = names.readable("forward_ais")
    return row
