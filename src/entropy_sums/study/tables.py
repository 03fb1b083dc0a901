"""Declaration of tables: their columns, studies and code. Light, because the workflow imports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from entropy_sums.modules import Space, load, own_modules
from entropy_sums.quantities import DIMENSIONS, QUANTITIES

if TYPE_CHECKING:
    import pandas as pd

CERTIFICATES = "certificates"
"""The table that `entropy-sums certify` writes about the models of a study, not about its runs."""

BRACKETS = {"nats per data point": "nats", "nats per batch": "nats", "nats": "nats", "percent": "%"}
"""Unit → its text in brackets after the heading of a column; other units appear only in the meaning of a column."""

ENDS = ("_low", "_high", "_std")
"""Suffixes of a column's name for the limits of its 95 % interval, and for its standard deviation."""

MINIMUM_RUNS = 5
"""Least number of runs for an interval: the range of four covers their median with a probability of 88 % only."""

MEDIANS = (
    f"medians over runs with 95 % intervals between order statistics (_low, _high), empty for fewer than "
    f"{MINIMUM_RUNS} runs"
)
"""Meaning of a number with limits, for the captions of tables."""


@dataclass(frozen=True)
class Column:
    """A column of a table; `number` and `of_quantity` make columns of numbers.

    Attributes:
        meaning: meaning of its values.
        unit: unit of a number; empty for numbers without a unit, for text and for counts.
        label: its name for readers; by default its name in words.
        digits: number of significant digits without an interval; None for text and counts, shown as they are.
        compared: whether `entropy-sums compare` compares it.
        key: whether it identifies rows, as axes of the study do.
    """

    name: str
    meaning: str
    unit: str = ""
    label: str = ""
    digits: int | None = None
    compared: bool = False
    key: bool = False

    @property
    def heading(self) -> str:
        """Heading of the column, with its unit in brackets; empty if its name in words is the heading.

        Example:
            >>> number("relative_gap", "absolute gap relative to the absolute final ELBO", "percent", "gap").heading
            'gap (%)'
        """
        return f"{self.label} ({BRACKETS[self.unit]})" if self.unit in BRACKETS else self.label

    @property
    def explanation(self) -> str:
        """Meaning of the column, with its unit.

        Example:
            >>> of_quantity("gap").explanation
            'ELBO minus entropy sum on the training set, nats per data point'
        """
        return f"{self.meaning}, {self.unit}" if self.unit else self.meaning


def number(
    name: str, meaning: str, unit: str = "", label: str = "", *, digits: int = 4, compared: bool = False
) -> Column:
    """A column of numbers that are computed from recorded quantities.

    Args:
        label: its name for readers; by default its name in words.

    Example:
        >>> number("std_ratio", "standard deviation of the ELBO divided by that of the entropy sum").heading
        'std ratio'
    """
    return Column(name, meaning, unit, label or name.replace("_", " "), digits, compared)


def of_quantity(name: str, meaning: str = "", label: str = "") -> Column:
    """The column of a recorded quantity, with its declared unit, rounding and comparison.

    Args:
        meaning: meaning of the column; by default the meaning of the quantity in the table of final numbers.
        label: its name for readers; by default the label of the quantity.

    Example:
        >>> of_quantity("elbo").heading, of_quantity("elbo").compared
        ('ELBO (nats)', True)
    """
    quantity = QUANTITIES[name]
    shown = quantity.shown
    meaning = meaning or shown.at_end
    return Column(name, meaning, quantity.unit, label or quantity.label, shown.digits, shown.compared)


MODEL = Column("model", "model, as its group in traces.nc", key=True)
DATASET = Column("dataset", "dataset", key=True)
RUNS = Column("runs", "number of runs that the statistics rest on")
SUBSET = Column("subset", DIMENSIONS["subset"].meaning, label=DIMENSIONS["subset"].label, key=True)


def always(study: Any) -> bool:
    """True, as every study has the table; a table without rows is not shown."""
    return True


@dataclass(frozen=True)
class Table:
    """Declaration of a table of a study. Its code is named as text, so that planning does not import it.

    Attributes:
        rows: `module:function` that gives the rows of a collected tree, each a mapping of column → value. A number of
            every run is a `DataArray` over `seed`; the table shows its median and interval.
        title: its heading in the report.
        columns: columns that it always has or may have; other columns are axes of the study.
        caption: meaning of its rows and numbers, in plain text that is also valid reStructuredText.
        wanted: whether a study (a `Study`) has it.
        space: modules in which `rows` is looked up first.
        source: digest of the code of a plugin; empty for the tables of this package.
    """

    rows: str
    title: str
    columns: tuple[Column, ...] = ()
    caption: str = ""
    wanted: Callable[[Any], bool] = always
    space: Space | None = field(default=None, compare=False)
    source: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules of this package with its code, in the form that `files.source_digest` takes."""
        return (*own_modules(self.rows), "tables.write")

    def code(self) -> Callable[[Any], Iterable[Mapping[str, Any]]]:
        """The function `rows`, imported."""
        return load(self.rows, self.space)

    def frame(self, tree: Any) -> pd.DataFrame:
        """The table of a collected tree; without rows it has all its columns.

        Example:
            >>> from entropy_sums.tables.final import TABLE
            >>> TABLE.frame(tree).loc[:1, ["model", "dataset", "latent_dim", "runs", "diverged"]]
                   model dataset  latent_dim  runs  diverged
            0  linearvae     pca           2     7         1
            1  linearvae     pca           4     8         0
        """
        import pandas as pd

        summary = load("entropy_sums.tables.words:summary")
        rows = [summary(row) for row in self.code()(tree.load())]
        return pd.DataFrame(rows, columns=None if rows else [column.name for column in self.columns])

    def runs(self, tree: Any) -> pd.DataFrame:
        """The numbers of every run behind the table: a row per row of the table and seed.

        It has the columns that identify a row, `seed` (as text), and the numbers that `rows` gives of every run.

        Example:
            >>> from entropy_sums.tables.final import TABLE
            >>> TABLE.runs(tree).loc[:1, ["model", "dataset", "latent_dim", "seed", "elbo"]].round(2)
                   model dataset  latent_dim seed  elbo
            0  linearvae     pca           2    0 -6.98
            1  linearvae     pca           2    1   NaN
        """
        import pandas as pd
        import xarray as xr

        found = []
        for row in self.code()(tree.load()):
            numbers = {name: value for name, value in row.items() if isinstance(value, xr.DataArray)}
            place = {name: row[name] for name in self.axes(row)}
            seeds = [value["seed"].values.tolist() for value in numbers.values()][:1]
            values = [value.values.tolist() for value in numbers.values()]
            for seed, *own in zip(*seeds, *values, strict=True):
                found.append(place | {"seed": str(seed)} | dict(zip(numbers, own, strict=True)))
        return pd.DataFrame(found)

    @cached_property
    def numbers(self) -> dict[str, Column]:
        """Name → column of the numbers that are rounded for readers."""
        return {column.name: column for column in self.columns if column.digits is not None}

    @cached_property
    def compared(self) -> list[str]:
        """Names of the columns that `entropy-sums compare` compares."""
        return [column.name for column in self.columns if column.compared]

    def axes(self, columns: Iterable[str]) -> list[str]:
        """Columns of a frame that identify its rows: keys of the table, and axes of the study.

        Example:
            >>> from entropy_sums.tables.final import TABLE
            >>> TABLE.axes(["model", "dataset", "beta", "runs", "elbo", "elbo_low"])
            ['model', 'dataset', 'beta']
        """
        measured = {f"{column.name}{end}" for column in self.columns if not column.key for end in ("", *ENDS)}
        return [name for name in columns if name not in measured]
