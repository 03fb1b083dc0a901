"""The numbers at the end of training, a row per cell of the study, as CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from entropy_sums.files import atomic
from entropy_sums.study.tables import Table
from entropy_sums.tables.final import final_table
from entropy_sums.tables.selection import selection_table
from entropy_sums.tables.subsets import subsets_table
from entropy_sums.tables.words import latex

TABLES: dict[str, Callable[[xr.DataTree], pd.DataFrame]] = {
    "final": final_table,
    "subsets": subsets_table,
    "model_selection": selection_table,
}
"""Name of every table of a study → what makes it; `Study.tables` says which a study has."""


def makers(further: Mapping[str, Table]) -> dict[str, Callable[[xr.DataTree], pd.DataFrame]]:
    """What makes each table, by name: those of this package, then those of plugins."""
    return {**TABLES, **{name: table.code() for name, table in further.items()}}


def write(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table of `final_table` to `path` with .csv (full precision) and .tex (booktabs, rounded) appended.

    In LaTeX a value is followed by its interval, both to the second digit of the width of the interval.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(final_table(tree), f"{folder}/final")
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['final.csv', 'final.tex']
    """
    with atomic(Path(f"{path}.csv")) as temporary:
        frame.to_csv(temporary, index=False)
    with atomic(Path(f"{path}.tex")) as temporary:
        temporary.write_text(latex(frame), encoding="utf-8")
