"""Dictionary vectors of sparse coding as pictures, one per latent."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from entropy_sums.analysis import cells, names, statistics
from entropy_sums.figures import captions, layout, style

COLUMNS = 3
"""Number of panels beside each other."""

COLORS = "RdBu_r"
"""Colour map of signed values that colour-blind readers can distinguish; white is zero."""

LINE = "0.55"
"""Grey between pictures."""


@style.styled
def draw(tree: xr.DataTree) -> Figure:
    """A panel per model with a dictionary and combination of facet axes, for the first seed that did not diverge.

    Args:
        tree: collected, narrowed to one dataset.

    Example:
        >>> draw(cells.narrow(tree, "pca")).axes[0].texts[0].get_text()
        'no model with a dictionary'
    """
    panels = [(model, cell, ds) for model, cell, ds in cells.walk(tree) if "weights" in ds]
    width = style.TEXT_WIDTH if len(panels) > 1 else style.COLUMN_WIDTH
    shapes = [_first(ds) for _, _, ds in panels]
    _, columns = layout.arrange(max(1, len(panels)), COLUMNS)
    heights = [width / columns * _ratio(*of.shape) for of in shapes if of is not None]
    figure, _, used = layout.tiles(max(1, len(panels)), COLUMNS, width, max(heights, default=1.0))
    for ax in used:
        ax.axis("off")
    if not panels:
        style.say(used[0], "no model with a dictionary")
    titles = names.apart([(model, cell) for model, cell, _ in panels])
    for ax, title, vectors in zip(used, titles, shapes, strict=False):
        ax.set_title(title)
        if vectors is None:
            style.say(ax, "no finished run")
        else:
            _show(ax, vectors)
    return figure


def caption(tree: xr.DataTree) -> str:
    """Caption: what is shown, and which run.

    Example:
        >>> caption(cells.narrow(tree, "pca"))[:42]
        'Dictionaries at the end of training on PCA'
    """
    (dataset,) = cells.datasets(tree)
    return captions.compose(
        tree,
        f"Dictionaries at the end of training on {names.readable(dataset)}: one picture per latent, its dictionary "
        "vector times the scale of its prior, in order of decreasing norm.",
        "Red is positive, blue negative, white zero, with one scale per panel. The sign of a latent is arbitrary; it "
        "is chosen such that the largest pixel is positive.",
        "The first seed that did not diverge is shown.",
        captions.facets(tree, "Panels"),
    )


def mosaic(vectors: np.ndarray) -> np.ndarray:
    """Vectors `(H, D)` as pictures beside and below each other, in order of their norms, NaN between them.

    Pictures are square if D is a square number, or else a row each.

    Example:
        >>> mosaic(np.array([[0.0, 1.0, 0.0, 0.0], [-2.0, 0.0, 0.0, 0.0]]))
        array([[nan, nan, nan, nan, nan, nan, nan],
               [nan,  2., -0., nan,  0.,  1., nan],
               [nan, -0., -0., nan,  0.,  0., nan],
               [nan, nan, nan, nan, nan, nan, nan]])
    """
    vectors = vectors[np.argsort(-np.linalg.norm(vectors, axis=1), kind="stable")]
    vectors = vectors * np.sign(np.take_along_axis(vectors, abs(vectors).argmax(1)[:, None], 1))
    (rows, columns), (height, width) = _places(*vectors.shape)
    picture = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), np.nan)
    for place, vector in enumerate(vectors):
        row, column = divmod(place, columns)
        top, left = row * (height + 1) + 1, column * (width + 1) + 1
        picture[top : top + height, left : left + width] = vector.reshape(height, width)
    return picture


def _places(number: int, dim: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of pictures, and of pixels in each."""
    side = math.isqrt(dim)
    if side**2 != dim:
        return (number, 1), (1, dim)
    columns = math.ceil(math.sqrt(2 * number))
    return (math.ceil(number / columns), columns), (side, side)


def _ratio(number: int, dim: int) -> float:
    """Height of a mosaic divided by its width."""
    (rows, columns), (height, width) = _places(number, dim)
    return (rows * (height + 1) + 1) / (columns * (width + 1) + 1)


def _first(ds: xr.Dataset) -> np.ndarray | None:
    """The dictionary of the first run with one, without latents and pixels that only other runs have."""
    runs = statistics.usable(ds)["weights"].dropna("seed", how="all")
    if not runs.sizes["seed"]:
        return None
    return runs.isel(seed=0).dropna("latent", how="all").dropna("pixel", how="all").transpose("latent", "pixel").values


def _show(ax: Axes, vectors: np.ndarray) -> None:
    largest = abs(vectors).max() or 1.0
    colors = mpl.colormaps[COLORS].with_extremes(bad=LINE)
    ax.imshow(mosaic(vectors), cmap=colors, vmin=-largest, vmax=largest, interpolation="nearest")
