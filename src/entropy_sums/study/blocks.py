"""The cells of a study: a union of products, formed one axis after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from entropy_sums.study.schema import Rule, Scalar

Values = Mapping[str, list[Scalar]]
"""Axis → values: a product of cells."""


@dataclass(frozen=True)
class Part:
    """A part of a study: all of it, a block of `grids`, or the cells of a panel.

    Attributes:
        key: its place in the study file.
        values: axis → values of its base cells; axes that only other parts name are absent.
        vary: axis → values that replace those in `values`, one axis at a time.
        settings: setting → value, for its cells.
        block: whether it is one of `grids`.
    """

    key: str
    values: Values
    vary: Values = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    block: bool = False

    @property
    def products(self) -> Iterator[Values]:
        """Products whose union is the cells of the part: the base cells, then one product for each varied axis.

        Example:
            >>> list(Part("grids.0", {"model": ["vae1"]}, {"beta": [0.5, 2.0], "dropout": [0.1]}).products)
            [{'model': ['vae1']}, {'model': ['vae1'], 'beta': [0.5, 2.0]}, {'model': ['vae1'], 'dropout': [0.1]}]
        """
        yield self.values
        yield from ({**self.values, axis: values} for axis, values in self.vary.items())

    def where(self, setting: str) -> str:
        """The key of one of its settings in the study file.

        Example:
            >>> Part("panels.figure_1.a", {}).where("steps"), Part("grids.0", {}, block=True).where("steps")
            ('panels.figure_1.a.set.steps', 'grids.0.with.steps')
        """
        return f"{self.key}.{'with' if self.block else 'set'}.{setting}"


def cells(
    values: Values, axes: Sequence[str], exclude: Sequence[Rule]
) -> Iterator[tuple[dict[str, Scalar], list[Scalar]]]:
    """Combinations of values on `axes` that no rule excludes, each with its remaining seeds.

    A rule is checked as soon as all its axes have values, so that most excluded combinations are never formed.

    Example:
        >>> values = {"model": ["vae0", "vae1"], "beta": [1.0, 2.0], "seed": [0, 1]}
        >>> rules = [{"model": ["vae0"], "beta": [2.0]}, {"model": ["vae1"], "seed": [1]}]
        >>> for cell, seeds in cells(values, ["model", "beta"], rules):
        ...     print(cell, seeds)
        {'model': 'vae0', 'beta': 1.0} [0, 1]
        {'model': 'vae1', 'beta': 1.0} [0]
        {'model': 'vae1', 'beta': 2.0} [0]
    """
    order = [*axes, "seed"]
    rules = [rule for rule in exclude if rule.keys() <= set(order)]
    decided = {axis: [rule for rule in rules if max(map(order.index, rule)) == order.index(axis)] for axis in order}

    def extended(formed: list[dict[str, Scalar]], axis: str) -> list[dict[str, Scalar]]:
        longer = [{**cell, axis: value} for cell in formed for value in values[axis]]
        return [cell for cell in longer if not any(matches(rule, cell) for rule in decided[axis])]

    formed: list[dict[str, Scalar]] = [{}]
    for axis in axes:
        formed = extended(formed, axis)
    for cell in formed:
        if kept := extended([cell], "seed"):
            yield cell, [full["seed"] for full in kept]


def matches(rule: Mapping[str, Scalar | list[Scalar]], cell: Mapping[str, Scalar]) -> bool:
    """Whether a cell has, for each axis in `rule`, the value or one of the values given there.

    Example:
        >>> matches({"model": ["vae1", "vae2"], "latent_dim": 2}, {"model": "vae1", "latent_dim": 2})
        True
    """
    return all(axis in cell and cell[axis] in listed(wanted) for axis, wanted in rule.items())


def listed(wanted: Scalar | list[Scalar]) -> list[Scalar]:
    """A value, or a list of values, as a list."""
    return wanted if isinstance(wanted, list) else [wanted]
