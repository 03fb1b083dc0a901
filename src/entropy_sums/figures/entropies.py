"""ELBO and the entropies of the entropy sum during training: the trade-offs of each objective."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.figures import captions, layout, style

POSTERIOR = "#E69F00"
COLUMNS = 4
"""Number of panels beside each other."""

EARLY = 0.1
"""Share of the recorded values at either end that may be off scale, so that the late steps can be read."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A panel per model and combination of facet axes: medians over seeds, with their quartiles as bands.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> [ax.get_title().splitlines() for ax in draw(cells.narrow(tree, "pca")).axes][:2]
        [['linear VAE', 'latent size 2'], ['linear VAE', 'latent size 4']]
    """
    panels = list(cells.walk(tree))
    width = style.TEXT_WIDTH if len(panels) > 1 else style.COLUMN_WIDTH
    figure, grid, used = layout.tiles(len(panels), COLUMNS, width, 1.4)
    last = cells.last_step(tree)
    colors = style.factor_colors(dict.fromkeys(str(f) for _, _, ds in panels for f in ds["factor"].values))
    titles = names.apart([(model, cell) for model, cell, _ in panels])
    for ax, title, (_, _, ds) in zip(used, titles, panels, strict=True):
        layout.step_axis(ax, last)
        ax.set_title(title)
        _curves(ax, statistics.usable(ds), colors)
    for ax in grid[:, 0]:
        ax.set_ylabel("nats")
    figure.supxlabel("optimiser step", fontsize="medium")
    lines = {"ELBO": style.QUANTITIES["elbo"], "entropy of the posterior": POSTERIOR}
    lines |= {f"of the {names.readable(factor)}": color for factor, color in colors.items()}
    layout.legend(figure, [Line2D([], [], color=color, label=label) for label, color in lines.items()])
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:47]
        'Entropies and ELBO during training on PCA (nats'
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        f"Entropies and ELBO during training on {names.readable(dataset)} (nats per data point), on the training set.",
        "When the gap has closed, the ELBO equals the entropy of the posterior minus the entropies of all factors.",
        "Lines: median over seeds; bands: 25 to 75 %.",
        captions.facets(tree, "Panels"),
        "Triangles mark medians beyond the scale. The step axis is linear up to step 1 and logarithmic from there.",
    )


def _curves(ax: Axes, ds: xr.Dataset, colors: dict[str, str]) -> None:
    if not ds["elbo"].notnull().any():
        style.say(ax, "no finished run")
        ax.set_yticks([])
        return
    curves = [(ds["posterior_entropy"], POSTERIOR)]
    curves += [(ds["entropy"].sel(factor=factor), color) for factor, color in colors.items() if factor in ds["factor"]]
    curves = [(values, color) for values, color in curves if values.notnull().any()]
    bands = [(statistics.band(values), color) for values, color in [*curves, (ds["elbo"], style.QUANTITIES["elbo"])]]
    for band, color in bands:
        style.draw_band(ax, band, color)
    medians = np.concatenate([band["median"].dropna("step").values for band, _ in bands])
    ends = [band["median"].dropna("step").values[-1] for band, _ in bands]
    bottom, top = np.quantile(medians, [EARLY, 1 - EARLY])
    bottom, top = min(bottom, *ends), max(top, *ends)
    margin = 0.06 * (top - bottom) or 1.0
    ax.set_ylim(bottom - margin, top + margin)
    for band, color in bands:
        style.mark_beyond(ax, band["median"], color)
