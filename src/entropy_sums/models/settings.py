"""Names that moved, for plugins written before: `entropy_sums.models.settings` goes in the next version."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

HOMES = ("base", "vae.settings", "mixtures.settings", "linear.settings", "binary.settings", "catalogue")


def __getattr__(name: str) -> Any:
    for home in HOMES:
        module = import_module(f"entropy_sums.models.{home}")
        if hasattr(module, name) and not name.startswith("_"):
            warnings.warn(
                f"entropy_sums.models.settings.{name} is now entropy_sums.models.{home}.{name}",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
