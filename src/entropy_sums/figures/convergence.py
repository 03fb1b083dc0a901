"""Convergence of the gap: during training, with the gradient, and with the distance of the ELBO to its final value."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from entropy_sums.analysis import cells, names, powers, statistics, sweeps
from entropy_sums.figures import captions, layout, style
from entropy_sums.tables.words import rounded


class Law(NamedTuple):
    """A power law to fit: its row in the figure, its two variables, its colour and marker, and its name."""

    row: int
    x: Callable[[xr.Dataset], powers.Measured]
    y: Callable[[xr.Dataset], powers.Measured]
    color: str
    marker: str
    words: str


LAWS = (
    Law(1, powers.gradient, powers.gap, style.QUANTITIES["entropy_sum"], "o", "gap against gradient norm"),
    Law(1, powers.gradient, powers.distance, style.QUANTITIES["elbo"], "s", "ELBO distance against gradient norm"),
    Law(2, powers.distance, powers.gap, style.QUANTITIES["entropy_sum"], "o", "gap against ELBO distance"),
)

Y_LABELS = ("|gap| (nats)", "|gap|, distance (nats)", "|gap| (nats)")
X_LABELS = (
    "optimiser step",
    "norm of the gradient of the ELBO (nats per unit of parameter)",
    "distance of the ELBO to its final value (nats)",
)


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A column per model, for its base cell: |gap| against steps, with the gradient norm, with the ELBO distance.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> figure = draw(cells.narrow(tree, "pca"))
        >>> len(figure.axes), figure.axes[0].get_title()
        (12, 'linear VAE')
    """
    models = cells.models(tree)
    figure, grid = layout.facets(
        3, len(models), layout.width(len(models)), [1.15, 1.6, 1.4], sharex="row", sharey="row"
    )
    last = cells.last_step(tree)
    for ax in grid[1:, 0]:
        ax.set(xscale="log", yscale="log")
    schedules: dict[str, str] = {}
    for column, model in enumerate(models):
        ds = statistics.usable(tree[model].to_dataset())
        grid[0, column].set_title(names.readable(model))
        schedules |= _steps(grid[0, column], ds, last)
        runs = cells.select(ds, sweeps.base(ds))
        for law in LAWS:
            _curve(grid[law.row, column], runs, law)
    for row, (x, y) in enumerate(zip(X_LABELS, Y_LABELS, strict=True)):
        grid[row, 0].set_ylabel(y)
        # Below the middle of the row, which with an even number of panels is between two
        grid[row, (len(models) - 1) // 2].set_xlabel(x, x=0.5 if len(models) % 2 else 1.1)
    kinds = [layout.dot(LAWS[0].color, "o", "|gap|"), layout.dot(LAWS[1].color, "s", "ELBO distance")]
    layout.legend(figure, [*(Line2D([], [], color=c, label=label) for label, c in schedules.items() if label), *kinds])
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the exponents with their intervals.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:33]
        'How the gap closes on PCA (nats p'
    """
    (dataset,) = cells.datasets(tree)
    groups = {names.readable(model): statistics.usable(node.to_dataset()) for model, node in tree.children.items()}
    lines = dict.fromkeys(axis for ds in groups.values() for changed in sweeps.series(ds) for axis in changed)
    colors = "".join(f", for each {names.readable(axis)}" for axis in lines)
    return captions.compose(
        tree,
        f"How the gap closes on {names.readable(dataset)} (nats per data point), in the base cell of each model.",
        f"Top: absolute gap against the optimiser step, median over seeds with quartiles{colors}. Dotted: its "
        "median Monte Carlo standard error. Vertical line: start of the last phase.",
        "Middle: absolute gap (orange circles) and distance of the ELBO to its final value (blue squares) against the "
        "gradient norm. Bottom: absolute gap against that distance. One point per recorded step, median over seeds. "
        "Lines are fitted to the filled points. These begin where the ELBO stays within "
        f"{powers.NEAR:g} nats per data dimension of its final value; their gap is above {powers.GAP_NOISE} and "
        f"their distance above {powers.DISTANCE_NOISE} standard errors. The final value is the last ELBO of the run, "
        "so smaller distances would be underestimated.",
        *(_in_words(model, ds) for model, ds in groups.items()),
        f"Intervals: 95 %, from resampling the seeds, for at least {statistics.MINIMUM_RUNS} runs. Near a stationary "
        "point that is approached along one direction, the exponents are 1, 2 and 1/2.",
    )


def fitted(runs: xr.Dataset, law: Law) -> xr.Dataset:
    """The law fitted to the runs of one cell, from the step on at which they have settled.

    Example:
        >>> found = fitted(tree["vae1"].to_dataset().isel(dataset=0, latent_dim=0), LAWS[0])
        >>> 0.8 < found["estimate"].item() < 1.2, found["runs"].item()
        (True, 8)
    """
    runs = powers.settled(runs)
    return powers.law(law.x(runs), law.y(runs))


def _in_words(model: str, ds: xr.Dataset) -> str:
    runs = cells.select(ds, sweeps.base(ds))
    said = []
    for law in LAWS:
        found = fitted(runs, law)
        if found["estimate"].notnull():
            within = f", {found['left_out'].item()} within the noise"
            said.append(f"{law.words} {exponent(found)} ({found['points'].item()} points{within})")
    return f"Exponents of {model}: {'; '.join(said)}." if said else f"Too few points for a law of {model}."


def exponent(law: xr.Dataset) -> str:
    """The exponent with its interval, both to the second digit of the width of the interval.

    Example:
        >>> exponent(xr.Dataset({"estimate": 1.91, "low": 1.48, "high": 2.13}))
        '1.91 [1.48, 2.13]'
    """
    return rounded(*(law[name].item() for name in ("estimate", "low", "high"))).replace("-", "−")


def _steps(ax: Axes, ds: xr.Dataset, last: int) -> dict[str, str]:
    """Draw |gap| against steps in each series; returns labels and colours."""
    ax.set(xlim=(0, last), yscale="log")
    ax.xaxis.set_major_locator(MaxNLocator(3))
    (dataset,) = ds["dataset"].values.tolist()
    if (start := sweeps.polish_start(ds, dataset)) is not None:
        ax.axvline(start, color="0.8", linewidth=0.8, zorder=0)
    labels = {}
    for changed in sweeps.series(ds):
        label = names.in_words(changed)
        color = style.SERIES.get(next(iter(changed.values()), ""), style.ERROR)
        runs = cells.select(ds, sweeps.base(ds) | changed)
        style.draw_band(ax, statistics.band(abs(runs["gap"])), color)
        noise = runs["gap_standard_error"].median("seed").dropna("step")
        ax.plot(noise["step"], noise, color=color, linewidth=0.8, linestyle=":")
        labels[label] = color
    return labels


def _curve(ax: Axes, runs: xr.Dataset, law: Law) -> None:
    every = powers.points(law.x(runs), law.y(runs))
    near = powers.settled(runs)
    used = powers.points(law.x(near), law.y(near))
    used = used.isel(step=used["clear"].values)
    shown = every.isel(step=((every["x"] > 0) & (every["y"] > 0)).values)
    ax.plot(shown["x"], shown["y"], law.marker, color=law.color, markersize=3, markerfacecolor="none", alpha=0.35)
    ax.plot(used["x"], used["y"], law.marker, color=law.color, markersize=3)
    found = fitted(runs, law)
    if found["estimate"].notnull():
        x = np.array([used["x"].min().item(), used["x"].max().item()])
        ax.plot(x, found["factor"].item() * x ** found["estimate"].item(), color="black", linewidth=0.8)
        style.say(ax, exponent(found), 0.98, 0.02 + 0.11 * len(ax.texts), ha="right", va="bottom", color=law.color)
