"""Curves of a published figure, panel by panel, with its axes: figures 1 and 9 of Damm et al. (AISTATS 2023)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import closure, names, statistics
from entropy_sums.figures import captions, layout, style
from entropy_sums.figures.traces import limits
from entropy_sums.quantities import QUANTITIES

CURVES = ("true_log_likelihood", "log_likelihood", "heldout_log_likelihood", "heldout_elbo", "elbo", "entropy_sum")

LINES: dict[str, Any] = {name: QUANTITIES[name].shown.line for name in CURVES}
"""Quantity → line style, in the order of drawing."""

COLUMNS = 4
"""Largest number of panels beside each other."""

HEIGHTS = {"curves": 1.3, "error": 0.75, "deviation": 0.8}
"""Height of each row in inches."""

LABELS = {"curves": "nats", "error": "error (%)", "deviation": "signed (%)"}


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """Curves in nats above, the gap in percent of the final ELBO below, against epochs.

    Args:
        tree: tree of `cells.panels`, with a group per panel.

    Example:
        >>> from entropy_sums.analysis import cells
        >>> len(draw(cells.panels(tree, "figure_1")).axes)
        6
    """
    panels = [node.to_dataset() for node in tree.children.values()]
    if not panels:
        figure, used = layout.facets(1, 1, style.COLUMN_WIDTH, [HEIGHTS["curves"]])
        style.say(used[0, 0], "no finished run")
        return figure
    rows = ["curves", *(row for row in DRAWN if any(row in _settings(ds)["rows"] for ds in panels))]
    blocks, columns = layout.arrange(len(panels), COLUMNS)
    inches = style.COLUMN_WIDTH if columns == 1 else style.TEXT_WIDTH
    figure, grid = layout.facets(blocks * len(rows), columns, inches, [HEIGHTS[row] for row in rows] * blocks)
    drawn: set[str] = set()
    varied = _varied(panels)
    for number, ds in enumerate(panels):
        block, column = divmod(number, columns)
        axes = dict(zip(rows, grid[block * len(rows) : (block + 1) * len(rows), column], strict=True))
        axes["curves"].set_title(title(ds, varied))
        usable = statistics.usable(ds)
        drawn |= _curves(axes["curves"], usable, _settings(ds))
        for row in rows[1:]:
            DRAWN[row](axes[row], usable, _settings(ds))
        for row, ax in axes.items():
            ax.set_xlim(0, _settings(ds)["epochs"] or _last(ds))
            ax.tick_params(labelbottom=row == rows[-1])
            if not column:
                ax.set_ylabel(LABELS[row])
    for ax in grid.reshape(blocks, len(rows), columns).swapaxes(1, 2).reshape(-1, len(rows))[len(panels) :].flat:
        ax.set_visible(False)
    figure.align_ylabels(grid[:, 0])
    figure.supxlabel("epoch", fontsize="medium")
    lines = {name: line for name, line in LINES.items() if name in drawn}
    handles = [
        Line2D([], [], color=style.QUANTITIES[name], linestyle=line, label=names.readable(name))
        for name, line in reversed(lines.items())
    ]
    if handles:
        layout.legend(figure, handles)
    return figure


def title(ds: xr.Dataset, varied: Collection[str] = ()) -> str:
    """Title of a panel: its letter, if any, model and dataset; below, its values on the axes that are `varied`.

    Example:
        >>> cell = '{"dataset": "pca_ring", "batch_size": 100}'
        >>> title(xr.Dataset(attrs={"panel": "c", "model": "vae3", "cell": cell}), ["batch_size"])
        'c  VAE-3, PCA-ring\\nbatch size 100'
    """
    letter = f"{ds.attrs['panel']}  " if len(ds.attrs["panel"]) == 1 else ""
    cell = json.loads(ds.attrs["cell"])
    own = names.in_words({axis: cell[axis] for axis in varied if axis in cell})
    what = f"{letter}{names.readable(ds.attrs['model'])}, {names.readable(cell['dataset'])}"
    return f"{what}\n{own}" if own else what


def _varied(panels: Sequence[xr.Dataset]) -> list[str]:
    """Axes that distinguish panels of one model and dataset."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for ds in panels:
        cell = json.loads(ds.attrs["cell"])
        found.setdefault((ds.attrs["model"], cell["dataset"]), []).append(cell)
    alike = [cells for cells in found.values() if len(cells) > 1]
    return list(dict.fromkeys(a for cells in alike for a in cells[0] if len({cell[a] for cell in cells}) > 1))


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, in which cells, and the number of runs.

    Example:
        >>> from entropy_sums.analysis import cells
        >>> caption(cells.panels(tree, "figure_1"))[:60]
        'ELBO and entropy sum in nats per data point against epochs, '
    """
    panels = [node.to_dataset() for node in tree.children.values()]
    shown = "; ".join(f"{title(ds)}: {_told(ds)}" for ds in panels)
    rows = {row for ds in panels for row in _settings(ds)["rows"]}
    smoothed = max((_settings(ds)["smooth"] for ds in panels), default=0)
    explained = {
        "error": "Error: distance between ELBO and entropy sum in percent of the final ELBO of a run, median and "
        "quartiles; dotted: what a gap of exactly zero shows by Monte Carlo noise; ≤ marks a final gap within two "
        "standard errors of zero.",
        "deviation": "Signed: the same with its sign (ELBO minus entropy sum), mean and standard deviation over "
        "runs" + (f", moving average over {smoothed:g} epochs." if smoothed else "."),
    }
    return " ".join(
        [
            "ELBO and entropy sum in nats per data point against epochs, medians over runs with 25 to 75 % bands.",
            *(text for row, text in explained.items() if row in rows),
            f"Triangles mark values beyond the scale. Panels: {shown}.",
            captions.size(tree),
        ]
    ).rstrip()


def _told(ds: xr.Dataset) -> str:
    cell = {axis: value for axis, value in json.loads(ds.attrs["cell"]).items() if axis != "dataset"}
    used = int(statistics.final(statistics.usable(ds), "elbo").notnull().sum()) if ds.sizes["step"] else 0
    lost = int(statistics.diverged(ds).sum())
    return f"{names.in_words(cell)}, {used} runs" + (f", {lost} diverged and left out" if lost else "")


def _settings(ds: xr.Dataset) -> dict[str, Any]:
    return json.loads(ds.attrs["settings"])


def _last(ds: xr.Dataset) -> float:
    return float(ds["step"].max()) if ds.sizes["step"] else 1.0


def _curves(ax: Axes, ds: xr.Dataset, settings: Mapping[str, Any]) -> set[str]:
    present = [name for name in LINES if name in ds and ds[name].notnull().any()]
    if not ds.sizes["step"] or "elbo" not in present:
        style.say(ax, "no finished run")
        ax.set_yticks([])
        return set()
    bands = {name: statistics.band(statistics.at_every_step(ds, name)) for name in present}
    for name in present:
        style.draw_band(ax, bands[name], style.QUANTITIES[name], LINES[name])
    ax.set_ylim(*(settings["nats"] or limits(ds, bands)))
    for name, band in bands.items():
        style.mark_beyond(ax, _shown(band["median"], settings), style.QUANTITIES[name])
    return set(present)


def _error(ax: Axes, ds: xr.Dataset, settings: Mapping[str, Any]) -> None:
    ax.set_ylim(0, settings["percent"])
    ax.set_yticks(np.linspace(0, settings["percent"], 3))
    errors = statistics.relative_gap(ds) if ds.sizes["step"] else ds["gap"]
    if not errors.notnull().any():
        return
    band = statistics.band(errors)
    style.draw_band(ax, band, style.ERROR)
    style.mark_beyond(ax, _shown(band["median"], settings), style.ERROR)
    style.draw_floor(ax, closure.floor(ds))
    end = statistics.final(ds.assign(error=errors), "error").median("seed").item()
    said = "≤ " * closure.of(ds).closed + style.percent(end)
    ax.set_title(f"final {said} %", loc="right", fontsize="medium", pad=2)


def _deviation(ax: Axes, ds: xr.Dataset, settings: Mapping[str, Any]) -> None:
    ax.set_ylim(-settings["percent"], settings["percent"])
    ax.set_yticks(np.linspace(-settings["percent"], settings["percent"], 3))
    ax.axhline(0, **style.GUIDE)
    if not ds.sizes["step"] or not ds["gap"].notnull().any():
        return
    deviation = 100 * ds["gap"] / abs(statistics.final(ds, "elbo"))
    mean, std = deviation.mean("seed"), deviation.std("seed")
    band = smoothed(xr.Dataset({"low": mean - std, "median": mean, "high": mean + std}), settings["smooth"])
    style.draw_band(ax, band, style.ERROR)
    style.mark_beyond(ax, _shown(band["median"], settings), style.ERROR)


DRAWN: dict[str, Callable[[Axes, xr.Dataset, Mapping[str, Any]], None]] = {"error": _error, "deviation": _deviation}
"""Name of a row below the curves → function that draws it."""


def smoothed(values: xr.Dataset, epochs: float) -> xr.Dataset:
    """Means over all recorded epochs that are less than half of `epochs` away.

    Example:
        >>> values = xr.Dataset({"mean": ("step", [0.0, 3.0, 6.0, 1.0])}, {"step": [0, 1, 2, 9]})
        >>> smoothed(values, 2.5)["mean"].values
        array([1.5, 3. , 4.5, 1. ])
    """
    at = values["step"].values
    near = abs(at[:, None] - at) < max(epochs / 2, np.finfo(float).tiny)
    weights = xr.DataArray(near / near.sum(1, keepdims=True), dims=("at", "step"))
    return (values * weights).sum("step").rename(at="step").assign_coords(step=at)


def _shown(median: xr.DataArray, settings: Mapping[str, Any]) -> xr.DataArray:
    """The part of a curve within the epochs that are shown."""
    return median.sel(step=slice(0, settings["epochs"])) if settings["epochs"] else median
