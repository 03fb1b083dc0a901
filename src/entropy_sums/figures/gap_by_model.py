"""Distance between ELBO and entropy sum at the end of training, for every model on every dataset."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from entropy_sums.analysis import cells, closure, names, statistics
from entropy_sums.figures import captions, layout, style

SCALE = LogNorm(0.01, 100)
"""Colour scale in percent, fixed so that the maps of two studies can be compared; others keep the end colours."""

COLUMNS = 3
"""Largest number of maps beside each other."""

WIDEST = 8.0
"""Largest width in inches of all maps beside each other; maps of many datasets are placed one below the other."""

LEFT_OUT = "†"
"""Mark behind the value of a cell with runs that diverged or are missing."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A map of models and datasets per combination of facet axes, coloured and labelled by the median in percent.

    Example:
        >>> [ax.get_title() for ax in draw(tree).axes[:2]]
        ['latent size 2', 'latent size 4']
    """
    combinations, models, datasets = cells.combinations(tree), cells.models(tree), cells.datasets(tree)
    each = max(0.55 * len(datasets), 1.2)
    beside = min(COLUMNS, max(1, int(WIDEST / each)))
    rows, columns = layout.arrange(len(combinations), beside)
    width, height = max(1.6 + columns * each, style.COLUMN_WIDTH), 0.35 + 0.24 * len(models)
    figure, grid, used = layout.tiles(len(combinations), beside, width, height, sharex="all", sharey="all")
    for ax, combination in zip(used, combinations, strict=True):
        _map(ax, tree, combination)
        ax.set_title(names.in_words(combination, "\n"))
    for ax in grid.flat:
        labels = [names.readable(name) for name in datasets]
        ax.set_xticks(range(len(datasets)), labels, rotation=30, ha="right", rotation_mode="anchor")
    grid[0, 0].set_yticks(range(len(models)), [names.readable(name) for name in models])
    colors = figure.colorbar(grid[0, 0].images[0], ax=grid, extend="both", pad=0.02, aspect=12 * rows)
    colors.set_label("final gap / ELBO (%)")
    colors.set_ticks([0.01, 0.1, 1, 10, 100], labels=["0.01", "0.1", "1", "10", "100"])
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(tree)[:41]
        'Absolute distance between ELBO and entrop'
    """
    return captions.compose(
        tree,
        "Absolute distance between ELBO and entropy sum at the end of training, in percent of the absolute final ELBO: "
        "median over seeds.",
        captions.facets(tree, "Maps"),
        "≤: the mean gap of the runs, with its sign, is within two Monte Carlo standard errors of zero; single runs "
        "may be further away. Grey cells have no finished run; "
        f"{LEFT_OUT} marks cells with diverged or missing runs. "
        "The percentage has little meaning if the ELBO is near zero; the table has the gap per data dimension.",
    )


def _map(ax: Axes, tree: xr.DataTree, combination: cells.Cell) -> None:
    datasets, models = cells.datasets(tree), cells.models(tree)
    values, lost, closed = np.full((3, len(models), len(datasets)), np.nan)
    for row, model in enumerate(models):
        for column, dataset in enumerate(datasets):
            runs = cells.select(tree[model].to_dataset(), {"dataset": dataset} | combination)
            kept = statistics.usable(runs)
            kept = kept.assign(error=statistics.relative_gap(kept))
            values[row, column] = statistics.band(statistics.final(kept, "error"))["median"].item()
            closed[row, column] = closure.of(runs).closed
            lost[row, column] = (statistics.diverged(runs) | statistics.missing(runs)).sum().item()
    ax.set_facecolor("0.9")
    image = ax.imshow(np.ma.masked_invalid(values), norm=SCALE, cmap="cividis", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        dark = np.dot(image.to_rgba(value)[:3], (0.3, 0.6, 0.1)) < 0.5
        said = "≤ " * int(closed[row, column]) + style.percent(value) + LEFT_OUT * bool(lost[row, column])
        text = "–" if np.isnan(value) else said
        ax.text(column, row, text, ha="center", va="center", color="white" if dark and text != "–" else "black")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
