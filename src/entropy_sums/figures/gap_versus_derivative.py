"""Check of the certificates during training: the gap of a factor is the derivative of the ELBO along a direction."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.figures import captions, layout, style

LINEAR = 1e-3
"""Nats; the axes are linear below this, so that they have room for both signs."""

COLUMNS = 4
"""Number of panels beside each other."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A panel per dataset: one point per run, recorded step and certified factor, on axes with both signs.

    Example:
        >>> [ax.get_title() for ax in draw(tree).axes]
        ['PCA', 'digits']
    """
    datasets = cells.datasets(tree)
    width = style.TEXT_WIDTH if len(datasets) > 1 else style.COLUMN_WIDTH
    figure, grid, used = layout.tiles(len(datasets), COLUMNS, width, 1.7)
    looks = style.model_looks(cells.models(tree))
    for ax, dataset in zip(used, datasets, strict=True):
        ax.set_title(names.readable(dataset))
        _cloud(ax, tree, dataset, looks)
    for ax in grid[:, 0]:
        ax.set_ylabel("gap of a factor (nats)")
    figure.supxlabel("derivative of the ELBO along v (nats)", fontsize="medium")
    layout.model_legend(figure, looks, "identity")
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the largest deviation.

    Example:
        >>> caption(tree)[:52]
        'Gap of each certified factor against the derivative '
    """
    apart = [abs(gap - derivative) for _, ds in _groups(tree) for gap, derivative in [_pairs(ds)] if gap.size]
    largest = (
        f"The largest distance from the identity is {max(d.max() for d in apart):.1e} nats, over "
        f"{sum(d.size for d in apart)} points."
        if apart
        else "No factor of this study has a certificate."
    )
    return captions.compose(
        tree,
        "Gap of each certified factor against the derivative of the ELBO along the direction v of its certificate, "
        "both on the training set with the same posterior samples, whose noise they share (nats per data point). "
        f"One point per run, recorded step and factor. The axes are logarithmic, and linear below {LINEAR:g} nats.",
        largest,
    )


def _groups(tree: xr.DataTree) -> list[tuple[str, xr.Dataset]]:
    groups = [(model, statistics.usable(node.to_dataset())) for model, node in tree.children.items()]
    return [(model, ds) for model, ds in groups if "directional_derivative" in ds]


def _pairs(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Gaps and derivatives, where both are available."""
    derivative, gap = xr.broadcast(ds["directional_derivative"], ds["entropy"] - ds["cross_entropy"])
    known = (gap.notnull() & derivative.notnull()).values
    return gap.values[known], derivative.values[known]


def _cloud(ax: Axes, tree: xr.DataTree, dataset: str, looks: dict[str, style.Look]) -> None:
    ax.set_xscale("symlog", linthresh=LINEAR)
    ax.set_yscale("symlog", linthresh=LINEAR)
    ax.axline((0, 0), (1, 1), zorder=0, **style.GUIDE)
    largest = LINEAR
    for model, ds in _groups(tree):
        gap, derivative = _pairs(ds.reindex(dataset=[dataset]))
        look = looks[model]
        ax.scatter(derivative, gap, 5, alpha=0.5, linewidths=0, rasterized=True, **look._asdict())
        largest = max([largest, *np.abs(gap), *np.abs(derivative)])
    if largest == LINEAR:
        style.say(ax, "no certified factor")
    ends = 10 ** np.ceil(np.log10(2 * largest)) * np.array([-1, 1])
    ax.set(xlim=ends, ylim=ends)
    ticks = 10.0 ** np.arange(np.log10(ends[1]), np.log10(LINEAR) - 1, -3)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(sorted([*-ticks, 0, *ticks]))
        axis.set_minor_locator(NullLocator())
