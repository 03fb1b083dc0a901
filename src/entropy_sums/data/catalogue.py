"""All datasets of this package by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from entropy_sums.data.base import DatasetSettings
from entropy_sums.packages import named

HERE = iter_modules([str(Path(__file__).parent)])
MODULES = [import_module(f"entropy_sums.data.{found.name}") for found in HERE if found.name != "catalogue"]

DATASETS: dict[str, type[DatasetSettings]] = named(MODULES, DatasetSettings)
"""Settings class of each dataset, by the name that study files use."""
