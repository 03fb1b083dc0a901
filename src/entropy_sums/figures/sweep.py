"""Panels of one setting each, varied around the base cell of a model."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from entropy_sums.analysis import names
from entropy_sums.figures import layout, style


def tiles(number: int, columns: int, height: float, label: str, **options) -> tuple[Figure, list[Axes]]:
    """Figure with this number of panels, and their axes; it says so if nothing is varied.

    Args:
        columns: largest number of panels beside each other.
        height: height of one panel in inches.
        label: label of the y axes.
        options: of `matplotlib.figure.Figure.subplots`.

    Example:
        >>> figure, used = tiles(0, 3, 1.5, "nats")
        >>> [text.get_text() for text in used[0].texts]
        ['no setting is varied']
    """
    shown = max(1, number)
    columns = layout.arrange(shown, columns)[1]
    figure, grid, used = layout.tiles(shown, columns, layout.width(columns), height, **options)
    if not number:
        style.say(used[0], "no setting is varied")
    for ax in grid[:, 0]:
        ax.set_ylabel(label)
    return figure, used


def name(ax: Axes, model: str, axis: str, values: Iterable[float]) -> None:
    """Label a panel: the model above, the setting below, on a logarithmic axis with its values.

    Example:
        >>> figure, used = tiles(1, 3, 1.5, "nats")
        >>> name(used[0], "vae1", "latent_dim", [2, 4])
        >>> used[0].get_title(), used[0].get_xlabel(), used[0].get_xticks().tolist()
        ('VAE-1', 'latent size', [2, 4])
    """
    ax.set(title=names.readable(model), xlabel=names.readable(axis), xscale="log")
    ticks = sorted(set(values))
    ax.set_xticks(ticks, [names.settings(value) for value in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
