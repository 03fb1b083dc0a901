"""Names of figures and of their pictures. Light, because the workflow imports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from entropy_sums.modules import Space, load, own_modules

EACH = ("", "dataset", "panels")
"""Kinds of parts that a figure may have a picture of each; empty if one picture shows all."""


@dataclass(frozen=True)
class Figure:
    """Declaration of a figure. Its code is named as text, so that planning does not import it.

    Attributes:
        draw: `module:function` that makes a matplotlib figure from a collected tree.
        caption: `module:function` that writes the caption for a collected tree.
        of_each: kind of parts with a picture each (then named `<figure>_<part>`), one of `EACH`.
        space: modules in which `draw` and `caption` are looked up first.
        source: digest of the code of a plugin; empty for the figures of this package.
    """

    draw: str
    caption: str
    of_each: str = ""
    space: Space | None = field(default=None, compare=False)
    source: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules of this package with its code, in the form that `files.source_digest` takes."""
        return own_modules(self.draw, self.caption)

    def code(self) -> tuple[Any, Any]:
        """The functions `draw` and `caption`, imported."""
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
"""Name of every figure → kind of parts with a picture each: the datasets of a study, the published figures for which
the study has `panels`, or none."""

FIGURES: dict[str, Figure] = {name: _own(name, of_each) for name, of_each in _OF_EACH.items()}
"""The figures of this package by name."""

DEFAULT = ("traces", "gap_by_model", "gap_decomposition", "gap_versus_gradient", "latent_entropies")
"""Figures of a study that names none: those that show something for every study."""

CERTIFICATES = "certificates"
"""The picture that `entropy-sums certify` draws of the models of a study, not of its runs."""

SUFFIXES = (".pdf", ".svg", ".png", ".txt")
"""Suffixes of the files that `render` writes: three formats of the picture, and its caption."""


def names(figures: list[str], parts: Mapping[str, list[str]], known: Mapping[str, Figure] = FIGURES) -> list[str]:
    """Names of all pictures of the given figures; a given name may also be a single picture.

    Args:
        parts: kind of parts → names of the parts.
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
    """Kind of parts → names of the parts that can have a picture: datasets, and published figures that have curves."""
    return {"dataset": list(map(str, datasets)), "panels": list(published)}


def split(name: str, known: Mapping[str, Figure] = FIGURES) -> tuple[str, str | None]:
    """Figure and part in the name of a picture; the part is None if the picture shows all.

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
"""Placeholders for the names of parts in messages."""
