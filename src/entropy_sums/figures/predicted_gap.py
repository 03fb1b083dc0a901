"""Predicted and measured gap at the end of training, condition by condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from entropy_sums.analysis import cells, closure, names, statistics
from entropy_sums.figures import captions, layout, style

LINEAR = 1e-2
"""Nats; the axis is linear below this, so that it has room for both signs."""

PREDICTED = "black"


class Row(NamedTuple):
    """A cell: its name, median gap with its interval or with the gaps of few runs; prediction, NaN if there is none.

    `noise` is the distance in nats within which the mean gap cannot be told from the prediction.
    """

    label: str
    gap: float
    low: float
    high: float
    few: list[float]
    predicted: float
    certified: bool
    noise: float


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A line per cell with finished runs: measured median with 95 % interval, or with few runs, and the prediction.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> figure = draw(cells.narrow(tree, "pca"))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()][:2]
        ['linear VAE, latent size 2', 'linear VAE, latent size 4']
    """
    found = rows(tree)
    figure, grid = layout.facets(1, 1, style.TEXT_WIDTH, [0.4 + 0.16 * max(len(found), 3)])
    ax = grid[0, 0]
    ax.set_xscale("symlog", linthresh=LINEAR)
    ax.axvline(0, color="black", linewidth=0.6)
    for y, row in enumerate(found):
        color = style.CERTIFIED if row.certified else style.UNCERTIFIED
        ax.barh(y, 2 * row.noise, 0.9, left=np.nan_to_num(row.predicted) - row.noise, **style.NOISE)
        ax.hlines(y, row.low, row.high, color=color, linewidth=1.2)
        ax.plot(row.few, [y] * len(row.few), "|", color=color, markersize=7, markeredgewidth=0.8)
        ax.plot(row.gap, y, "o", color=color, markersize=3.5)
        ax.plot(row.predicted, y, "D", color=PREDICTED, markersize=5, markerfacecolor="none", markeredgewidth=0.8)
    if not found:
        style.say(ax, "no finished run")
    ax.set_yticks(range(len(found)), [row.label for row in found])
    ax.set_ylim(len(found) - 0.4, -0.6)
    ax.set_xlabel("final gap (nats)")
    ax.grid(axis="y", color="0.92", linewidth=0.5)
    ax.set_axisbelow(True)
    hollow = Line2D([], [], color=PREDICTED, marker="D", markersize=4, markerfacecolor="none", linestyle="")
    hollow.set_label("predicted")
    measured = [
        layout.dot(style.CERTIFIED, "o", "measured, certified"),
        layout.dot(style.UNCERTIFIED, "o", "measured, not certified"),
    ]
    layout.legend(figure, [*measured, hollow, Patch(label="noise", **style.NOISE)])
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and how well prediction and measurement agree.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:44]
        'Gap at the end of training on PCA, condition'
    """
    (dataset,) = cells.datasets(tree)
    found = rows(tree)
    apart = [abs(row.gap - row.predicted) for row in found if np.isfinite(row.predicted)]
    agreement = (
        f"Of {len(found)} conditions {len(apart)} have a prediction; the largest distance to it is "
        f"{max(apart):.2g} nats, the median {np.median(apart):.2g}."
        if apart
        else "No condition has a prediction."
    )
    return captions.compose(
        tree,
        f"Gap at the end of training on {names.readable(dataset)}, condition by condition (nats per data point): "
        f"medians over seeds with {captions.INTERVALS} (dashes).",
        "Blue: every factor of the model has a certificate. Diamonds: the gap that theory predicts for a stationary "
        "point, zero unless a penalty or other entropies leave one. There is no prediction if training follows the "
        "gradient of another objective. Labels name the settings that differ from most other cells of the model.",
        f"Grey: {closure.LIMIT:g} Monte Carlo standard errors of the mean gap on both sides of the prediction, or of "
        f"zero without one. The axis is linear below {LINEAR:g} nats.",
        agreement,
    )


def rows(tree: xr.DataTree) -> list[Row]:
    """The cells that have finished runs, in the order of the file.

    Example:
        >>> [row.label for row in rows(cells.narrow(tree, "pca"))][:2]
        ['linear VAE, latent size 2', 'linear VAE, latent size 4']
    """
    found = list(_finished(tree))
    return [
        _row(", ".join(filter(None, [names.readable(model), names.in_words(own)])), runs)
        for (model, _, runs), own in zip(found, _distinct([(m, c) for m, c, _ in found]), strict=True)
    ]


def _finished(tree: xr.DataTree) -> Iterator[tuple[str, cells.Cell, xr.Dataset]]:
    for model, cell, runs in cells.walk(tree):
        kept = statistics.usable(runs)
        if statistics.final(kept, "gap").notnull().any():
            yield model, cell, kept


def _distinct(found: list[tuple[str, cells.Cell]]) -> list[cells.Cell]:
    """Values that distinguish each cell from the others of its model: all that are not the most common one."""
    common: dict[tuple[str, str], Counter] = {}
    for model, cell in found:
        for axis, value in cell.items():
            common.setdefault((model, axis), Counter())[value] += 1

    def differs(model: str, axis: str, value: object) -> bool:
        counts = common[model, axis]
        most = max(counts.values())
        return list(counts.values()).count(most) > 1 or counts[value] < most

    return [
        {a: v for a, v in cell.items() if len(common[model, a]) > 1 and differs(model, a, v)} for model, cell in found
    ]


def _row(label: str, runs: xr.Dataset) -> Row:
    gaps = statistics.final(runs, "gap")
    total, few = statistics.interval(gaps), statistics.single(gaps).dropna("seed").values.tolist()
    predicted, certified = np.nan, False
    if "stationary_gap" in runs:
        predicted = statistics.predicted_gap(runs).median("seed").item()
        certified = statistics.certified(runs)
    values = (total[name].item() for name in ("estimate", "low", "high"))
    return Row(label, *values, few=few, predicted=predicted, certified=certified, noise=closure.of(runs).noise)
