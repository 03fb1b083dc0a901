"""Names of figures and of their pictures. Light: the workflow asks which there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from entropy_sums.modules import Space, load, own_modules

EACH = ("", "dataset", "panels")
"""What a figure may have a picture of each of; nothing where one picture shows all."""


@dataclass(frozen=True)
class Figure:
    """A figure, with its code as text, so that planning does not import what draws it.

    Attributes:
        draw: `module:function` that makes a matplotlib figure of a collected tree.
        caption: `module:function` that says in words what a collected tree shows there.
        of_each: what there is a picture of each of (then called `<figure>_<part>`), one of `EACH`.
        space: modules that `draw` and `caption` are looked for in first.
        source: digest of the code of a plugin; empty for the figures of this package.
    """

    draw: str
    caption: str
    of_each: str = ""
    space: Space | None = field(default=None, compare=False)
    source: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules of this package that it is made of, as `files.source_digest` takes them."""
        return own_modules(self.draw, self.caption)

    def code(self) -> tuple[Any, Any]:
        """The functions that draw and that describe, imported."""
        return load(self.draw, self.space), load(self.caption, self.space)


def _own(name: str, of_each: str) -> Figure:
    module = f"entropy_sums.figures.{name}"
    return Figure(f"{module}:draw", f"{module}:caption", of_each)


_OF_EACH = {
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
"""Name of every figure → what it has a picture of each of: the datasets of a study, the published figures that the
study has `panels` of, or nothing."""

FIGURES: dict[str, Figure] = {name: _own(name, of_each) for name, of_each in _OF_EACH.items()}
"""The figures of this package by name."""

DEFAULT = ("traces", "gap_by_model", "gap_decomposition", "gap_versus_gradient", "latent_entropies")
"""What a study draws that names no figures: what there is something to see in whatever it is of."""

CERTIFICATES = "certificates"
"""The picture that `entropy-sums certify` draws: of a study's models, not of its runs."""

SUFFIXES = (".pdf", ".svg", ".png", ".txt")
"""What `render` writes: three formats of the picture, and its caption."""


def names(figures: list[str], parts: Mapping[str, list[str]], known: Mapping[str, Figure] = FIGURES) -> list[str]:
    """Names of all pictures of the given figures, or of the pictures that are named themselves.

    Args:
        parts: what there can be a picture of each of → its names.
        known: all figures by name.

    Raises:
        KeyError: there is no such figure or picture.

    Example:
        >>> names(["traces", "gap_by_model", "convergence_pca"], {"dataset": ["pca", "digits"]})
        ['traces_pca', 'traces_digits', 'gap_by_model', 'convergence_pca']
    """
    pictures = {
        name: [f"{name}_{part}" for part in parts.get(figure.of_each, ())] if figure.of_each else [name]
        for name, figure in known.items()
    }
    single = {picture for drawn in pictures.values() for picture in drawn}
    for name in figures:
        if name not in known and name not in single:
            raise KeyError(f"no figure {name!r}; there are {', '.join(known)}")
    return list(dict.fromkeys(picture for name in figures for picture in pictures.get(name, [name])))


def parts(datasets: Iterable[Any], published: Iterable[str]) -> dict[str, list[str]]:
    """Names of what there can be a picture of each of: datasets, and published figures that have curves."""
    return {"dataset": list(map(str, datasets)), "panels": list(published)}


def split(name: str, known: Mapping[str, Figure] = FIGURES) -> tuple[str, str | None]:
    """The figure of a picture's name, and what the picture is of; None where it shows all.

    Raises:
        KeyError: no figure has pictures of this name.

    Example:
        >>> split("traces_pca_ring"), split("gap_by_model")
        (('traces', 'pca_ring'), ('gap_by_model', None))
    """
    for kind, figure in known.items():
        if figure.of_each and name.startswith(f"{kind}_"):
            return kind, name.removeprefix(f"{kind}_")
        if not figure.of_each and name == kind:
            return kind, None
    raise KeyError(f"no picture {name!r}; there are {', '.join(names(list(known), PLACEHOLDERS, known))}")


PLACEHOLDERS = {"dataset": ["DATASET"], "panels": ["FIGURE"]}
"""For messages: parts that stand for any."""
