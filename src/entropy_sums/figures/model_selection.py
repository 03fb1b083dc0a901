"""Selection of the latent size on a stream of data, by ELBOs and by entropy sums of minibatches."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import cells, names, streams
from entropy_sums.figures import captions, layout, style

EARLY = 0.12
"""Share of the highest averages that may be off scale: a model that has just met a segment."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A panel per estimate, a row per model and combination of the other facet axes, a line per latent size.

    Lines: moving averages of the BIC, median over seeds; bands: most batches. Numbers on top: the latent size with the
    lowest mean at the end of each segment.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> [ax.get_title() for ax in draw(streamed).axes]
        ['BIC by ELBO', 'BIC by entropy sum']
    """
    rows = {_label(model, cell): (ds, found) for model, cell, ds, found in streams.walk(tree)}
    figure, grid = layout.facets(
        max(1, len(rows)), len(streams.ESTIMATES), style.TEXT_WIDTH, [1.6] * max(1, len(rows)), sharey="row"
    )
    for ax, estimate in zip(grid[0], streams.ESTIMATES, strict=True):
        ax.set_title(f"BIC by {names.readable(estimate)}")
    if not rows:
        for ax in grid[0]:
            style.say(ax, "no minibatches of data in segments")
    colors = style.shades(sorted({size for ds, _ in rows.values() for size in ds["latent_dim"].values.tolist()}))
    for axes, (ds, found) in zip(grid, rows.values(), strict=False):
        lowest = streams.lowest(streams.segments(ds, found))
        for ax, estimate in zip(axes, streams.ESTIMATES, strict=True):
            _lines(ax, streams.criterion(ds, estimate, found.batch_size), found, colors)
            _segments(ax, lowest[estimate], found)
        axes[0].set_ylabel("BIC (nats per batch)")
    figure.supxlabel("minibatch", fontsize="medium")
    if rows:
        layout.name_rows(figure, {label: grid[row, -1:] for row, label in enumerate(rows)})
        layout.legend(figure, [Line2D([], [], color=c, label=f"latent size {size}") for size, c in colors.items()])
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and the number of runs.

    Example:
        >>> caption(streamed)[:69]
        'Model selection on stream: BIC of every minibatch, in nats, with the '
    """
    (dataset,) = cells.datasets(tree)
    found = [stream for *_, stream in streams.walk(tree)]
    windows = ", ".join(str(window) for window in sorted({stream.window for stream in found}))
    last = ", ".join(str(number) for number in sorted({stream.last for stream in found}))
    return captions.compose(
        tree,
        f"Model selection on {names.readable(dataset)}: BIC of every minibatch, in nats, with the ELBO (left) or the "
        "entropy sum (right) in place of the log-likelihood; lower is better.",
        f"Lines: average over the last {windows} minibatches, median over seeds. Bands: 5 to 95 % of these "
        f"minibatches. Vertical lines: borders of the segments. Numbers: the latent size with the lowest mean over the "
        f"last {last} minibatches of the segment. The scale omits the highest values, which occur at the start of a "
        "segment."
        if found
        else "",
        captions.facets(tree, "Lines and rows"),
    )


def _label(model: str, cell: cells.Cell) -> str:
    return "\n".join(filter(None, [names.readable(model), names.in_words(cell, "\n")]))


def _lines(ax: Axes, values: xr.DataArray, found: streams.Segmented, colors: dict[int, str]) -> None:
    over = streams.moving(values, found)
    medians = over.median("seed")
    for size in values["latent_dim"].values.tolist():
        line = medians.sel(latent_dim=size)
        ax.fill_between(line["batch"], line["low"], line["high"], color=colors[size], alpha=0.2, linewidth=0)
        ax.plot(line["batch"], line["mean"], color=colors[size])
    bottom, top = (medians["mean"].quantile(q).item() for q in (0, 1 - EARLY))
    margin = 0.15 * (top - bottom) or 1.0
    # Both panels of a row share this axis: ELBO and entropy sum differ little on its scale
    ax.set_ylim(bottom - margin, top + 2 * margin)
    ax.set_xlim(0, values.sizes["batch"])


def _segments(ax: Axes, lowest: xr.DataArray, found: streams.Segmented) -> None:
    for number, size in enumerate(lowest.values.tolist()):
        start = number * found.segment
        if number:
            ax.axvline(start, **style.GUIDE)
        x = (start + found.segment / 2) / ax.get_xlim()[1]
        style.say(ax, f"{size:g}", x=x, y=0.94, color="0.2")
