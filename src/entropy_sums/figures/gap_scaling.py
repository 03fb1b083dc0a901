"""Final gap against sizes of data and model, batch size and learning rate, with and without its decay."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, names, powers, statistics, sweeps
from entropy_sums.figures import captions, layout, style, sweep
from entropy_sums.figures.convergence import exponent

COLUMNS = 4
"""Number of panels beside each other."""

MARKERS: dict[str, dict[str, Any]] = {
    "before polish": {"marker": "o", "linestyle": "-"},
    "after polish": {"marker": "v", "linestyle": "--"},
    "at the end": {"marker": "o", "linestyle": "-"},
}
"""Moment of measurement → marker and line of the gap."""

NOISE: dict[str, Any] = {"color": "0.5", "linewidth": 0.8, "linestyle": ":"}


class Curve(NamedTuple):
    """|gap|, shape (seed, axis), of one series at one moment, and the power law that it follows."""

    line: str
    moment: str
    gap: powers.Measured
    law: xr.Dataset


class Facet(NamedTuple):
    """The cells of a model that differ from its base cell in one setting, whose value there is `base`."""

    model: str
    axis: str
    base: float
    curves: list[Curve]


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A panel per model and varied setting with numbers, log-log: a line per series, before and after the polish.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> figure = draw(cells.narrow(tree, "pca"))
        >>> [ax.get_title() for ax in figure.axes], figure.axes[0].get_xlabel()
        (['linear VAE', 'VAE-0', 'VAE-1', 'VAE-3'], 'latent size')
    """
    found = panels(tree)
    figure, used = sweep.tiles(len(found), COLUMNS, 1.4, "|gap| (nats)", sharey="all")
    for ax, panel in zip(used, found, strict=False):
        _draw(ax, panel)
    # Room for the exponents
    used[0].set_ylim(top=10 * used[0].get_ylim()[1])
    drawn = [curve for panel in found for curve in panel.curves]
    handles = [
        Line2D([], [], color=_color(line), label=names.readable(line))
        for line in dict.fromkeys(curve.line for curve in drawn)
        if line
    ]
    handles += [
        Line2D([], [], color="black", markersize=3, label=moment, **MARKERS[moment])
        for moment in dict.fromkeys(curve.moment for curve in drawn)
    ]
    layout.legend(figure, [*handles, Line2D([], [], label="noise", **NOISE)])
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the exponents with their intervals.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:44]
        'Absolute gap at the end of training on PCA ('
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        f"Absolute gap at the end of training on {names.readable(dataset)} (nats per data point). One setting of the "
        "base cell (vertical line) is varied at a time; medians over seeds with quartiles.",
        "If the last phase of training uses full batches, the gap is measured at its start (before polish) and at its "
        "end (after polish), in the same runs.",
        f"Dotted: {powers.GAP_NOISE} Monte Carlo standard errors of the gap; smaller medians cannot be distinguished "
        "from zero and are not fitted. Numbers: exponents of power laws, before the polish if there is one.",
        *(_in_words(panel) for panel in panels(tree)),
        f"Intervals: 95 %, from resampling the seeds, for at least {statistics.MINIMUM_RUNS} runs.",
    )


def panels(tree: xr.DataTree) -> list[Facet]:
    """The varied settings of each model, with their effect on the gap.

    Example:
        >>> panel = panels(cells.narrow(tree, "pca"))[2]
        >>> panel.model, panel.axis, panel.base, [curve.moment for curve in panel.curves]
        ('vae1', 'latent_dim', 2, ['at the end'])
    """
    return [Facet(model, axis, sweeps.base(ds)[axis], _curves(ds, axis)) for model, axis, ds in sweeps.numbers(tree)]


def _curves(ds: xr.Dataset, axis: str) -> list[Curve]:
    (dataset,) = ds["dataset"].values.tolist()
    start = sweeps.polish_start(ds, dataset)
    found = []
    for changed in sweeps.series(ds):
        runs = sweeps.along(ds, axis, **changed)
        gaps = (
            {"at the end": runs} if start is None else {"before polish": runs.sel(step=[start]), "after polish": runs}
        )
        for moment, measured in gaps.items():
            last = measured.assign({name: statistics.final(measured, name) for name in ("gap", "gap_standard_error")})
            gap = powers.gap(last)
            x = powers.Measured(runs[axis].astype(float).broadcast_like(gap.values))
            found.append(Curve(next(iter(changed.values()), ""), moment, gap, powers.law(x, gap)))
    return found


def _draw(ax: Axes, panel: Facet) -> None:
    values = [value for curve in panel.curves for value in curve.gap.values[panel.axis].values.tolist()]
    sweep.name(ax, panel.model, panel.axis, values)
    ax.set_yscale("log")
    ax.axvline(panel.base, color="0.9", linewidth=4, zorder=0)
    for curve in panel.curves:
        band = statistics.band(curve.gap.values)
        x, color = band[panel.axis].values, _color(curve.line)
        ax.plot(x, band["median"], color=color, markersize=3, **MARKERS[curve.moment])
        ax.fill_between(x, band["low"], band["high"], color=color, alpha=0.15, linewidth=0)
        ax.plot(x, curve.gap.floor, **NOISE)
        if curve.moment != "after polish" and np.isfinite(curve.law["estimate"]):
            style.say(ax, exponent(curve.law), 0.97, 0.99 - 0.1 * len(ax.texts), ha="right", va="top", color=color)


def _in_words(panel: Facet) -> str:
    said = [
        f"{exponent(curve.law)} "
        f"({' '.join(filter(None, [names.readable(curve.line), curve.moment]))}, {curve.law['points'].item()} points)"
        for curve in panel.curves
        if np.isfinite(curve.law["estimate"])
    ]
    what = f"{names.readable(panel.model)} with {names.readable(panel.axis)}"
    return f"Exponent of {what}: {'; '.join(said)}." if said else ""


def _color(line: str) -> str:
    return style.SERIES.get(line, style.ERROR)
