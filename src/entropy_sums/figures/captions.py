"""Sentences that captions share: number of runs, runs that are left out, training.

Plain text that is also valid reStructuredText, as Snakemake's report includes it: no bars, stars or underscores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import xarray as xr

from entropy_sums.analysis import cells, names, statistics

INTERVALS = (
    f"95 % intervals between order statistics; of fewer than {statistics.MINIMUM_RUNS} runs, the runs themselves"
)
"""Meaning of the intervals of medians over seeds."""

LISTED = 6
"""Largest number of left-out cells that a caption lists; more are counted."""


def compose(tree: xr.DataTree, *sentences: str) -> str:
    """Compose a caption of the given sentences, then runs, training and the size of the study.

    Example:
        >>> compose(tree, "Gap of four models.")
        'Gap of four models. 7 to 8 runs per cell. ... Training: batch size 128, phases (optimizer adam, ...'
    """
    return " ".join(sentence for sentence in [*sentences, runs(tree), training(tree), size(tree)] if sentence)


def runs(tree: xr.DataTree) -> str:
    """State the number of runs per cell, and the cells with diverged or missing runs.

    Example:
        >>> runs(tree)
        '7 to 8 runs per cell. Left out because they diverged: 1 run of linear VAE on PCA, latent size 2; ...'
    """
    counted, lost = [], {"Left out because they diverged": [], "Missing": []}
    for model, cell, ds in cells.walk(tree):
        diverged, missing = statistics.diverged(ds).sum().item(), statistics.missing(ds).sum().item()
        counted.append(ds.sizes["seed"] - diverged - missing)
        for entries, number in zip(lost.values(), (diverged, missing), strict=True):
            if number:
                what = f"{number} run" + "s" * (number > 1)
                entries.append(f"{what} of {names.readable(model)} on {names.in_words(cell)}")
    used = sorted({number for number in counted if number})
    sentences = [_range(used)]
    for reason, entries in lost.items():
        if entries:
            listed = "; ".join(entries) if len(entries) <= LISTED else f"runs of {len(entries)} cells (see the table)"
            sentences.append(f"{reason}: {listed}.")
    sentences += [f"No run of {names.readable(model)} has a trace." for model in cells.absent(tree)]
    return " ".join(sentences)


def training(tree: xr.DataTree) -> str:
    """State how the models were trained, from the attribute `training` of the groups; empty without groups.

    The training of most cells is stated in full. For the others only the differences are stated.

    Example:
        >>> training(tree)
        'Training: batch size 128, phases (optimizer adam, learning rate 0.001, steps 7936).'
    """
    trained: dict[str, dict[str, list[str]]] = {}
    for model, node in tree.children.items():
        for dataset, settings in json.loads(node.attrs["training"]).items():
            if dataset in cells.datasets(tree):
                trained.setdefault(json.dumps(settings), {}).setdefault(model, []).append(dataset)
    if not trained:
        return ""
    usual = max(trained, key=lambda how: sum(map(len, trained[how].values())))
    sentences = [f"Training: {names.settings(json.loads(usual))}."]
    for how, where in trained.items():
        if how != usual:
            of = ", ".join(_trained(model, datasets, trained) for model, datasets in where.items())
            sentences.append(f"Training of {of}: {_difference(json.loads(how), json.loads(usual))}.")
    return " ".join(sentences)


def _trained(model: str, datasets: list[str], trained: dict[str, dict[str, list[str]]]) -> str:
    """Name of a model, with its datasets if it was trained differently on others."""
    name = names.readable(model)
    if datasets == [dataset for where in trained.values() for dataset in where.get(model, [])]:
        return name
    return f"{name} on {' and '.join(map(names.readable, datasets))}"


def _difference(settings: Mapping, usual: Mapping) -> str:
    """Settings in words that differ from the usual ones.

    Example:
        >>> usual = {"batch_size": 10, "phases": [{"steps": 1}, {"steps": 1}]}
        >>> _difference({"batch_size": 20, "phases": [{"steps": 1}, {"steps": 2}]}, usual)
        'batch size 20, phase 2 (steps 2), otherwise the same'
    """
    leaves, common = _leaves(settings), _leaves(usual)
    if leaves.keys() != common.keys():
        return names.settings(settings)
    changed: dict[str, dict[str, Any]] = {}
    for (place, name), value in leaves.items():
        if value != common[place, name]:
            changed.setdefault(place, {})[name] = value
    words = {place: names.settings(values) for place, values in changed.items()}
    return ", ".join([*(f"{place} ({text})" if place else text for place, text in words.items()), "otherwise the same"])


def _leaves(settings: Mapping, place: str = "") -> dict[tuple[str, str], Any]:
    """Single settings by their place, in words, and by their name."""
    leaves = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            leaves |= _leaves(value, names.readable(name))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, part in enumerate(value, 1):
                leaves |= _leaves(part, f"{names.readable(name).removesuffix('s')} {number}")
        else:
            leaves[place, name] = value
    return leaves


def size(tree: xr.DataTree) -> str:
    """State the size of the study; empty if the study has no sizes.

    Example:
        >>> size(xr.DataTree(xr.Dataset(attrs={"size": "full"})))
        'Size of the study: full.'
    """
    return f"Size of the study: {chosen}." if (chosen := tree.attrs.get("size")) else ""


def facets(tree: xr.DataTree, what: str) -> str:
    """State what the panels are split by; empty without facet axes.

    Example:
        >>> facets(tree, "Rows")
        'Rows: latent size (2, 4).'
    """
    axes = [
        f"{names.readable(axis)} ({', '.join(names.settings(cell[axis]) for cell in cells.combinations(tree, [axis]))})"
        for axis in cells.facet_axes(tree)
    ]
    lacking = {
        names.readable(model): [axis for axis in cells.facet_axes(tree) if axis not in node["diverged_at"].dims]
        for model, node in tree.children.items()
    }
    sentences = [f"{what}: {', '.join(axes)}."] if axes else []
    sentences += [
        f"{model} has no setting {' or '.join(map(names.readable, without))} and is the same for all of its values."
        for model, without in lacking.items()
        if without
    ]
    return " ".join(sentences)


def _range(used: list[int]) -> str:
    if not used:
        return "No finished run."
    number = f"{used[0]} to {used[-1]}" if len(used) > 1 else f"{used[0]}"
    return f"{number} run{'s' * (used[-1] > 1)} per cell."
