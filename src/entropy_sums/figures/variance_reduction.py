"""Standard deviation of entropy sum and ELBO, estimated from few points."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from entropy_sums.analysis import cells, names, statistics, subsets
from entropy_sums.figures import captions, layout, style


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A column per model, a row per combination of facet axes: standard deviation against the number of points.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> len(draw(cells.narrow(tree, "pca")).axes)
        8
    """
    figure, grid, panels = layout.per_model(tree, 1.25, subsets.recorded, sharex="all", sharey="all")
    for ax, runs in panels:
        _lines(ax, runs)
    for ax in grid[:, 0]:
        ax.set_ylabel("std. dev. (nats)")
    # Whole decades: within one there would be no label, or too many
    exponents = np.log10(grid[0, 0].get_ylim())
    grid[0, 0].set_ylim(10 ** np.floor(exponents[0]), 10 ** np.ceil(exponents[1]))
    figure.supxlabel("held-out points per estimate", fontsize="medium")
    colors = {name: style.QUANTITIES[name] for name in subsets.QUANTITIES}
    layout.legend(
        figure,
        [
            *(Line2D([], [], color=c, marker="o", markersize=3, label=names.readable(n)) for n, c in colors.items()),
            Line2D([], [], label="slope −½", **style.GUIDE),
        ],
    )
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:64]
        'Standard deviation of estimates of ELBO and entropy sum on PCA f'
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        f"Standard deviation of estimates of ELBO and entropy sum on {names.readable(dataset)} from random subsets of "
        "the held-out points at the end of training (nats per data point).",
        "Lines: median over seeds; bands: 25 to 75 %. Dashed: decrease with the square root of the number of points, "
        "starting at the ELBO of the smallest subsets. Subsets with most of the held-out points vary less. An entropy "
        "sum whose variances are the same for all points, as in a linear VAE, does not vary.",
        captions.facets(tree, "Rows"),
    )


def _lines(ax: Axes, ds: xr.Dataset) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter(NullFormatter())
    if not subsets.recorded(ds):
        style.say(ax, "no estimates\nfrom subsets")
        return
    deviations = subsets.standard_deviation(subsets.estimates(ds))
    # What does not vary has no place on a logarithmic axis
    bands = {name: statistics.band(values.where(values > 0)).dropna("subset") for name, values in deviations.items()}
    if still := [names.readable(str(name)) for name, band in bands.items() if not band.sizes["subset"]]:
        style.say(ax, f"{', '.join(still)}:\nno variation", x=0.04, y=0.05, ha="left", va="bottom")
    for name, band in bands.items():
        color = style.QUANTITIES[str(name)]
        ax.fill_between(band["subset"], band["low"], band["high"], color=color, alpha=0.25, linewidth=0)
        ax.plot(band["subset"], band["median"], color=color, marker="o", markersize=3)
    highest = bands["elbo"]["median"]
    if not highest.size:
        return
    ax.plot(highest["subset"], highest[0] * (highest["subset"][0] / highest["subset"]) ** 0.5, zorder=0, **style.GUIDE)
