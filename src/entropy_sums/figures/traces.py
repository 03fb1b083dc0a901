"""ELBO and entropy sum during training, and their distance in percent: Fig. 1 of Damm et al. (AISTATS 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, closure, names, statistics
from entropy_sums.figures import captions, layout, style
from entropy_sums.quantities import SHOWN

WITHOUT = "heldout_log_likelihood"
"""Quantity without a curve: the one of the training set is shown, beside the ELBO that it bounds."""

LINES: dict[str, Any] = {
    quantity.name: quantity.shown.line for quantity in SHOWN if quantity.shown.line and quantity.name != WITHOUT
}
"""Quantity → line style, in the order of drawing."""

MARKERS: dict[str, Any] = {
    "importance_weighted_bound": "o",
    "forward_ais": "s",
    "reverse_ais": "D",
    "elbo_forward_ais": "<",
    "elbo_reverse_ais": ">",
}
"""Estimate at the end of training → marker: of the log-likelihood, or of the ELBO where the name says so."""

COLUMNS = 6
"""Number of models beside each other, on the text width of a page."""

LIMIT = 4.0
"""Top of the error panels in percent, as published."""

EARLY = 0.1
"""Share of the lowest recorded values that may be off scale, so that the late steps can be read."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A column per model; a row of curves in nats and one of errors in percent per combination of facet axes.

    Lines are medians over seeds, bands are quartiles. Triangles at the edge of a panel mark medians beyond it. With
    more than `COLUMNS` models, some are placed below the others.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> len(draw(cells.narrow(tree, "pca")).axes)
        16
    """
    combinations, models = cells.combinations(tree), cells.models(tree)
    blocks, columns = layout.arrange(len(models), COLUMNS)
    heights = [1.05, 0.6] * len(combinations) * blocks
    figure, grid = layout.facets(len(heights), columns, layout.width(columns), heights)
    last = cells.last_step(tree)
    for ax in grid.flat:
        # Not shared: matplotlib would rescale all panels with every line
        layout.step_axis(ax, last)
    drawn = set()
    for block, rows in enumerate(np.split(grid, blocks)):
        shown = models[block * columns : (block + 1) * columns]
        drawn |= _block(rows[:, : len(shown)], tree, shown)
        layout.name_rows(
            figure,
            {label: rows[2 * row : 2 * row + 2, len(shown) - 1] for row, label in enumerate(names.rows(combinations))},
        )
        for ax in rows[:, len(shown) :].flat:
            ax.set_visible(False)
    figure.supxlabel("optimiser step", fontsize="medium")
    handles = [
        Line2D([], [], color=style.QUANTITIES[name], linestyle=line, label=names.readable(name))
        for name, line in LINES.items()
        if name in drawn
    ] + [
        layout.dot(style.QUANTITIES[name], marker, names.readable(name))
        for name, marker in MARKERS.items()
        if name in drawn
    ]
    if handles:
        layout.legend(figure, handles)
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:59]
        'ELBO and entropy sum during training on PCA (nats per data '
    """
    (dataset,) = cells.datasets(tree)
    nodes = list(tree.children.values())
    return captions.compose(
        tree,
        f"ELBO and entropy sum during training on {names.readable(dataset)} (nats per data point), on the training "
        "set. Blue, dashed: ELBO on held-out data.",
        "Orange, dashed: log-likelihood of the training set under the distribution that it was drawn from."
        if any(node["true_log_likelihood"].notnull().any() for node in nodes if "true_log_likelihood" in node)
        else "",
        "Below each: distance between ELBO and entropy sum on the training set, in percent of the final ELBO of the "
        "run.",
        "Lines: median over seeds; bands: 25 to 75 %. Dotted: error that a gap of exactly zero shows by the noise "
        "of samples; ≤ marks a final gap within two standard errors of zero.",
        "Markers: estimates of the log-likelihood of the training set at the end of training, or of the ELBO where the "
        "legend says so. Medians over seeds of the value and of the limits of its 95 % Monte Carlo interval."
        if any(name in node for node in nodes for name in MARKERS)
        else "",
        captions.facets(tree, "Rows"),
        f"Triangles mark medians beyond the scale (above {LIMIT:g} % for the error). "
        "The step axis is linear up to step 1 and logarithmic from there. If runs differ in length, later steps show "
        "the runs that reached them.",
    )


def limits(ds: xr.Dataset, bands: Mapping[str, xr.Dataset], above: Sequence[float] = ()) -> tuple[float, float]:
    """Limits of an axis in nats: above all bands, and below all but the share `EARLY` of the values over steps.

    Args:
        ds: the runs of the bands.
        bands: quantity → `low`, `median`, `high` over `step`.
        above: further values that are shown, if they are higher.

    Example:
        >>> runs = xr.Dataset({"elbo": ("step", [-99.0] + [-2.0] * 9 + [0.0])})
        >>> limits(runs, {"elbo": xr.Dataset(dict.fromkeys(("low", "median", "high"), runs["elbo"]))})
        (-2.12, 0.12)
    """
    moving = [band["median"] for name, band in bands.items() if "step" in ds[name].dims]
    still = [band["median"].min().item() for name, band in bands.items() if "step" not in ds[name].dims]
    bottom = min([xr.concat(moving, "quantity").quantile(EARLY).item(), *still])
    top = max([*(band["high"].max().item() for band in bands.values()), *above])
    margin = 0.06 * (top - bottom) or 1.0
    return bottom - margin, top + margin


def _block(grid: np.ndarray, tree: xr.DataTree, models: Sequence[str]) -> set[str]:
    """Draw these models beside each other; returns the quantities that were available."""
    drawn = set()
    for ax in grid[:-1].flat:
        ax.tick_params(labelbottom=False)
    for column, model in enumerate(models):
        grid[0, column].set_title(names.readable(model))
        runs = statistics.usable(tree[model].to_dataset().isel(dataset=0))
        for row, combination in enumerate(cells.combinations(tree)):
            curves, errors = grid[2 * row : 2 * row + 2, column]
            ds = cells.select(runs, combination)
            drawn |= _curves(curves, ds)
            _errors(errors, ds)
            if column:
                errors.tick_params(labelleft=False)
    for curves, errors in zip(grid[::2, 0], grid[1::2, 0], strict=True):
        curves.set_ylabel("nats")
        errors.set_ylabel("error (%)")
    return drawn


def _curves(ax: Axes, ds: xr.Dataset) -> set[str]:
    if not ds["elbo"].notnull().any():
        style.say(ax, "no finished run")
        ax.set_yticks([])
        return set()
    bands = {
        name: statistics.band(statistics.at_every_step(ds, name))
        for name in LINES
        if name in ds and ds[name].notnull().any()
    }
    for name, band in bands.items():
        style.draw_band(ax, band, style.QUANTITIES[name], LINES[name])
    estimates = {name: ds[name].median("seed") for name in MARKERS if name in ds and ds[name].notnull().any()}
    ax.set_ylim(*limits(ds, bands, [value.item() for value in estimates.values()]))
    for name, band in bands.items():
        style.mark_beyond(ax, band["median"], style.QUANTITIES[name])
    for name, value in estimates.items():
        _estimate(ax, ds, name, value)
    return {*bands, *estimates}


def _estimate(ax: Axes, ds: xr.Dataset, name: str, value: xr.DataArray) -> None:
    """Draw a marker with an interval at the last step, or a triangle where it is off scale."""
    last = ds["step"].where(ds["elbo"].notnull().any("seed"), drop=True)[-1:]
    at_end = value.expand_dims(step=last)
    style.mark_beyond(ax, at_end, style.QUANTITIES[name])
    bottom, top = ax.get_ylim()
    if bottom <= value <= top:
        limits = [ds[f"{name}{suffix}"].median("seed").clip(bottom, top).item() for suffix in ("_low", "_high")]
        options: dict[str, Any] = {"color": style.QUANTITIES[name], "clip_on": False, "zorder": 3}
        ax.plot([last.item()] * 2, limits, linewidth=0.8, **options)
        ax.plot([last.item()], [value.item()], MARKERS[name], markersize=3, **options)


def _errors(ax: Axes, ds: xr.Dataset) -> None:
    errors = statistics.relative_gap(ds)
    ax.set_ylim(0, LIMIT)
    ax.set_yticks(np.linspace(0, LIMIT, 3))
    if not errors.notnull().any():
        return
    band = statistics.band(errors)
    style.draw_band(ax, band, style.ERROR)
    style.mark_beyond(ax, band["median"], style.ERROR)
    style.draw_floor(ax, closure.floor(ds))
    end = statistics.final(ds.assign(error=errors), "error").median("seed").item()
    said = "≤ " * closure.of(ds).closed + style.percent(end)
    ax.set_title(f"final {said} %", loc="right", fontsize="medium", pad=2)
