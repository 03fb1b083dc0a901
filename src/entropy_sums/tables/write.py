"""Writing of a table as CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from entropy_sums.analysis.names import known, shown_by
from entropy_sums.files import atomic
from entropy_sums.study.tables import Table
from entropy_sums.tables.words import latex


def write(table: Table, frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table to `path` with .csv (full precision) and .tex (booktabs, rounded) appended.

    In LaTeX a value is followed by its interval, both to the second digit of the width of the interval.

    Example:
        >>> import tempfile
        >>> from entropy_sums.tables.final import TABLE
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(TABLE, TABLE.frame(tree), f"{folder}/final")
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['final.csv', 'final.tex']
    """
    with atomic(Path(f"{path}.csv")) as temporary:
        frame.to_csv(temporary, index=False)
    with atomic(Path(f"{path}.tex")) as temporary:
        temporary.write_text(latex(table, frame), encoding="utf-8")


def write_all(tables: Mapping[str, Table], names: Sequence[str], tree: xr.DataTree, folder: Path) -> None:
    """Write tables of a collected file to a folder: the named ones, or else all that have rows.

    Raises:
        KeyError: a name is unknown.
    """
    if unknown := [name for name in names if name not in tables]:
        raise KeyError(f"no table {unknown[0]!r}; there are {', '.join(tables)}")
    for name in names or tables:
        frame = tables[name].frame(tree)
        if names or len(frame):
            with known(shown_by(tree)):
                write(tables[name], frame, folder / name)
