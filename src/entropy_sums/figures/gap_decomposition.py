"""Final gap, split by the factors of the model."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from entropy_sums.analysis import cells, closure, names, statistics
from entropy_sums.figures import captions, layout, style


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A column per model with its own scale; bars along the first facet axis, a row per combination of the others.

    Bars are means over seeds, which add up to the total as medians would not: positive parts are stacked
    upwards from zero, negative ones downwards. The black mark is the total with its 95 % interval, or with
    the totals of few runs. The grey area behind a bar is the Monte Carlo noise of the mean total.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> len(draw(cells.narrow(tree, "pca")).axes)
        4
    """
    along, across = cells.facet_axes(tree)[:1], cells.facet_axes(tree)[1:]
    bars, rows, models = cells.combinations(tree, along), cells.combinations(tree, across), cells.models(tree)
    figure, grid = layout.facets(len(rows), len(models), layout.width(len(models)), [1.25] * len(rows), sharex="all")
    colors = style.factor_colors(
        factor for node in tree.children.values() for factor in node.to_dataset()["factor"].values.tolist()
    )
    for column, model in enumerate(models):
        grid[0, column].set_title(names.readable(model))
        for row, cell in enumerate(rows):
            ds = cells.select(tree[model].to_dataset().isel(dataset=0), cell)
            _stacks(grid[row, column], ds, bars, colors)
    grid[0, 0].set_xticks(range(len(bars)), [names.settings(value) for bar in bars for value in bar.values()] or [""])
    grid[0, 0].set_xlim(-0.6, len(bars) - 0.4)
    for ax in grid[:, 0]:
        ax.set_ylabel("final gap (nats)")
    layout.name_rows(figure, dict(zip(names.rows(rows), grid[:, -1:], strict=True)))
    figure.supxlabel(" ".join(names.readable(axis) for axis in along), fontsize="medium")
    patches = [Patch(color=color, label=names.readable(factor)) for factor, color in colors.items()]
    layout.legend(
        figure, [*patches, layout.dot("black", "o", "total, 95 % interval"), Patch(label="noise", **style.NOISE)]
    )
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:56]
        'Gap (ELBO minus entropy sum) at the end of training on P'
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        f"Gap (ELBO minus entropy sum) at the end of training on {names.readable(dataset)}, split by factor of the "
        "model: entropy minus cross-entropy of each factor (nats per data point).",
        "Bars: mean over seeds, stacked with their signs. Black: mean total with its 95 % interval by Student's t; of "
        f"fewer than {statistics.MINIMUM_RUNS} runs, dashes for the runs themselves. Grey: {closure.LIMIT:g} Monte "
        "Carlo standard errors of the mean total on both sides of zero. Every panel has its own scale.",
        captions.facets(tree, "Bars and rows"),
    )


def _stacks(ax: Axes, ds: xr.Dataset, bars: list[cells.Cell], colors: dict[str, str]) -> None:
    ax.axhline(0, color="black", linewidth=0.6)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.locator_params(axis="y", nbins=4)
    for x, bar in enumerate(bars):
        runs = statistics.usable(cells.select(ds, bar))
        runs = runs.assign(part=runs["entropy"] - runs["cross_entropy"])
        gaps = statistics.final(runs, "gap")
        total, few = statistics.interval_of_mean(gaps), statistics.single(gaps)
        if total["runs"].item() == 0:
            ax.annotate("no finished run", (x, 0), (0, 2), textcoords="offset points", rotation=90, ha="center")
            continue
        noise = closure.of(runs).noise
        ax.bar(x, 2 * noise, 0.95, bottom=-noise, **style.NOISE)
        parts = statistics.final(runs, "part").mean("seed")
        ends = {True: 0.0, False: 0.0}
        for factor, part in zip(parts["factor"].values.tolist(), parts.values.tolist(), strict=True):
            if np.isfinite(part):
                ax.bar(x, part, 0.65, bottom=ends[part > 0], color=colors[factor])
                ends[part > 0] += part
        ax.plot(x, total["estimate"], "o", color="black", markersize=3)
        ax.vlines(x, total["low"], total["high"], color="black", linewidth=1)
        ax.plot(np.full(few.size, x), few, "_", color="black", markersize=7, markeredgewidth=0.6)
