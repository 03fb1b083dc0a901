r"""Squares of posterior means against posterior variances, latent by latent."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, latents, names, statistics
from entropy_sums.figures import captions, layout, style

ACTIVE, COLLAPSED = "#0072B2", "#D55E00"


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A column per model, a row per combination of facet axes, a dot per latent and seed.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> len(draw(cells.narrow(tree, "pca")).axes)
        8
    """
    figure, _, panels = layout.per_model(tree, 1.25)
    for ax, runs in panels:
        _dots(ax, runs)
    figure.supxlabel(r"$\tau_h^2$, mean over points", fontsize="medium")
    figure.supylabel(r"$\nu_h^2$, mean over points", fontsize="medium")
    active, collapsed = (
        Line2D([], [], color=color, marker="o", markersize=3.5, ls="", markerfacecolor=face, label=label)
        for color, face, label in ((ACTIVE, ACTIVE, "active"), (COLLAPSED, "none", "collapsed"))
    )
    layout.legend(figure, [active, collapsed, Line2D([], [], label="sum of 1", **style.GUIDE)])
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:61]
        'Square of the posterior mean against the posterior variance o'
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        "Square of the posterior mean against the posterior variance of each latent at the end of training: means over "
        f"the training points of {names.readable(dataset)}, one dot per latent and seed.",
        "Dashed: sum of 1, the second moment of a standard normal prior. At stationary points of models with such a "
        "prior, the mean over latents of the sum is 1. Hollow: collapsed latents, with a mean posterior entropy of at "
        f"least {latents.COLLAPSED:g} nat (Damm et al. 2023).",
        captions.facets(tree, "Rows"),
    )


def _dots(ax: Axes, ds: xr.Dataset) -> None:
    if "latent_square" not in ds or not ds["latent_square"].notnull().any():
        style.say(ax, "no normal posterior" if ds["elbo"].notnull().any() else "no finished run")
        ax.set_xticks([])
        ax.set_yticks([])
        return
    collapsed = ~latents.active_by_entropy(statistics.final(ds, "latent_entropy"))
    for marked, color, face in ((False, ACTIVE, ACTIVE), (True, COLLAPSED, "none")):
        kept = collapsed == marked
        x, y = (ds[f"latent_{name}"].where(kept).values.ravel() for name in ("variance", "square"))
        ax.plot(x, y, "o", color=color, markerfacecolor=face, markersize=3.5, markeredgewidth=0.8)
    # The whole line, whatever latents there are; a scale of their own beyond it
    top = max(1.0, *(ds[f"latent_{name}"].max().item() for name in ("variance", "square")))
    ax.plot([0, 1], [1, 0], zorder=0, **style.GUIDE)
    ax.set_xlim(-0.06 * top, 1.1 * top)
    ax.set_ylim(-0.06 * top, 1.1 * top)
    ax.locator_params(nbins=3)
    ax.set_aspect("equal", adjustable="box")
