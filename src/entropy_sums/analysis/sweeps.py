"""Studies that vary one setting at a time: the base cell and its neighbours along an axis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from entropy_sums.analysis import cells, statistics

SERIES = ("schedule", "gradient")
"""Axes whose values are lines instead of panels: a constant learning rate and one that goes to zero, or the exact
gradient and an estimate of it, change all other results."""


def base(ds: xr.Dataset) -> cells.Cell:
    """The base cell of a group, of which other cells are neighbours: the first value on every axis of the study.

    Example:
        >>> base(tree["vae1"].to_dataset())
        {'dataset': 'pca', 'latent_dim': 2}
    """
    return {axis: ds[axis].values.tolist()[0] for axis in cells.axes(ds) if axis != "seed"}


def along(ds: xr.Dataset, axis: str, **changed: Any) -> xr.Dataset:
    """The finished cells that differ from the base cell in `axis` only, in increasing order.

    Args:
        changed: values on other axes, in place of the values of the base cell.

    Example:
        >>> along(tree["vae1"].to_dataset(), "latent_dim", dataset="digits")["elbo"].dims
        ('latent_dim', 'seed', 'step')
    """
    return _line(ds, axis, changed).sortby(axis)


def varied(ds: xr.Dataset) -> list[str]:
    """The axes along which the base cell has finished neighbours.

    Example:
        >>> varied(tree["vae1"].to_dataset())
        ['dataset', 'latent_dim']
    """
    return [axis for axis in base(ds) if along(ds, axis).sizes[axis] > 1]


def numbers(tree: xr.DataTree) -> Iterator[tuple[str, str, xr.Dataset]]:
    """Model, axis and usable runs of the model, for all numeric axes along which its base cell has neighbours.

    Example:
        >>> [(model, axis) for model, axis, _ in numbers(tree)][:2]
        [('linearvae', 'latent_dim'), ('vae0', 'latent_dim')]
    """
    for model, node in tree.children.items():
        ds = statistics.usable(node.to_dataset())
        for axis in varied(ds):
            if ds[axis].dtype.kind in "if":
                yield model, axis, ds


def series(ds: xr.Dataset) -> list[cells.Cell]:
    """The lines of each panel: values of the schedule, or of the gradient, in the order of the study.

    Example:
        >>> series(tree["vae1"].to_dataset())
        [{}]
    """
    for axis in SERIES:
        if axis in base(ds):
            return [{axis: value} for value in _line(ds, axis, {})[axis].values.tolist()]
    return [{}]


def polish_start(ds: xr.Dataset, dataset: str) -> int | None:
    """Step at which the polish starts, a last phase on full batches; None without a polish, or if runs differ in it.

    Example:
        >>> training = {"pca": {"phases": [{"steps": 2000}, {"steps": 300, "batch_size": "full"}]}}
        >>> polish_start(xr.Dataset(attrs={"training": json.dumps(training)}), "pca")
        2000
    """
    phases = json.loads(ds.attrs["training"])[dataset]["phases"]
    polished = isinstance(phases, list) and phases[-1].get("batch_size") == "full"
    steps = [phase["steps"] for phase in phases[:-1]] if polished else []
    return sum(steps) if steps and "varied" not in steps else None


def _line(ds: xr.Dataset, axis: str, changed: cells.Cell) -> xr.Dataset:
    """The finished cells along an axis through the base cell, in the order of the study."""
    line = cells.select(ds, {name: value for name, value in (base(ds) | changed).items() if name != axis})
    finished = (line["elbo"].notnull().any("step") & ~statistics.diverged(line)).any("seed")
    return line.isel({axis: np.flatnonzero(finished.values)})
