"""The table of model selection in a stream."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd
import xarray as xr

from entropy_sums.analysis import cells, streams
from entropy_sums.tables.words import numbers

SELECTION = {
    "segment": "segment of the data, from 1",
    "latent_dim": "latent size of the model",
    "runs": "runs that the statistics rest on",
    "elbo": "ELBO of a minibatch, nats per data point",
    "entropy_sum": "sum of entropies of a minibatch, nats per data point",
    "bic_elbo": "BIC of a minibatch by its ELBO, nats per batch",
    "bic_entropy_sum": "BIC of a minibatch by its entropy sum, nats per batch",
    "relative_gap": "absolute difference of the mean ELBO and entropy sum in percent of the absolute ELBO",
    "std_ratio": "standard deviation of the ELBO divided by that of the entropy sum",
    "lowest": "whether this latent size has the lowest BIC of the segment: by ELBO, entropy sum, both or neither",
}
"""Columns of the table of model selection: means over the last minibatches of the segment, medians over runs with
`…_low`, `…_high`, its 95 % bootstrap interval, and `…_std`, the median of the standard deviations over these
minibatches."""

LOWEST = {(): "neither", ("elbo",): "elbo", ("entropy_sum",): "entropy_sum", streams.ESTIMATES: "both"}


def selection_table(tree: xr.DataTree) -> pd.DataFrame:
    """Model selection in data in segments, a row per cell, segment and latent size; columns as in `SELECTION`.

    No rows where there are no such data. Source: Damm et al. (AISTATS 2023).

    Example:
        >>> table = selection_table(streamed)
        >>> table.loc[table["lowest"] == "both", ["segment", "latent_dim"]].values.tolist()
        [[1, 6], [2, 2], [3, 4]]
    """
    rows: list[dict[str, Any]] = []
    for dataset in cells.datasets(tree):
        for model, cell, runs, found in streams.walk(cells.narrow(tree, dataset)):
            segments = streams.segments(runs, found)
            lowest = streams.lowest(segments)
            axes = [segments[name].values.tolist() for name in ("segment", "latent_dim")]
            for segment, size in product(*axes):
                place = {"segment": segment, "latent_dim": size}
                own = segments["elbo"].sel(place).notnull().sum().item()
                by = tuple(name for name in streams.ESTIMATES if lowest[name].sel(segment=segment) == size)
                row = {"model": model, "dataset": dataset, **cell, **place, "runs": own}
                rows.append(row | numbers(segments.sel(place), SELECTION) | {"lowest": LOWEST[by]})
    return pd.DataFrame(rows, columns=None if rows else ["model", "dataset", *SELECTION])
