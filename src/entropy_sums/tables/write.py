"""Writing of a table as CSV and LaTeX."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

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
