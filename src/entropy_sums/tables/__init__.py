"""Tables of a study, each declared as `TABLE` in a module of its own. Light, because the workflow imports it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from entropy_sums.study.tables import Table

TOOLS = ("words", "write")
"""Modules of this folder that declare no table."""

TABLES: dict[str, Table] = {
    module.name: import_module(f"{__name__}.{module.name}").TABLE
    for module in iter_modules(__path__)
    if module.name not in TOOLS
}
"""The tables of this package by the name of their module."""
