"""ELBO, entropy sum and log-likelihood at the end of training against settings, above all the number of latents."""

from __future__ import annotations

from typing import NamedTuple

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, names, statistics, sweeps
from entropy_sums.figures import captions, layout, style, sweep
from entropy_sums.quantities import ESTIMATES

COLUMNS = 3
"""Number of panels beside each other."""

MARKERS = {
    "elbo": "o",
    "heldout_elbo": "s",
    "entropy_sum": "D",
    "log_likelihood": "X",
    "importance_weighted_bound": "P",
    "forward_ais": "v",
    "reverse_ais": "^",
    "elbo_forward_ais": "<",
    "elbo_reverse_ais": ">",
}
"""Quantity → marker, in the order of the legend."""


class Facet(NamedTuple):
    """The cells of a model that differ from its base cell in one setting; quantity → values, shape (seed, axis)."""

    model: str
    axis: str
    values: dict[str, xr.DataArray]


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A panel per model and varied setting with numbers: a line per quantity, with intervals over seeds, or few runs.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> figure = draw(cells.narrow(tree, "pca"))
        >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
        ('latent size', 'nats per data point')
    """
    found = panels(tree)
    figure, used = sweep.tiles(len(found), COLUMNS, 1.6, "nats per data point")
    for ax, panel in zip(used, found, strict=False):
        _draw(ax, panel)
    drawn = {name for panel in found for name in panel.values}
    handles = [
        Line2D([], [], color=style.QUANTITIES[name], marker=marker, markersize=3, label=names.readable(name))
        for name, marker in MARKERS.items()
        if name in drawn
    ]
    if handles:
        layout.legend(figure, handles)
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:54]
        'ELBO, entropy sum and log-likelihood at the end of tra'
    """
    (dataset,) = cells.datasets(tree)
    estimated = any(each.name in panel.values for panel in panels(tree) for each in ESTIMATES)
    return captions.compose(
        tree,
        f"ELBO, entropy sum and log-likelihood at the end of training on {names.readable(dataset)} (nats per data "
        f"point). One setting of the base cell is varied at a time. Medians over seeds with {captions.INTERVALS}.",
        "On average, forward annealing overestimates the log-likelihood or ELBO, and reverse annealing from exact "
        "samples of the model underestimates it. From chains that miss a mode, both may lie on one side of the truth."
        if estimated
        else "",
    )


def panels(tree: xr.DataTree) -> list[Facet]:
    """The varied settings of each model, with the final values.

    Example:
        >>> panel = panels(cells.narrow(tree, "pca"))[0]
        >>> panel.model, panel.axis, list(panel.values)
        ('linearvae', 'latent_dim', ['elbo', 'heldout_elbo', 'entropy_sum', 'log_likelihood'])
    """
    return [Facet(model, axis, _values(sweeps.along(ds, axis))) for model, axis, ds in sweeps.numbers(tree)]


def _values(runs: xr.Dataset) -> dict[str, xr.DataArray]:
    values = {name: statistics.final(runs, name) for name in MARKERS if name in runs}
    return {name: value for name, value in values.items() if value.notnull().any()}


def _draw(ax: Axes, panel: Facet) -> None:
    sweep.name(
        ax, panel.model, panel.axis, [x for each in panel.values.values() for x in each[panel.axis].values.tolist()]
    )
    for name, value in panel.values.items():
        ends, few = statistics.interval(value), statistics.single(value)
        x, color = value[panel.axis].values, style.QUANTITIES[name]
        ax.plot(x, ends["estimate"], color=color, marker=MARKERS[name], markersize=2.5, linewidth=0.8)
        ax.fill_between(x, ends["low"], ends["high"], color=color, alpha=0.2, linewidth=0)
        if few.notnull().any():
            ax.plot(x, few.transpose(panel.axis, "seed"), ".", color=color, markersize=2, alpha=0.4)
