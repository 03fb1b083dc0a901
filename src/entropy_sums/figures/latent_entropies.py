"""Posterior collapse: mean posterior entropy of each latent, and number of active latents."""

from __future__ import annotations

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from entropy_sums.analysis import cells, latents, names, statistics
from entropy_sums.figures import captions, layout, style

LINE: dict[str, Any] = {"color": "black", "linewidth": 0.6}

TITLES = ("during training", "active latents", "at the end, by rank")


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A row per combination of facet axes: entropies during training, number of active latents, bars at the end.

    The latents of each run are ranked by their entropy at the end before the median over seeds is taken, since their
    order within a model means nothing.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> [ax.get_title() for ax in draw(cells.narrow(tree, "pca")).axes[:3]]
        ['during training', 'active latents', 'at the end, by rank']
    """
    combinations, models = cells.combinations(tree), cells.models(tree)
    figure, grid = layout.facets(len(combinations), 3, style.TEXT_WIDTH, [1.35] * len(combinations))
    looks = style.model_looks(models)
    last = cells.last_step(tree)
    for ax, title in zip(grid[0], TITLES, strict=True):
        ax.set_title(title)
    for row, combination in enumerate(combinations):
        chosen = {model: cells.select(tree[model].to_dataset().isel(dataset=0), combination) for model in models}
        runs = {model: statistics.usable(ds) for model, ds in chosen.items()}
        finished = {model: ds for model, ds in runs.items() if statistics.final(ds, "latent_entropy").notnull().any()}
        curves, numbers, bars = grid[row]
        for ax in (curves, numbers):
            layout.step_axis(ax, last)
        for ax in (curves, bars):
            ax.axhline(latents.PRIOR, zorder=0, **LINE)
            ax.axhline(latents.COLLAPSED, zorder=0, **style.GUIDE)
            ax.set_ylabel("entropy (nats)")
        for model, ds in finished.items():
            _curves(curves, ds, looks[model])
            _numbers(numbers, ds, looks[model])
        _bars(bars, finished, looks)
        numbers.set_ylabel("number")
        numbers.set_ylim(bottom=0)
        for axis in (numbers.yaxis, bars.xaxis):
            axis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        if unfinished := [names.readable(model) for model in models if model not in finished]:
            style.say(bars, f"no finished run: {', '.join(unfinished)}", y=0.06)
    for ax, label in zip(grid[-1], ("optimiser step", "optimiser step", "latent"), strict=True):
        ax.set_xlabel(label)
    layout.name_rows(figure, dict(zip(names.rows(combinations), grid[:, -1:], strict=True)))
    handles = [layout.dot(look.color, look.marker, names.readable(model)) for model, look in looks.items()]
    handles.append(Line2D([], [], label="prior", **LINE))
    handles.append(Line2D([], [], label="collapse (1 nat)", **style.GUIDE))
    layout.legend(figure, handles)
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:65]
        'Mean posterior entropy of each latent on PCA (nats), during train'
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        f"Mean posterior entropy of each latent on {names.readable(dataset)} (nats), during training (left) and at the "
        "end (right, whiskers: 25 to 75 %). Latents are ranked within each run by their entropy at the end.",
        f"Solid line: entropy {latents.PRIOR:.3f} of the standard normal prior. Dashed line: {latents.COLLAPSED:.1f}; "
        "Damm et al. (2023) call a latent with at least this entropy collapsed. Neither line applies to VAE-2, which "
        "learns its prior variances.",
        "Middle: number of latents below the dashed line, with quartiles. The mark at the end is the number of latents "
        f"whose posterior mean has a variance above {latents.ACTIVE_VARIANCE:g} over the training points (Burda et al. "
        "2016), for models with a normal posterior.",
        "All values are medians over seeds.",
        captions.facets(tree, "Rows"),
    )


def _curves(ax: Axes, ds: xr.Dataset, look: style.Look) -> None:
    medians = statistics.band(latents.ranked(ds["latent_entropy"], ds))["median"]
    for line in medians.dropna("rank", how="all").transpose("rank", "step"):
        kept = line.dropna("step")
        ax.plot(kept["step"], kept, color=look.color, linewidth=0.9)


def _numbers(ax: Axes, ds: xr.Dataset, look: style.Look) -> None:
    entropy = ds["latent_entropy"]
    style.draw_band(ax, statistics.band(latents.number(latents.active_by_entropy(entropy), entropy)), look.color)
    if "latent_spread" in ds and ds["latent_spread"].notnull().any():
        variance = ds["latent_spread"]
        active = latents.number(latents.active_by_variance(variance), variance).median("seed").item()
        options: dict[str, Any] = {"color": look.color, "markersize": 4, "clip_on": False, "zorder": 3}
        ax.plot([ax.get_xlim()[1]], [active], look.marker, **options)


def _bars(ax: Axes, groups: dict[str, xr.Dataset], looks: dict[str, style.Look]) -> None:
    width, largest = 0.8 / max(len(groups), 1), 1
    for place, (model, ds) in enumerate(groups.items()):
        end = statistics.final(ds, "latent_entropy")
        band = statistics.band(latents.ranked(end, ds)).dropna("rank")
        largest = max(largest, band.sizes["rank"])
        x = band["rank"] + (place - (len(groups) - 1) / 2) * width
        ax.bar(x, band["median"], 0.9 * width, color=looks[model].color, alpha=0.75, linewidth=0)
        ax.vlines(x, band["low"], band["high"], color="black", linewidth=0.7)
        ax.plot(x, band["median"], color=looks[model].color, marker=looks[model].marker, markersize=2.5, ls="")
    # Differential entropies may be negative: bars then hang from zero
    ax.axhline(0, color="black", linewidth=0.4)
    ax.set_xlim(0.4, largest + 0.6)
