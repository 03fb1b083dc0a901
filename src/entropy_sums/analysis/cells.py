"""Cells of a study: the parts of a collected tree that differ in more than the seed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from entropy_sums.quantities import group_name

Cell = dict[str, Any]
"""Axis name → value."""


def models(tree: xr.DataTree) -> list[str]:
    """Names of the models, in the order of the file.

    Example:
        >>> models(tree)
        ['linearvae', 'vae0', 'vae1', 'vae3']
    """
    return list(tree.children)


def datasets(tree: xr.DataTree) -> list[str]:
    """Names of the datasets of all models, in order of appearance.

    Example:
        >>> datasets(tree)
        ['pca', 'digits']
    """
    return [str(value) for value in _values(tree, "dataset")]


def facet_axes(tree: xr.DataTree) -> list[str]:
    """Axes of the study other than model, dataset and seed; they become the facets of figures.

    Example:
        >>> facet_axes(tree)
        ['latent_dim']
    """
    names = [axis for node in tree.children.values() for axis in axes(node.to_dataset())]
    return [axis for axis in dict.fromkeys(names) if axis not in ("dataset", "seed")]


def combinations(tree: xr.DataTree, names: list[str] | None = None) -> list[Cell]:
    """Combinations of values on the axes `names` (default: `facet_axes`) for which the study has runs.

    Without axes there is one empty combination. A model that lacks some of the axes belongs to the combinations of the
    other models. If those have none for its values, it adds its values with all values of the axes that it lacks.

    Example:
        >>> combinations(tree)
        [{'latent_dim': 2}, {'latent_dim': 4}]
    """
    names = facet_axes(tree) if names is None else names
    values = {name: _values(tree, name) for name in names}
    found: list[Cell] = []
    for planned in _planned(tree, names):
        own = [str(name) for name in planned.dims]
        present = {tuple(cell[name] for name in own) for cell in found}
        labels = [planned[name].values.tolist() for name in own]
        for place in np.argwhere(planned.values):
            cell = {name: known[index] for name, known, index in zip(own, labels, place, strict=True)}
            if tuple(cell.values()) not in present:
                completions = itertools.product(*([cell[name]] if name in cell else values[name] for name in names))
                found += [dict(zip(names, completion, strict=True)) for completion in completions]
    return sorted(found, key=lambda cell: [values[name].index(value) for name, value in cell.items()])


def _planned(tree: xr.DataTree, names: list[str]) -> list[xr.DataArray]:
    """Whether each model has runs, over those axes in `names` that it has; models with most of these axes first."""
    arrays = [node.to_dataset()["planned"] > 0 for node in tree.children.values()]
    over = [array.any([axis for axis in array.dims if axis not in names]) for array in arrays]
    over = [array.transpose(*names, missing_dims="ignore") for array in over]
    return sorted(over, key=lambda array: -array.ndim)


def axes(ds: xr.Dataset) -> list[str]:
    """Names of the axes of one group: the dimensions that one number per run has.

    Example:
        >>> axes(tree["vae1"].to_dataset())
        ['dataset', 'latent_dim', 'seed']
    """
    return [str(name) for name in ds["diverged_at"].dims]


def select(ds: xr.Dataset, cell: Mapping[str, Any]) -> xr.Dataset:
    """Runs of one cell; a value that the group does not have gives NaN, like a missing run.

    An axis that the group does not have is a setting that its model lacks: its runs belong to every such cell.

    Example:
        >>> runs = select(tree["vae1"].to_dataset(), {"dataset": "digits", "latent_dim": 4})
        >>> runs["elbo"].dims
        ('seed', 'step')
    """
    for axis, value in cell.items():
        if axis in ds.indexes:
            ds = ds.sel({axis: value}) if value in ds.indexes[axis] else ds.reindex({axis: [value]}).isel({axis: 0})
    return ds


def narrow(tree: xr.DataTree, dataset: str) -> xr.DataTree:
    """The same tree with one dataset only, as an axis of length one; models that are not planned on it are left out.

    Raises:
        KeyError: no model was trained on this dataset.

    Example:
        >>> datasets(narrow(tree, "digits"))
        ['digits']
    """
    if dataset not in datasets(tree):
        raise KeyError(f"no dataset {dataset!r} in this study; it has {', '.join(datasets(tree))}")
    groups = {name: node.to_dataset().reindex(dataset=[dataset]) for name, node in tree.children.items()}
    planned = {name: ds for name, ds in groups.items() if (ds["planned"] > 0).any()}
    attributes = tree.attrs | {"elsewhere": [name for name in groups if name not in planned]}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes), **planned})


def panels(tree: xr.DataTree, figure: str) -> xr.DataTree:
    """Tree with a group per cell in the panels of a published figure, in their order, over epochs instead of steps.

    Each has the attributes `panel` (its name), `model`, `cell` and `settings` (JSON: axis → value, and the panel as
    the study file has it); a cell that has no record yet has no steps.

    Raises:
        KeyError: the study has no panels of this figure.

    Example:
        >>> shown = panels(tree, "figure_1")
        >>> [(node.attrs["panel"], node.attrs["model"]) for node in shown.children.values()]
        [('a', 'linearvae'), ('b', 'vae1')]
    """
    figures = json.loads(tree.attrs["configuration"]).get("panels", {})
    if figure not in figures:
        raise KeyError(f"no panels of {figure!r} in this study; it has {', '.join(figures) or 'none at all'}")
    groups = {}
    for name, panel in figures[figure].items():
        wanted = panel["cells"]
        for model, cell, runs in walk(tree):
            named = {"model": model, **cell}
            rule = {**wanted, "model": [group_name(known) for known in wanted["model"]]}
            # Compared as text: a file stores an axis with both words and numbers as words
            if all(str(named[axis]) in map(str, values) for axis, values in rule.items() if axis in named):
                seeds = [seed for seed in runs["seed"].values.tolist() if seed in rule.get("seed", [seed])]
                shown = _in_epochs(runs.sel(seed=seeds))
                said = {"panel": name, "model": model, "cell": json.dumps(cell), "settings": json.dumps(panel)}
                groups[f"{len(groups)}"] = shown.assign_attrs(said)
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=tree.attrs), **groups})


def _in_epochs(runs: xr.Dataset) -> xr.Dataset:
    epochs = runs["epoch"].median("seed")
    recorded = np.flatnonzero(epochs.notnull().values)
    return runs.isel(step=recorded).assign_coords(step=epochs.values[recorded])


def note(tree: xr.DataTree) -> str | None:
    """Note that every figure of the study shows.

    Example:
        >>> note(xr.DataTree(xr.Dataset(attrs={"configuration": '{"note": "Reduced."}'})))
        'Reduced.'
    """
    return json.loads(tree.attrs["configuration"]).get("note")


def walk(tree: xr.DataTree) -> Iterator[tuple[str, Cell, xr.Dataset]]:
    """Every cell of the study as (model, dataset and values on all axes of the model, runs).

    Example:
        >>> model, cell, runs = next(walk(tree))
        >>> model, cell, runs.sizes["seed"]
        ('linearvae', {'dataset': 'pca', 'latent_dim': 2}, 8)
    """
    for model, node in tree.children.items():
        ds = node.to_dataset()
        # Each model alone: other models may have further values on a shared axis
        alone = xr.DataTree.from_dict({model: ds})
        for dataset, cell in itertools.product(datasets(tree), combinations(alone)):
            place = {"dataset": dataset} | cell
            if (select(ds[["planned"]], place)["planned"] > 0).any():
                yield model, place, select(ds, place)


def last_step(tree: xr.DataTree) -> int:
    """The last step that any run recorded; 1 if there is none. Runs on other data may have further steps on the axis.

    Example:
        >>> last_step(narrow(tree, "pca"))
        7936
    """
    groups = [node.to_dataset() for node in tree.children.values()]
    recorded = [ds["step"].where(ds["elbo"].notnull()).max().item() for ds in groups if ds["elbo"].notnull().any()]
    return int(max(recorded, default=1))


def absent(tree: xr.DataTree) -> list[str]:
    """Names of the models of the study that have no group, hence no trace on any dataset.

    Example:
        >>> absent(tree.filter(lambda node: node.name != "vae3"))
        ['vae3']
    """
    configuration = json.loads(tree.attrs["configuration"])
    named = [configuration["axes"], *configuration.get("grids", [])]
    planned = dict.fromkeys(group_name(model) for values in named for model in values.get("model", []))
    known = {*tree.children, *tree.attrs.get("elsewhere", ())}
    return [model for model in planned if model not in known]


def _values(tree: xr.DataTree, axis: str) -> list[Any]:
    groups = [node.to_dataset() for node in tree.children.values()]
    values = [value for ds in groups if axis in ds.indexes for value in ds[axis].values.tolist()]
    return list(dict.fromkeys(values))
