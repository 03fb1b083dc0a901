"""Numbers and names as tables say them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from entropy_sums.analysis import names, statistics

HEADINGS = {
    "elbo": "ELBO (nats)",
    "heldout_elbo": "held-out ELBO (nats)",
    "entropy_sum": "entropy sum (nats)",
    "gap": "gap (nats)",
    "gap_per_dimension": "gap per dimension (nats)",
    "relative_gap": "gap (%)",
    "gradient_norm": "gradient norm",
    "log_likelihood": "log-likelihood (nats)",
    "heldout_log_likelihood": "held-out log-likelihood (nats)",
    "true_log_likelihood": "true log-likelihood (nats)",
    "gap_standard_error": "standard error of the gap (nats)",
    "predicted_gap": "predicted gap (nats)",
    "posterior_minus_prior": "posterior minus prior entropy (nats)",
    "negative_kl": "negative KL (nats)",
    "negative_observation_entropy": "negative observation entropy (nats)",
    "expected_log_observation": "expected log-observation (nats)",
    "bic_elbo": "BIC by ELBO (nats)",
    "bic_entropy_sum": "BIC by entropy sum (nats)",
    "std_ratio": "ratio of standard deviations",
}

SMALL = 1e-3
"""Below this a value and its interval share a power of ten."""


def latex(frame: pd.DataFrame) -> str:
    r"""The table as a LaTeX `tabular` that needs the package booktabs only.

    Example:
        >>> from entropy_sums.tables.final import final_table
        >>> latex(final_table(tree)).splitlines()[1]
        '\\toprule'
    """
    text = display(frame).map(_escape)
    numbers = text.columns.intersection(list(HEADINGS.values()))
    text[numbers] = text[numbers].map(_mathematics)
    text.columns = [_escape(column) for column in text.columns]
    return text.to_latex(index=False, escape=False, column_format="l" * len(text.columns))


def display(frame: pd.DataFrame) -> pd.DataFrame:
    """The table for readers: names in words, values rounded and joined with their intervals, all as text.

    Example:
        >>> from entropy_sums.tables.final import final_table
        >>> display(final_table(tree)).loc[0, "ELBO (nats)"]
        '-7.02 [-7.20, -6.88]'
    """
    text = {}
    for column in frame.columns:
        if f"{column}_std" in frame:
            pairs = frame[[column, f"{column}_std"]].itertuples(index=False)
            text[HEADINGS[column]] = [with_spread(*row) for row in pairs]
        elif f"{column}_low" in frame:
            limits = frame[[column, f"{column}_low", f"{column}_high"]]
            text[HEADINGS[column]] = [rounded(*row) for row in limits.itertuples(index=False)]
        elif column in HEADINGS:
            digits = 2 if column.endswith(("standard_error", "ratio")) else 4
            text[HEADINGS[column]] = [f"{value:.{digits}g}" if math.isfinite(value) else "–" for value in frame[column]]
        elif re.sub("_(low|high|std)$", "", column) not in HEADINGS:
            text[names.readable(column)] = [
                "–" if pd.isna(value) else _label(value) for value in frame[column].tolist()
            ]
    return pd.DataFrame(text)


def with_spread(value: float, std: float) -> str:
    """A value and its standard deviation to the second digit of the latter; a dash without a value.

    Example:
        >>> with_spread(-9.21034, 0.0523), with_spread(324.66, 14.6), with_spread(2.0, 0.0)
        ('-9.210 (0.052)', '325 (15)', '2 (0)')
    """
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(std) or std == 0:
        return f"{value:.4g} ({std:.4g})"
    decimals = max(0, 1 - math.floor(math.log10(std)))
    return f"{round(value, decimals) + 0.0:.{decimals}f} ({std:.{decimals}f})"


def rounded(value: float, low: float, high: float) -> str:
    """A value and its interval to the second digit of the width of the interval.

    Without an interval: four digits of the value. Without a value: a dash.

    Example:
        >>> rounded(-12.3456, -12.4111, -12.3001), rounded(-12.3456, float("nan"), float("nan"))
        ('-12.35 [-12.41, -12.30]', '-12.35')
    """
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(high - low) or high == low:
        return f"{value:.4g}"
    largest = max(abs(low), abs(value), abs(high))
    if largest < SMALL:
        exponent = math.floor(math.log10(largest))
        return f"({rounded(*(number / 10**exponent for number in (value, low, high)))})e{exponent}"
    decimals = 1 - math.floor(math.log10(high - low))
    return "{} [{}, {}]".format(
        *(f"{round(number, decimals) + 0.0:.{max(decimals, 0)}f}" for number in (value, low, high))
    )


def numbers(runs: xr.Dataset, columns: Iterable[str]) -> dict[str, float]:
    """Those of the columns that the runs have, with intervals, each followed by its spread where it has one."""
    numbers: dict[str, float] = {}
    for column in columns:
        if column in runs.data_vars:
            numbers |= with_interval(column, runs[column])
        if f"{column}_std" in runs.data_vars:
            numbers[f"{column}_std"] = runs[f"{column}_std"].median("seed").item()
    return numbers


def with_interval(name: str, values: xr.DataArray) -> dict[str, float]:
    result = statistics.interval(values, np.median)
    return {f"{name}{end}": result[key].item() for end, key in (("", "estimate"), ("_low", "low"), ("_high", "high"))}


def _label(value: Any) -> str:
    return names.readable(value) if isinstance(value, str) else names.settings(value)


def _escape(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text).replace("–", "--")


def _mathematics(text: str) -> str:
    """A hyphen is no minus sign in LaTeX, and e-05 no power of ten."""
    text = re.sub(r"e([+-]?)0*(\d+)", lambda power: rf"$\times10^{{{power[1].strip('+')}{power[2]}}}$", text)
    return re.sub(r"(?<![\^{-])-(?=\d)", "$-$", text)
