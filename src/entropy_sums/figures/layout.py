"""Layout of figures: panels, legends and axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.figures.style import COLUMN_WIDTH, GUIDE, TEXT_WIDTH, Look


def width(columns: int) -> float:
    """Width in inches for this number of panels beside each other: a column of the paper, its text width, or more.

    Example:
        >>> width(1), width(5), width(10)
        (3.25, 6.75, 12.0)
    """
    return COLUMN_WIDTH if columns <= 2 else max(TEXT_WIDTH, 1.2 * columns)


def arrange(panels: int, columns: int) -> tuple[int, int]:
    """Rows and columns for this number of panels: at most `columns` beside each other, in rows as even as possible.

    Example:
        >>> arrange(4, 3), arrange(3, 3), arrange(7, 3)
        ((2, 2), (1, 3), (3, 3))
    """
    rows = math.ceil(panels / columns)
    return rows, math.ceil(panels / rows)


def facets(
    rows: int, columns: int, inches: float, row_heights: Iterable[float], **options
) -> tuple[Figure, np.ndarray]:
    """A figure and its grid of axes, shape (rows, columns).

    Args:
        rows, columns: number of panels.
        inches: width of the figure.
        row_heights: heights of the panels in inches; room for labels is added.
        options: of `matplotlib.figure.Figure.subplots`.

    Example:
        >>> figure, axes = facets(1, 2, TEXT_WIDTH, [1.5])
        >>> axes.shape
        (1, 2)
    """
    heights = list(row_heights)
    figure = Figure((inches, sum(heights) + 0.75), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights}, **options)
    return figure, grid


def per_model(
    tree: xr.DataTree, height: float, shown: Callable[[xr.Dataset], bool] = lambda runs: True, **options
) -> tuple[Figure, np.ndarray, list[tuple[Axes, xr.Dataset]]]:
    """A column per model and a row per combination of facet axes, both named: figure, grid, panels with their runs.

    The runs of a panel are the usable ones of its cell.

    Args:
        tree: collected, narrowed to one dataset.
        height: height of a panel in inches.
        shown: whether to show runs; a row without such runs is left out, unless no row would be left.
        options: of `matplotlib.figure.Figure.subplots`.

    Example:
        >>> figure, grid, panels = per_model(cells.narrow(tree, "pca"), 1.25)
        >>> grid.shape, len(panels), panels[0][1]["elbo"].dims
        ((2, 4), 8, ('seed', 'step'))
    """
    runs = {model: statistics.usable(tree[model].to_dataset().isel(dataset=0)) for model in cells.models(tree)}
    planned = cells.combinations(tree)
    worth = [cell for cell in planned if any(shown(cells.select(ds, cell)) for ds in runs.values())]
    combinations = worth or planned
    heights = [height] * len(combinations)
    figure, grid = facets(len(combinations), len(runs), width(len(runs)), heights, **options)
    panels = []
    for column, (model, ds) in enumerate(runs.items()):
        grid[0, column].set_title(names.readable(model))
        panels += [(grid[row, column], cells.select(ds, cell)) for row, cell in enumerate(combinations)]
    name_rows(figure, dict(zip(names.rows(combinations), grid[:, -1:], strict=True)))
    return figure, grid, panels


def tiles(number: int, columns: int, inches: float, height: float, **options) -> tuple[Figure, np.ndarray, list[Axes]]:
    """A figure of `number` equal panels in rows, its grid of axes, and the axes in use.

    Args:
        columns: largest number of panels beside each other.
        inches, height: width of the figure, height of one panel.
        options: of `matplotlib.figure.Figure.subplots`.

    Example:
        >>> figure, grid, used = tiles(3, 2, TEXT_WIDTH, 1.5)
        >>> grid.shape, len(used)
        ((2, 2), 3)
    """
    rows, columns = arrange(number, columns)
    figure, grid = facets(rows, columns, inches, [height] * rows, **options)
    for ax in grid.flat[number:]:
        ax.set_visible(False)
    return figure, grid, list(grid.flat[:number])


def step_axis(ax: Axes, last: int) -> None:
    """Set an axis of optimiser steps up to `last`: linear up to 1, so that the start is on the axis, then logarithmic.

    Example:
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> step_axis(axes[0, 0], 20000)
        >>> axes[0, 0].get_xticks().tolist()
        [0, 100, 10000]
    """
    decades = int(np.log10(max(last, 10)))
    ax.set_xscale("symlog", linthresh=1, linscale=0.5)
    ax.set_xlim(0, last)
    ax.set_xticks([0, *sorted(10**k for k in range(decades, 0, decades // -2))])


def dot(color: str, marker: str, label: str) -> Line2D:
    """An entry of a legend.

    Example:
        >>> dot("black", "o", "VAE-1").get_label()
        'VAE-1'
    """
    return Line2D([], [], color=color, marker=marker, markersize=4, linestyle="", label=label)


def legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Add a legend above all panels, in as many lines as its width needs.

    Example:
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> legend(figure, [dot("black", "o", "VAE-1")])
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['VAE-1']
    """
    widths = [0.42 + 0.052 * len(str(handle.get_label())) for handle in handles]
    fits = sum(widths) <= figure.get_figwidth()
    columns = len(handles) if fits else max(1, int(figure.get_figwidth() / max(widths)))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns)


def model_legend(figure: Figure, looks: Mapping[str, Look], guide: str) -> None:
    """Add a legend of models and of the line to compare with.

    Example:
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> from entropy_sums.figures.style import model_looks
        >>> model_legend(figure, model_looks(["vae1"]), "identity")
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['VAE-1', 'identity']
    """
    dots = [dot(look.color, look.marker, names.readable(model)) for model, look in looks.items()]
    legend(figure, [*dots, Line2D([], [], label=guide, **GUIDE)])


def name_rows(figure: Figure, rows: Mapping[str, np.ndarray]) -> None:
    """Write the facet of each row along the right margin; nothing for a single row without a name.

    Args:
        rows: label (a line per axis of the study) → the axes of that row, from top to bottom.

    Example:
        >>> figure, axes = facets(2, 1, COLUMN_WIDTH, [1, 1])
        >>> name_rows(figure, {"latent size 2": axes[:, 0]})
        >>> [text.get_text() for text in axes[0, 0].texts]
        ['latent size 2']
    """
    if list(rows) == [""]:
        return
    lines = max(label.count("\n") + 1 for label in rows)
    margin = (0.14 * lines + 0.05) / figure.get_figwidth()
    figure.set_layout_engine("constrained", rect=(0, 0, 1 - margin, 1))
    for label, axes in rows.items():
        ax = axes[0]
        text = ax.annotate(
            label,
            (1, 1 - len(axes) / 2),
            (5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            rotation=270,
            va="center",
            multialignment="center",
            annotation_clip=False,
        )
        # a label longer than its row must not push the rows apart
        text.set_in_layout(False)
