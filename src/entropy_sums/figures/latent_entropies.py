"""How much of its prior uncertainty each latent keeps: posterior collapse, latent by latent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.figures import captions, style

COLLAPSED = 1.0
"""Nats; a latent of at least this mean posterior entropy counts as collapsed in Damm et al. (AISTATS 2023)."""

PRIOR = 0.5 * math.log(2 * math.pi * math.e)
"""Nats; entropy of a standard normal prior, reached by a latent that ignores the data."""

LINE: dict[str, Any] = {"color": "black", "linewidth": 0.6}

COLUMNS = 3
"""Panels beside each other."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A panel per combination of facet axes: latents by rank, a mark per model with its quartiles over seeds.

    The latents of each run are sorted by their entropy before the median over seeds is taken, since their
    order within a model means nothing.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> from entropy_sums.analysis.example import example_tree
        >>> [ax.get_title() for ax in draw(cells.narrow(example_tree(), "pca")).axes]
        ['latent size 2', 'latent size 4']
    """
    combinations, models = cells.combinations(tree), cells.models(tree)
    width = style.TEXT_WIDTH if len(combinations) > 1 else style.COLUMN_WIDTH
    figure, grid, used = style.tiles(len(combinations), COLUMNS, width, 1.5, sharey="all")
    looks = style.model_looks(models)
    for ax, combination in zip(used, combinations, strict=True):
        _ranks(
            ax, {model: cells.select(tree[model].to_dataset().isel(dataset=0), combination) for model in models}, looks
        )
        ax.set_title(names.describe(combination))
    for ax in grid[:, 0]:
        ax.set_ylabel("entropy (nats)")
    figure.supxlabel("latent, by rank of its entropy", fontsize="medium")
    handles = [style.dot(look.color, look.marker, names.readable(model)) for model, look in looks.items()]
    handles.append(Line2D([], [], label="prior", **LINE))
    handles.append(Line2D([], [], label="collapse (1 nat)", **style.GUIDE))
    style.legend(figure, handles)
    return figure


def caption(tree: xr.DataTree) -> str:
    """What is shown, from how many runs.

    Example:
        >>> from entropy_sums.analysis.example import example_tree
        >>> caption(cells.narrow(example_tree(), "pca"))[:59]
        'Mean posterior entropy of each latent at the end of trainin'
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        f"Mean posterior entropy of each latent at the end of training on {names.readable(dataset)} (nats), "
        "sorted within each run.",
        "Marks: median over seeds; bars: 25 to 75 %. "
        f"Solid line: entropy {PRIOR:.3f} of the standard normal prior; dashed: {COLLAPSED:.1f}, from which on "
        "Damm et al. (2023) call a latent collapsed; both are for a standard normal prior and say nothing of VAE-2, "
        "which learns its prior variances.",
        captions.facets(tree, "Panels"),
    )


def _ranks(ax: Axes, groups: dict[str, xr.Dataset], looks: dict[str, style.Look]) -> None:
    ax.axhline(PRIOR, zorder=0, **LINE)
    ax.axhline(COLLAPSED, zorder=0, **style.GUIDE)
    offsets = np.linspace(-0.3, 0.3, len(groups)) if len(groups) > 1 else [0.0]
    largest, unfinished = 0, []
    for (model, ds), offset in zip(groups.items(), offsets, strict=True):
        # numpy sorts NaN, the latents beyond the latent size of the run, to the end
        entropies = -np.sort(-statistics.final(statistics.usable(ds), "latent_entropy").transpose("seed", "latent"))
        band = statistics.band(xr.DataArray(entropies, dims=("seed", "rank"))).dropna("rank")
        if not band.sizes["rank"]:
            unfinished.append(names.readable(model))
            continue
        largest = max(largest, band.sizes["rank"])
        x = np.arange(1, band.sizes["rank"] + 1) + offset
        ax.vlines(x, band["low"], band["high"], color=looks[model].color, linewidth=1)
        ax.plot(x, band["median"], color=looks[model].color, marker=looks[model].marker, markersize=3.5, ls="")
    if unfinished:
        style.say(ax, f"no finished run: {', '.join(unfinished)}", y=0.06)
    ax.set_xlim(0.4, max(largest, 1) + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
