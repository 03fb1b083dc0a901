"""The tables of this package by name: whatever module of this folder declares one. Light: the workflow asks."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from entropy_sums import tables
from entropy_sums.tables.table import Table

if TYPE_CHECKING:
    from entropy_sums.study.schema import Study

FIRST = "final"
"""The table that every study has; it is called like the study among the references."""

TOOLS = ("catalogue", "table", "words", "write")
"""Modules of this folder that declare no table."""


def _declared() -> Iterator[Table]:
    names = [module.name for module in iter_modules(tables.__path__) if module.name not in TOOLS]
    for name in sorted(names, key=lambda name: (name != FIRST, name)):
        yield import_module(f"{tables.__name__}.{name}").TABLE


TABLES: dict[str, Table] = {table.name: table for table in _declared()}
"""Name → table; that of final numbers first."""


def of_study(study: Study) -> list[str]:
    """Names of the tables that a study has.

    Example:
        >>> from entropy_sums.study.schema import Study
        >>> axes = {"model": ["vae1"], "dataset": ["pca"], "seed": [0]}
        >>> of_study(Study(study="a", axes=axes, training={"evaluation": {"subset_sizes": [10, 100]}}))
        ['final', 'subsets']
    """
    return [name for name, table in TABLES.items() if table.wanted(study)]
