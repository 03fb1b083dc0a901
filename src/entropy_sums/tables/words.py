"""Numbers and names as text for tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import xarray as xr

from entropy_sums.analysis import names, statistics
from entropy_sums.study.tables import ENDS, Column, Table

ROUNDING = 1e-13
"""Relative width up to which an interval is rounding errors of runs that end at one number."""

SMALL = 1e-3
"""Limit below which a value and its interval share a power of ten."""


def latex(table: Table, frame: pd.DataFrame) -> str:
    r"""The table as a LaTeX `tabular` that needs the package booktabs only.

    Example:
        >>> from entropy_sums.tables.final import TABLE
        >>> latex(TABLE, TABLE.frame(tree)).splitlines()[1]
        '\\toprule'
    """
    text = display(table, frame).map(_escape)
    numbers = text.columns.intersection([column.heading for column in table.numbers.values()])
    text[numbers] = text[numbers].map(_mathematics)
    text.columns = [_escape(column) for column in text.columns]
    return text.to_latex(index=False, escape=False, column_format="l" * len(text.columns))


def display(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The table for readers: names in words, values rounded and joined with their intervals, all as text.

    Args:
        frame: frame of this table, or its CSV read back.

    Example:
        >>> from entropy_sums.tables.final import TABLE
        >>> display(TABLE, TABLE.frame(tree)).loc[0, "ELBO (nats)"]
        '-7.02 [-7.22, -6.88]'
    """
    headings = {column.name: column.heading for column in table.columns}
    text = {}
    for name in frame.columns:
        values = frame[name].tolist()
        if name in table.numbers:
            text[headings[name]] = _numbers(table.numbers[name], frame)
        elif not name.endswith(ENDS) or name.rpartition("_")[0] not in table.numbers:
            heading = headings.get(name) or names.readable(name)
            text[heading] = ["–" if pd.isna(value) else _label(value) for value in values]
    return pd.DataFrame(text)


def _numbers(column: Column, frame: pd.DataFrame) -> list[str]:
    """The numbers of a column, with their standard deviations, or else intervals, if it has them."""
    name = column.name
    low, high, std = (f"{name}{end}" for end in ENDS)
    if std in frame:
        return [with_standard_deviation(*row) for row in frame[[name, std]].itertuples(index=False)]
    if low in frame:
        return [rounded(*row) for row in frame[[name, low, high]].itertuples(index=False)]
    return [f"{value:.{column.digits}g}" if math.isfinite(value) else "–" for value in frame[name]]


def with_standard_deviation(value: float, std: float) -> str:
    """A value and its standard deviation to the second digit of the latter; a dash without a value.

    Example:
        >>> with_standard_deviation(-9.21034, 0.0523), with_standard_deviation(324.66, 14.6)
        ('-9.210 (0.052)', '325 (15)')
        >>> with_standard_deviation(2.0, 0.0)
        '2 (0)'
    """
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(std) or std == 0:
        return f"{value:.4g} ({std:.4g})"
    decimals = max(0, 1 - math.floor(math.log10(std)))
    return f"{round(value, decimals) + 0.0:.{decimals}f} ({std:.{decimals}f})"


def rounded(value: float, low: float, high: float) -> str:
    """A value and its interval to the second digit of the width of the interval.

    Without an interval, or with one as narrow as rounding errors: four digits of the value. Without a value: a dash.

    Example:
        >>> rounded(-12.3456, -12.4111, -12.3001), rounded(-12.3456, float("nan"), float("nan"))
        ('-12.35 [-12.41, -12.30]', '-12.35')
        >>> rounded(-13.540681213384255, -13.540681213384254, -13.540681213384255)
        '-13.54'
    """
    if not math.isfinite(value):
        return "–"
    largest = max(abs(low), abs(value), abs(high))
    if not math.isfinite(high - low) or high - low <= ROUNDING * largest:
        return f"{value:.4g}"
    if largest < SMALL:
        exponent = math.floor(math.log10(largest))
        return f"({rounded(*(number / 10**exponent for number in (value, low, high)))})e{exponent}"
    decimals = 1 - math.floor(math.log10(high - low))
    return "{} [{}, {}]".format(
        *(f"{round(number, decimals) + 0.0:.{max(decimals, 0)}f}" for number in (value, low, high))
    )


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with a median and an interval in place of each number of every run.

    Example:
        >>> summary({"model": "vae1", "elbo": xr.DataArray([1.0, 2.0, 4.0], dims="seed")})
        {'model': 'vae1', 'elbo': 2.0, 'elbo_low': nan, 'elbo_high': nan}
    """
    found: dict[str, Any] = {}
    for name, value in row.items():
        found |= with_interval(name, value) if isinstance(value, xr.DataArray) else {name: value}
    return found


def numbers(runs: xr.Dataset, columns: Iterable[str]) -> dict[str, xr.DataArray | float]:
    """Values of those columns that the runs have, each followed by its median standard deviation if recorded."""
    found: dict[str, xr.DataArray | float] = {}
    for column in columns:
        if column in runs.data_vars:
            found[column] = runs[column]
        if f"{column}_std" in runs.data_vars:
            found[f"{column}_std"] = runs[f"{column}_std"].median("seed").item()
    return found


def with_interval(name: str, values: xr.DataArray) -> dict[str, float]:
    """The median over runs as `name`, and its 95 % interval as `…_low` and `…_high`."""
    result = statistics.interval(values)
    return {f"{name}{end}": result[key].item() for end, key in (("", "estimate"), ("_low", "low"), ("_high", "high"))}


def _label(value: Any) -> str:
    return names.readable(value) if isinstance(value, str) else names.settings(value)


def _escape(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text).replace("–", "--")


def _mathematics(text: str) -> str:
    """Text with minus signs and powers of ten of LaTeX instead of hyphens and e-05."""
    text = re.sub(r"e([+-]?)0*(\d+)", lambda power: rf"$\times10^{{{power[1].strip('+')}{power[2]}}}$", text)
    return re.sub(r"(?<![\^{-])-(?=\d)", "$-$", text)
