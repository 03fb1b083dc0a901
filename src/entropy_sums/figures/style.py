"""The one look of all figures: sizes, fonts, colours, and saving without traces of time or place."""

from __future__ import annotations

import math
import textwrap
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.files import atomic

COLUMN_WIDTH, TEXT_WIDTH = 3.25, 6.75
"""Inches, as in the style files of AISTATS, NeurIPS and ICML."""

T = TypeVar("T")

RC: dict[Any, Any] = {
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.2,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "pdf.fonttype": 42,
    "svg.hashsalt": "entropy_sums",
}
styled = mpl.rc_context(RC)
"""Decorator: draw with this style, whatever the matplotlib settings of the machine are."""


ERROR = "#000000"
CERTIFIED, UNCERTIFIED = "#0072B2", "#D55E00"
GUIDE: dict[str, Any] = {"color": "0.35", "linewidth": 0.8, "linestyle": "--"}
"""A line to compare with."""


class Look(NamedTuple):
    """How one model is drawn."""

    color: str
    marker: str


QUANTITIES = {
    "elbo": "#0072B2",
    "heldout_elbo": "#56B4E9",
    "entropy_sum": "#D55E00",
    "log_likelihood": "#000000",
    "importance_weighted_bound": "#009E73",
    "forward_ais": "#CC79A7",
    "reverse_ais": "#882255",
    "elbo_forward_ais": "#AA4499",
    "elbo_reverse_ais": "#332288",
    "heldout_log_likelihood": "#BBBBBB",
    "true_log_likelihood": "#E69F00",
}
SERIES = {
    "constant": "#E69F00",
    "cosine": "#332288",
    "linear": "#882255",
    "exact": "#000000",
    "cd": "#D55E00",
    "pcd": "#0072B2",
    "parallel_tempering": "#009E73",
}
"""Colour of a schedule of the learning rate, or of a gradient, where each is a line of its own."""

FACTORS = {"prior": "#CC79A7", "observation": "#009E73", "joint": "#332288"}
MODELS = {
    "linearvae": Look("#000000", "D"),
    "vae0": Look("#8C8C8C", "X"),
    "vae1": Look("#0072B2", "o"),
    "vae2": Look("#009E73", "s"),
    "vae3": Look("#D55E00", "^"),
    "convvae": Look("#E69F00", "s"),
    "bernoullivae": Look("#CC79A7", "v"),
    "gaussianmixture": Look("#0072B2", "*"),
    "poissonmixture": Look("#E69F00", "*"),
    "bernoullimixture": Look("#CC79A7", "*"),
    "exponentialmixture": Look("#332288", "*"),
    "gammamixture": Look("#009E73", "*"),
    "sparsecoding": Look("#D55E00", "d"),
    "factoranalysis": Look("#56B4E9", "<"),
    "sbn": Look("#882255", "P"),
    "rbm": Look("#332288", "p"),
    "gaussianrbm": Look("#999933", "h"),
    "dbn": Look("#009E73", ">"),
    "dbm": Look("#0072B2", "h"),
}
_FURTHER_COLORS = ("#E69F00", "#56B4E9", "#332288", "#882255", "#999933")
_FURTHER_LOOKS = tuple(Look(color, marker) for marker in "Pph*d<>" for color in _FURTHER_COLORS)


def model_looks(models: Iterable[str]) -> dict[str, Look]:
    """Colour and marker of each model: fixed for the known ones, by a digest of the name for others.

    Two models of one study get different looks as long as there are any left.

    Example:
        >>> model_looks(["vae1"])["vae1"]
        Look(color='#0072B2', marker='o')
    """
    return _spread(models, MODELS, _FURTHER_LOOKS)


def factor_colors(factors: Iterable[str]) -> dict[str, str]:
    """Colour of each factor, in the same way.

    Example:
        >>> factor_colors(["prior", "observation"])
        {'prior': '#CC79A7', 'observation': '#009E73'}
    """
    return _spread(factors, FACTORS, _FURTHER_COLORS)


def shades(values: Sequence[T]) -> dict[T, str]:
    """Colours of the values of a setting, from dark to light.

    Example:
        >>> shades([2, 4, 6])
        {2: '#440154', 4: '#23898e', 6: '#d8e219'}
    """
    places = np.linspace(0, 0.94, len(values))
    return {value: to_hex(mpl.colormaps["viridis"](x)) for value, x in zip(values, places, strict=True)}


def width(columns: int) -> float:
    """Inches for so many panels beside each other: a column of the paper, its text width, or more.

    Example:
        >>> width(1), width(5), width(10)
        (3.25, 6.75, 12.0)
    """
    return COLUMN_WIDTH if columns <= 2 else max(TEXT_WIDTH, 1.2 * columns)


def arrange(panels: int, columns: int) -> tuple[int, int]:
    """Rows and columns for so many panels, at most `columns` beside each other, the rows as even as can be.

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
        row_heights: of the panels in inches; what labels need besides is added.
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
        height: of a panel in inches.
        shown: whether runs are worth a place; a row without such runs is left out, unless no row were left.
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
    """A figure of `number` like panels in rows, its grid of axes, and those of the grid that are in use.

    Args:
        columns: as many panels are beside each other at most.
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


def say(ax: Axes, text: str, x: float = 0.5, y: float = 0.5, **options) -> None:
    """Write into a panel, in fractions of its width and height, legibly over what is drawn there.

    Example:
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> say(axes[0, 0], "no finished run")
        >>> axes[0, 0].texts[0].get_text()
        'no finished run'
    """
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    ax.text(x, y, text, transform=ax.transAxes, **{"ha": "center", "va": "center", "bbox": box} | options)


def draw_band(ax: Axes, band: xr.Dataset, color: str, line: str = "-") -> None:
    """Median as a line and quartiles as a band against `step`, joined over steps that were not recorded.

    Args:
        band: `low`, `median`, `high` over `step`, as `statistics.band` gives them.

    Example:
        >>> from entropy_sums.analysis.statistics import band
        >>> values = xr.DataArray([[1.0, 2.0]], {"step": [0, 1]}, ["seed", "step"])
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> draw_band(axes[0, 0], band(values), "black")
        >>> axes[0, 0].lines[0].get_ydata()
        array([1., 2.])
    """
    band = band.dropna("step")
    ax.fill_between(band["step"], band["low"], band["high"], color=color, alpha=0.25, linewidth=0)
    ax.plot(band["step"], band["median"], color=color, linestyle=line)


def mark_beyond(ax: Axes, median: xr.DataArray, color: str) -> None:
    """Triangles at the lower or upper edge of the panel wherever a curve over `step` lies beyond its limits.

    Example:
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> _ = axes[0, 0].set_ylim(0, 4)
        >>> mark_beyond(axes[0, 0], xr.DataArray([9.0, 2.0], {"step": [0, 1]}), "black")
        >>> [line.get_xdata().tolist() for line in axes[0, 0].lines]
        [[0]]
    """
    bottom, top = ax.get_ylim()
    for edge, beyond, marker in ((bottom, median < bottom, 7), (top, median > top, 6)):
        steps = median["step"].values[beyond.values]
        if steps.size:
            ax.plot(steps, np.full(steps.size, edge), color=color, marker=marker, markersize=3, ls="", clip_on=False)


def step_axis(ax: Axes, last: int) -> None:
    """Optimiser steps up to `last`: linear up to 1, so that the start is on the axis, logarithmic from there.

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
    """A legend above all panels, in as many lines as its width needs.

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
    """A legend of models and of the line to compare with.

    Example:
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> model_legend(figure, model_looks(["vae1"]), "identity")
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['VAE-1', 'identity']
    """
    dots = [dot(look.color, look.marker, names.readable(model)) for model, look in looks.items()]
    legend(figure, [*dots, Line2D([], [], label=guide, **GUIDE)])


def percent(value: float) -> str:
    """Two digits, as many as the spread over seeds lets one read; what is next to nothing has none.

    Example:
        >>> percent(0.0801), percent(5.04), percent(1234.5), percent(3.6e-5)
        ('0.080', '5.0', '1234', '<0.001')
    """
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:#.2g}".rstrip(".") if abs(value) < 99.5 else f"{value:.0f}"


def name_rows(figure: Figure, rows: Mapping[str, np.ndarray]) -> None:
    """Write along the right margin which facet the axes of a row show; nothing where there is but one, unnamed.

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


NOTE = 0.14
"""Inches for a line below all panels."""


def save(figure: Figure, path: Path | str, caption: str, note: str | None = None) -> None:
    """Write `path` with .pdf, .svg and .png (300 dpi) appended, and .txt for the caption.

    The same figure gives the same bytes.

    Args:
        note: what is said below the panels, and at the end of the caption.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(facets(1, 1, COLUMN_WIDTH, [1])[0], f"{folder}/empty", "Nothing.")
        ...     sorted(file.suffix for file in Path(folder).iterdir())
        ['.pdf', '.png', '.svg', '.txt']
    """
    # A date or a version in the metadata would make equal figures differ
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {"Software": None}}
    with mpl.rc_context(RC):
        below = _write_below(figure, note) if note else 0.0
        caption = f"{caption} {note}" if note else caption
        # One layout for all formats: it is the slowest part of drawing
        if engine := figure.get_layout_engine():
            engine.execute(figure)
        figure.set_layout_engine("none")
        for text in figure.texts:
            if text.get_text() and text.get_text() == figure.get_supxlabel():
                # Laid out at the lower edge of the figure, whatever is kept free there
                text.set_y(text.get_position()[1] + below)
        for ax in figure.axes:
            # Its solver goes by memory addresses: the last digits differ from run to run, and names made of them
            left, bottom, width, height = (round(value, 9) for value in ax.get_position(original=True).bounds)
            ax.set_position((left, bottom, width, height))
        for suffix, metadata in undated.items():
            with atomic(Path(f"{path}{suffix}")) as temporary:
                figure.savefig(temporary, dpi=300, metadata=metadata)
    with atomic(Path(f"{path}.txt")) as temporary:
        temporary.write_text(caption + "\n", encoding="utf-8")


def _write_below(figure: Figure, note: str) -> float:
    """A line of small print, for which the figure grows; the share of its height that it takes."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(note, int(22 * width))
    figure.set_size_inches(width, height + NOTE * len(lines))
    share = NOTE * len(lines) / figure.get_figheight()
    if engine := figure.get_layout_engine():
        left, bottom, across, up = engine.get().get("rect", (0, 0, 1, 1))
        figure.set_layout_engine("constrained", rect=(left, bottom + share, across, up - share))
    figure.text(0.01, 0.02 / figure.get_figheight(), "\n".join(lines), fontsize=6, color="0.35", va="bottom")
    return share


def _spread(names, fixed, further) -> dict:
    known = list(dict.fromkeys(names))
    looks, used = {name: fixed[name] for name in known if name in fixed}, Counter()
    for name in sorted(set(known) - set(fixed)):
        start = zlib.crc32(name.encode())
        slot = min(range(len(further)), key=lambda k: (used[(start + k) % len(further)], k))
        used[(start + slot) % len(further)] += 1
        looks[name] = further[(start + slot) % len(further)]
    return {name: looks[name] for name in known}
