"""Models of this package by name, collected from the `settings` module of each family."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from entropy_sums.models.base import ModelSettings
from entropy_sums.packages import named

HERE = iter_modules([str(Path(__file__).parent)])
FAMILIES = [import_module(f"entropy_sums.models.{found.name}.settings") for found in HERE if found.ispkg]

MODELS: dict[str, type[ModelSettings]] = named(FAMILIES, ModelSettings)
"""Settings class of each model, by its name in study files."""
