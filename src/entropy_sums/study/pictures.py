"""Names of figures and of their pictures. Light: the workflow asks which there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

FIGURES: dict[str, str] = {
    "traces": "dataset",
    "gap_by_model": "",
    "gap_decomposition": "dataset",
    "gap_versus_gradient": "",
    "gap_versus_derivative": "",
    "latent_entropies": "dataset",
    "predicted_gap": "dataset",
    "convergence": "dataset",
    "gap_scaling": "dataset",
    "elbo_scaling": "dataset",
    "panels": "panels",
    "latent_scatter": "dataset",
    "variance_reduction": "dataset",
    "model_selection": "dataset",
    "entropies": "dataset",
    "dictionary": "dataset",
}
"""Name of every figure → what it has a picture of each of (then called `<name>_<part>`): the datasets of a study, the
published figures that the study has `panels` of, or nothing, where one picture shows all."""

DEFAULT = ("traces", "gap_by_model", "gap_decomposition", "gap_versus_gradient", "latent_entropies")
"""What a study draws that names no figures: what there is something to see in whatever it is of."""

CERTIFICATES = "certificates"
"""The picture that `entropy-sums certify` draws: of a study's models, not of its runs."""

SUFFIXES = (".pdf", ".svg", ".png", ".txt")
"""What `render` writes: three formats of the picture, and its caption."""


def names(figures: list[str], parts: Mapping[str, list[str]]) -> list[str]:
    """Names of all pictures of the given figures, or of the pictures that are named themselves.

    Args:
        parts: what there can be a picture of each of → its names.

    Raises:
        KeyError: there is no such figure or picture.

    Example:
        >>> names(["traces", "gap_by_model", "convergence_pca"], {"dataset": ["pca", "digits"]})
        ['traces_pca', 'traces_digits', 'gap_by_model', 'convergence_pca']
    """
    pictures = {
        figure: [f"{figure}_{part}" for part in parts.get(of_each, ())] if of_each else [figure]
        for figure, of_each in FIGURES.items()
    }
    known = {picture for drawn in pictures.values() for picture in drawn}
    for name in figures:
        if name not in FIGURES and name not in known:
            raise KeyError(f"no figure {name!r}; there are {', '.join(FIGURES)}")
    return list(dict.fromkeys(picture for name in figures for picture in pictures.get(name, [name])))


def parts(datasets: Iterable[Any], published: Iterable[str]) -> dict[str, list[str]]:
    """Names of what there can be a picture of each of: datasets, and published figures that have curves."""
    return {"dataset": list(map(str, datasets)), "panels": list(published)}


def split(name: str) -> tuple[str, str | None]:
    """The figure of a picture's name, and what the picture is of; None where it shows all.

    Raises:
        KeyError: no figure has pictures of this name.

    Example:
        >>> split("traces_pca_ring"), split("gap_by_model")
        (('traces', 'pca_ring'), ('gap_by_model', None))
    """
    for figure, of_each in FIGURES.items():
        if of_each and name.startswith(f"{figure}_"):
            return figure, name.removeprefix(f"{figure}_")
        if not of_each and name == figure:
            return figure, None
    raise KeyError(f"no picture {name!r}; there are {', '.join(names(list(FIGURES), PLACEHOLDERS))}")


PLACEHOLDERS = {"dataset": ["DATASET"], "panels": ["FIGURE"]}
"""For messages: parts that stand for any."""
