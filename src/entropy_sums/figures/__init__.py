"""Figures of a study, one module each; the mapping FIGURES is all that the workflow needs to know of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

FIGURES: dict[str, bool] = {
    "traces": True,
    "gap_by_model": False,
    "gap_decomposition": True,
    "gap_versus_gradient": False,
    "gap_versus_derivative": False,
    "latent_entropies": True,
    "predicted_gap": True,
    "convergence": True,
    "gap_scaling": True,
    "elbo_scaling": True,
    "entropies": True,
    "dictionary": True,
}
"""Name of every figure → whether there is one per dataset (then called `<name>_<dataset>`)."""

CERTIFICATES = "certificates"
"""The picture that `entropy-sums certify` draws: of a study's models, not of its runs."""

SUFFIXES = (".pdf", ".svg", ".png", ".txt")
"""What `render` writes: three formats of the picture, and its caption."""


def names(figures: list[str], datasets: list[str]) -> list[str]:
    """Names of all pictures of the given figures, one per dataset where a figure wants that.

    Raises:
        KeyError: there is no such figure.

    Example:
        >>> names(["traces", "gap_by_model"], ["pca", "digits"])
        ['traces_pca', 'traces_digits', 'gap_by_model']
    """
    for figure in figures:
        if figure not in FIGURES:
            raise KeyError(f"no figure {figure!r}; there are {', '.join(FIGURES)}")
    return [
        name
        for figure in figures
        for name in ([f"{figure}_{dataset}" for dataset in datasets] if FIGURES[figure] else [figure])
    ]


def split(name: str) -> tuple[str, str | None]:
    """The figure and the dataset of a picture's name; no dataset where one picture has them all.

    Raises:
        KeyError: no figure has pictures of this name.

    Example:
        >>> split("traces_pca_ring"), split("gap_by_model")
        (('traces', 'pca_ring'), ('gap_by_model', None))
    """
    for figure, per_dataset in FIGURES.items():
        if per_dataset and name.startswith(f"{figure}_"):
            return figure, name.removeprefix(f"{figure}_")
        if not per_dataset and name == figure:
            return figure, None
    raise KeyError(f"no picture {name!r}; there are {', '.join(names(list(FIGURES), ['DATASET']))}")


def render(name: str, tree: xr.DataTree, path: Path | str) -> None:
    """Draw the picture `name` of a collected tree: `path` with each of `SUFFIXES` appended.

    Args:
        name: one of `names(...)`, such as `gap_by_model` or `traces_digits`.
        tree: as in docs/results-format.md.
        path: where to, without a suffix; its folder is made.

    Raises:
        KeyError: there is no such picture, or the study has no such dataset.

    Example:
        >>> import tempfile
        >>> from entropy_sums.analysis.example import example_tree
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     render("gap_by_model", example_tree(), Path(folder) / "gap")
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['gap.pdf', 'gap.png', 'gap.svg', 'gap.txt']
    """
    from entropy_sums.analysis import cells
    from entropy_sums.figures import style

    figure, dataset = split(name)
    if dataset is not None:
        tree = cells.narrow(tree, dataset)
    # Once: figures select cell after cell, each of which would be read from the file again
    tree = tree.load()
    module = import_module(f"entropy_sums.figures.{figure}")
    style.save(module.draw(tree), path, module.caption(tree))
