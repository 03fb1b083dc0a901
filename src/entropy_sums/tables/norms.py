"""The table of parameter norms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from entropy_sums.study.tables import DATASET, MODEL, Table, of_quantity

if TYPE_CHECKING:
    import xarray as xr


def rows(tree: xr.DataTree) -> Iterator[dict[str, Any]]:
    """A row per cell."""
    from entropy_sums.analysis import cells

    for model, cell, runs in cells.walk(tree):
        yield {"model": model, **cell, "parameter_norm": runs["parameter_norm"].median().item()}


TABLE = Table(
    rows=f"{__name__}:rows", title="Parameter norms", columns=(MODEL, DATASET, of_quantity("parameter_norm", "norm"))
)
