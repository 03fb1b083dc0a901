"""Gap against gradient norm: the gap falls with the gradient, as it is a directional derivative of the ELBO."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from entropy_sums.analysis import cells, closure, names, statistics
from entropy_sums.figures import captions, layout, style

COLUMNS = 4
"""Number of datasets beside each other before a panel would get too small; further ones make the figure wider."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A column per dataset, a row per combination of facet axes; one point per run and recorded step, log-log.

    Example:
        >>> figure = draw(tree)
        >>> len(figure.axes), figure.axes[0].get_xscale()
        (4, 'log')
    """
    combinations, datasets = cells.combinations(tree), cells.datasets(tree)
    width = style.TEXT_WIDTH * max(1, len(datasets) / COLUMNS) if len(datasets) > 1 else style.COLUMN_WIDTH
    figure, grid = layout.facets(
        len(combinations), len(datasets), width, [1.5] * len(combinations), sharex="all", sharey="all"
    )
    looks = style.model_looks(cells.models(tree))
    grid[0, 0].set(xscale="log", yscale="log")
    lowest = np.inf
    for column, dataset in enumerate(datasets):
        grid[0, column].set_title(names.readable(dataset))
        for row, combination in enumerate(combinations):
            lowest = min(lowest, _cloud(grid[row, column], tree, {"dataset": dataset} | combination, looks))
    if np.isfinite(lowest):
        grid[0, 0].set_ylim(bottom=lowest / 10)
    for ax in grid[:, 0]:
        ax.set_ylabel("|gap| (nats)")
    layout.name_rows(figure, dict(zip(names.rows(combinations), grid[:, -1:], strict=True)))
    figure.supxlabel("norm of the gradient of the ELBO (nats per unit of parameter)", fontsize="medium")
    layout.model_legend(figure, looks, "slope 1")
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(tree)[:54]
        'Absolute gap (nats per data point) against the Euclide'
    """
    return captions.compose(
        tree,
        "Absolute gap (nats per data point) against the Euclidean norm of the gradient of the full-batch ELBO over all "
        "parameters. One point per run and recorded step, both axes logarithmic.",
        "Dashed: gap proportional to the gradient norm (slope 1), at the ratio of the median model.",
        f"Pale points are below {closure.LIMIT:g} Monte Carlo standard errors of the gap and cannot be distinguished "
        "from zero; the lowest of them lie outside the panels.",
        captions.facets(tree, "Rows"),
    )


def _cloud(ax: Axes, tree: xr.DataTree, cell: cells.Cell, looks: dict[str, style.Look]) -> float:
    """Draw the points of one panel; returns the smallest gap that differs from zero."""
    finished, middles, lowest = False, [], np.inf
    for model, look in looks.items():
        runs = statistics.usable(cells.select(tree[model].to_dataset(), cell))
        gradient, gap = runs["gradient_norm"].values.ravel(), abs(runs["gap"]).values.ravel()
        # A logarithmic axis has no place for an exact zero
        shown = (gradient > 0) & (gap > 0)
        clear = shown & (gap >= closure.LIMIT * runs["gap_standard_error"].values.ravel())
        for chosen, alpha in ((shown & ~clear, 0.12), (clear, 0.6)):
            ax.scatter(gradient[chosen], gap[chosen], 5, alpha=alpha, linewidths=0, rasterized=True, **look._asdict())
        finished |= shown.any()
        if clear.any():
            middles.append((np.median(gradient[clear]), np.median(gap[clear] / gradient[clear])))
            lowest = min(lowest, gap[clear].min())
    if not finished:
        style.say(ax, "no finished run")
    if middles:
        x, ratio = np.median(middles, axis=0)
        ax.axline((x, ratio * x), (1.1 * x, 1.1 * ratio * x), **style.GUIDE)
    return lowest
