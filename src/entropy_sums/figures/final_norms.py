"""Parameter norm at the end of training against the ELBO."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.figures import captions, style


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A point per run."""
    figure = Figure(figsize=(style.COLUMN_WIDTH, 2.4), layout="constrained")
    ax = figure.subplots()
    for model in cells.models(tree):
        runs = tree[model].to_dataset()
        ax.plot(runs["parameter_norm"].values.ravel(), statistics.final(runs, "elbo").values.ravel(), "o", label=names.readable(model))
    ax.set(xlabel="norm of the parameters", ylabel="ELBO (nats)")
    ax.legend()
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs."""
    return captions.compose(tree, "ELBO against the norm of all parameters at the end of training.")
