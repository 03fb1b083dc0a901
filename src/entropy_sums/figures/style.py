"""Style of all figures: sizes, fonts, colours, and saving without traces of time or place."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from entropy_sums.analysis import names
from entropy_sums.models.base import Look
from entropy_sums.models.catalogue import MODELS
from entropy_sums.quantities import SHOWN, group_name
from entropy_sums.settings import own

COLUMN_WIDTH, TEXT_WIDTH = 3.25, 6.75
"""Widths in inches, as in the style files of AISTATS, NeurIPS and ICML."""

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
"""Style of a line to compare with."""


QUANTITIES = {quantity.name: quantity.shown.colour for quantity in SHOWN if quantity.shown.colour}
"""Colour of each quantity that figures draw."""

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

_FURTHER_COLORS = ("#E69F00", "#56B4E9", "#332288", "#882255", "#999933")

_FURTHER_LOOKS = tuple(Look(color, marker) for marker in "Pph*d<>" for color in _FURTHER_COLORS)


def model_looks(models: Iterable[str]) -> dict[str, Look]:
    """Colour and marker of each model: as its settings declare it, else as the file has it, or by a digest of its name.

    Two models of one study that declare none get different looks as long as there are any left.

    Example:
        >>> model_looks(["vae1"])["vae1"]
        Look(color='#0072B2', marker='o')
    """
    models = list(models)
    recorded = {group: names.of_plugin(group).get("look") for group in models}
    ours = {group_name(model): own(schema, "look") for model, schema in MODELS.items()}
    looks = {group: ours.get(group) or look for group, look in recorded.items()}
    return _chosen(models, {group: Look(*look) for group, look in looks.items() if look}, _FURTHER_LOOKS)


def factor_colors(factors: Iterable[str]) -> dict[str, str]:
    """Colour of each factor, in the same way.

    Example:
        >>> factor_colors(["prior", "observation"])
        {'prior': '#CC79A7', 'observation': '#009E73'}
    """
    return _chosen(factors, FACTORS, _FURTHER_COLORS)


def shades(values: Sequence[T]) -> dict[T, str]:
    """Colours of the values of a setting, from dark to light.

    Example:
        >>> shades([2, 4, 6])
        {2: '#440154', 4: '#23898e', 6: '#d8e219'}
    """
    places = np.linspace(0, 0.94, len(values))
    return {value: to_hex(mpl.colormaps["viridis"](x)) for value, x in zip(values, places, strict=True)}


def say(ax: Axes, text: str, x: float = 0.5, y: float = 0.5, **options) -> None:
    """Write into a panel, in fractions of its width and height, legibly over what is drawn there.

    Example:
        >>> from entropy_sums.figures.layout import facets
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> say(axes[0, 0], "no finished run")
        >>> axes[0, 0].texts[0].get_text()
        'no finished run'
    """
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    ax.text(x, y, text, transform=ax.transAxes, **{"ha": "center", "va": "center", "bbox": box} | options)


def draw_band(ax: Axes, band: xr.Dataset, color: str, line: str = "-") -> None:
    """Draw the median as a line and quartiles as a band against `step`, joined over steps that were not recorded.

    Args:
        band: `low`, `median`, `high` over `step`, as in `statistics.band`.

    Example:
        >>> from entropy_sums.analysis.statistics import band
        >>> values = xr.DataArray([[1.0, 2.0]], {"step": [0, 1]}, ["seed", "step"])
        >>> from entropy_sums.figures.layout import facets
        >>> figure, axes = facets(1, 1, COLUMN_WIDTH, [1])
        >>> draw_band(axes[0, 0], band(values), "black")
        >>> axes[0, 0].lines[0].get_ydata()
        array([1., 2.])
    """
    band = band.dropna("step")
    ax.fill_between(band["step"], band["low"], band["high"], color=color, alpha=0.25, linewidth=0)
    ax.plot(band["step"], band["median"], color=color, linestyle=line)


def mark_beyond(ax: Axes, median: xr.DataArray, color: str) -> None:
    """Draw triangles at the lower or upper edge of the panel where a curve over `step` lies beyond its limits.

    Example:
        >>> from entropy_sums.figures.layout import facets
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


def draw_floor(ax: Axes, floor: xr.DataArray) -> None:
    """Draw a noise floor over `step`, dotted."""
    ax.plot(floor["step"], floor, color=GUIDE["color"], linewidth=0.8, linestyle=":")


NOISE = {"color": "0.85", "linewidth": 0, "zorder": 0}
"""Area in which a gap cannot be told from zero, or from its prediction."""


def percent(value: float) -> str:
    """A percentage with two digits, as many as the variation over seeds justifies; below 0.001 only this limit.

    Example:
        >>> percent(0.0801), percent(5.04), percent(1234.5), percent(3.6e-5)
        ('0.080', '5.0', '1234', '<0.001')
    """
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:#.2g}".rstrip(".") if abs(value) < 99.5 else f"{value:.0f}"


def _chosen(called, fixed, further) -> dict:
    """Fixed values of some names, and for each other name one of `further`, chosen by a digest of the name."""
    known = list(dict.fromkeys(called))
    looks, used = {name: fixed[name] for name in known if name in fixed}, Counter()
    for name in sorted(set(known) - set(fixed)):
        start = zlib.crc32(name.encode())
        slot = min(range(len(further)), key=lambda k: (used[(start + k) % len(further)], k))
        used[(start + slot) % len(further)] += 1
        looks[name] = further[(start + slot) % len(further)]
    return {name: looks[name] for name in known}
