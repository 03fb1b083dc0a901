"""Readable names of models, datasets, settings and quantities, as papers use them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import xarray as xr

from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models.catalogue import MODELS
from entropy_sums.quantities import QUANTITIES, group_name
from entropy_sums.settings import own

WORDS = {
    "latent_dim": "latent size",
    "gibbs_steps": "Gibbs steps",
    "train": "training points",
    "cd": "CD",
    "pcd": "PCD",
}
"""Setting, or value of a setting → its name in papers, where that is another one."""


_OF_PLUGINS: ContextVar[Mapping[str, Mapping[str, Any]]] = ContextVar("of_plugins", default=MappingProxyType({}))


@contextmanager
def known(shown: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Use these labels and looks of models and datasets of plugins within the block.

    Args:
        shown: group of a model, or dataset → `label`, `look`; `shown_by` reads them from a collected file.

    Example:
        >>> with known({"laplacevae": {"label": "Laplace VAE"}}):
        ...     readable("laplacevae")
        'Laplace VAE'
        >>> readable("laplacevae")
        'laplacevae'
    """
    token = _OF_PLUGINS.set(shown)
    try:
        yield
    finally:
        _OF_PLUGINS.reset(token)


def shown_by(tree: xr.DataTree) -> Mapping[str, Mapping[str, Any]]:
    """Labels and looks that a collected file has of models and datasets of plugins."""
    return json.loads(tree.attrs.get("shown", "{}"))


def of_plugin(name: str) -> Mapping[str, Any]:
    """`label` and `look` of the model or dataset of a plugin, as far as they are `known`."""
    return _OF_PLUGINS.get().get(name, {})


def readable(name: str) -> str:
    """Label of a model (its group in a collected file), dataset, axis, factor or quantity, or else its name in words.

    Example:
        >>> readable("vae1"), readable("pca_ring"), readable("true_log_likelihood"), readable("learning_rate")
        ('VAE-1', 'PCA-ring', 'true log-likelihood', 'learning rate')
    """
    if name in QUANTITIES:
        return QUANTITIES[name].label
    ours = {group_name(model): schema for model, schema in MODELS.items()} | DATASETS
    label = WORDS.get(name) or (own(ours[name], "label") if name in ours else of_plugin(name).get("label"))
    return label or re.sub(r"^vae(\d+)$", r"VAE-\1", name).replace("_", " ").replace(".", " ")


def in_words(cell: Mapping[str, Any], between: str = ", ") -> str:
    """A cell of a study in words; the dataset is stated without its axis, every other axis is named.

    Example:
        >>> in_words({"dataset": "pca_ring", "latent_dim": 2, "learning_rate": 0.001})
        'PCA-ring, latent size 2, learning rate 0.001'
    """
    return between.join(
        readable(value) if axis == "dataset" else f"{readable(axis)} {_value(value)}" for axis, value in cell.items()
    )


def apart(panels: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Titles that distinguish panels (pairs of model and cell), a line per axis; for a single panel the model.

    Example:
        >>> cells = [{"dataset": "pca", "latent_dim": size, "beta": 1.0} for size in (2, 4)]
        >>> apart([("vae1", cell) for cell in cells])
        ['latent size 2', 'latent size 4']
        >>> apart([("vae1", {"dataset": "pca"})])
        ['VAE-1']
    """
    models = {model for model, _ in panels}
    axes = [axis for _, cell in panels for axis in cell if axis != "dataset"]
    differ = [axis for axis in dict.fromkeys(axes) if len({cell.get(axis) for _, cell in panels}) > 1]
    named = len(models) > 1 or not differ
    return [
        "\n".join([*([readable(model)] if named else []), *(in_words({a: cell[a]}) for a in differ if a in cell)])
        for model, cell in panels
    ]


def rows(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Labels that distinguish facets, a line per axis; for a single facet all its values.

    Example:
        >>> rows([{"latent_dim": 2, "beta": 1.0}, {"latent_dim": 4, "beta": 1.0}])
        ['latent size 2', 'latent size 4']
        >>> rows([{"latent_dim": 2}])
        ['latent size 2']
    """
    axes = cells[0] if cells else ()
    differ = [axis for axis in axes if len(cells) == 1 or len({cell[axis] for cell in cells}) > 1]
    return [in_words({axis: cell[axis] for axis in differ}, "\n") for cell in cells]


def settings(value: Any) -> str:
    """Nested settings (of JSON) in words.

    Example:
        >>> settings({"batch_size": 128, "phases": [{"optimizer": "adam", "steps": 2000}]})
        'batch size 128, phases (optimizer adam, steps 2000)'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{readable(key)} {_nested(part)}" for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(settings(part) for part in value)
    return _value(value)


def _nested(value: Any) -> str:
    return f"({settings(value)})" if isinstance(value, Mapping | list) else settings(value)


def _value(value: Any) -> str:
    # Captions are also read as reStructuredText, where a trailing underscore makes a link
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")
