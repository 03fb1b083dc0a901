"""The numbers at the end of training, a row per cell of the study, as CSV and LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from entropy_sums.analysis import cells, names, statistics, streams, subsets
from entropy_sums.files import atomic

QUANTITIES = {
    "elbo": "ELBO on the training set, nats per data point",
    "heldout_elbo": "ELBO on held-out data, nats per data point",
    "entropy_sum": "sum of entropies on the training set, nats per data point",
    "gap": "ELBO minus entropy sum on the training set, nats per data point",
    "gap_per_dimension": "gap divided by the number of data dimensions, nats",
    "relative_gap": "absolute gap in percent of the absolute final ELBO",
    "gradient_norm": "Euclidean norm of the gradient of the full-batch ELBO, nats per unit of parameter",
}
"""Quantities with an interval: the median over runs, and `…_low`, `…_high`, its 95 % bootstrap interval."""

LIKELIHOODS = {
    "log_likelihood": "log-likelihood of the training set, nats per data point",
    "heldout_log_likelihood": "log-likelihood of held-out data, nats per data point",
}
"""Exact, or else a bound or an estimate, as the column `likelihood_by` says; with an interval as the quantities above,
of annealing the medians over runs of the lower limit of reverse and the upper limit of forward annealing."""

COLUMNS = {
    "model": "model, as its group in traces.nc",
    "dataset": "dataset",
    "runs": "runs that the statistics rest on",
    "diverged": "runs left out because they diverged",
    "missing": "runs that failed or are not there",
    **QUANTITIES,
    "gap_standard_error": "median Monte Carlo standard error of the gap of one run, nats per data point",
    **LIKELIHOODS,
    "likelihood_by": "how the log-likelihood was found: exact, importance-weighted bound or forward AIS",
    "true_log_likelihood": "log-likelihood of the training set under what it was drawn from, nats per data point",
    "certified": "whether every factor of the model has a certificate (yes, no), where traces record them",
    "predicted_gap": "median gap that the certificates predict for the end, nats per data point, where they do",
}
"""What each column holds and its unit; columns beside these are axes of the study."""

SUBSETS = {
    "runs": "runs that the statistics rest on",
    "subset": "number of held-out points of an estimate",
    "entropy_sum": "sum of entropies, nats per data point",
    "elbo": "ELBO, nats per data point",
    "posterior_minus_prior": "entropy of the posterior minus that of the prior, nats per data point",
    "negative_kl": "negative KL divergence of the posterior from the prior, nats per data point",
    "negative_observation_entropy": "negative entropy of the observation, nats per data point",
    "expected_log_observation": "expected log-probability of the observation, nats per data point",
}
"""Columns of the table of estimates from few held-out points: the mean over the estimates of a run, median over runs
with `…_low`, `…_high`, its 95 % bootstrap interval, and `…_std`, the median of their standard deviations."""

SELECTION = {
    "segment": "segment of the data, from 1",
    "latent_dim": "latent size of the model",
    "runs": "runs that the statistics rest on",
    "elbo": "ELBO of a minibatch, nats per data point",
    "entropy_sum": "sum of entropies of a minibatch, nats per data point",
    "bic_elbo": "BIC of a minibatch by its ELBO, nats per batch",
    "bic_entropy_sum": "BIC of a minibatch by its entropy sum, nats per batch",
    "relative_gap": "absolute difference of the mean ELBO and entropy sum in percent of the absolute ELBO",
    "std_ratio": "standard deviation of the ELBO divided by that of the entropy sum",
    "lowest": "whether this latent size has the lowest BIC of the segment: by ELBO, entropy sum, both or neither",
}
"""Columns of the table of model selection: means over the last minibatches of the segment, medians over runs with
`…_low`, `…_high`, its 95 % bootstrap interval, and `…_std`, the median of the standard deviations over these
minibatches."""

LOWEST = {(): "neither", ("elbo",): "elbo", ("entropy_sum",): "entropy_sum", streams.ESTIMATES: "both"}

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


def final_table(tree: xr.DataTree) -> pd.DataFrame:
    """One row per model, dataset and combination of the other axes but the seed; columns as in `COLUMNS`.

    Diverged runs are counted and left out. Medians of no run and intervals of fewer than
    `statistics.MINIMUM_RUNS` runs are NaN.

    Example:
        >>> frame = final_table(tree)
        >>> frame.loc[:1, ["model", "dataset", "latent_dim", "runs", "diverged"]]
               model dataset  latent_dim  runs  diverged
        0  linearvae     pca           2     7         1
        1  linearvae     pca           4     8         0
    """
    return pd.DataFrame([_row(model, cell, runs) for model, cell, runs in cells.walk(tree.load())])


def subsets_table(tree: xr.DataTree) -> pd.DataFrame:
    """Estimates from few held-out points, a row per cell and number of points; columns as in `SUBSETS`.

    No rows where no run has any. Source: Damm et al. (AISTATS 2023), table 1.

    Example:
        >>> table = subsets_table(tree)
        >>> table.loc[:1, ["model", "dataset", "latent_dim", "subset"]]
               model dataset  latent_dim  subset
        0  linearvae     pca           2      10
        1  linearvae     pca           2     100
    """
    rows: list[dict[str, Any]] = []
    for model, cell, runs in cells.walk(tree):
        kept = statistics.usable(runs)
        if subsets.recorded(kept):
            terms = subsets.terms(kept)
            spreads = subsets.deviation(terms).rename({name: f"{name}_std" for name in terms})
            moments = xr.merge([terms.mean("estimate"), spreads])
            number = int(statistics.final(kept, "elbo").notnull().sum())
            rows += [
                {"model": model, **cell, "runs": number, "subset": size} | _numbers(moments.sel(subset=size), SUBSETS)
                for size in moments["subset"].values.tolist()
            ]
    return pd.DataFrame(rows, columns=None if rows else ["model", "dataset", *SUBSETS])


def selection_table(tree: xr.DataTree) -> pd.DataFrame:
    """Model selection in data in segments, a row per cell, segment and latent size; columns as in `SELECTION`.

    No rows where there are no such data. Source: Damm et al. (AISTATS 2023).

    Example:
        >>> table = selection_table(streamed)
        >>> table.loc[table["lowest"] == "both", ["segment", "latent_dim"]].values.tolist()
        [[1, 6], [2, 2], [3, 4]]
    """
    rows: list[dict[str, Any]] = []
    for dataset in cells.datasets(tree):
        for model, cell, runs, found in streams.walk(cells.narrow(tree, dataset)):
            segments = streams.segments(runs, found)
            lowest = streams.lowest(segments)
            axes = [segments[name].values.tolist() for name in ("segment", "latent_dim")]
            for segment, size in product(*axes):
                place = {"segment": segment, "latent_dim": size}
                own = segments["elbo"].sel(place).notnull().sum().item()
                by = tuple(name for name in streams.ESTIMATES if lowest[name].sel(segment=segment) == size)
                row = {"model": model, "dataset": dataset, **cell, **place, "runs": own}
                rows.append(row | _numbers(segments.sel(place), SELECTION) | {"lowest": LOWEST[by]})
    return pd.DataFrame(rows, columns=None if rows else ["model", "dataset", *SELECTION])


TABLES: dict[str, Callable[[xr.DataTree], pd.DataFrame]] = {
    "final": final_table,
    "subsets": subsets_table,
    "model_selection": selection_table,
}
"""Name of every table of a study → what makes it; `Study.tables` says which a study has."""


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


def latex(frame: pd.DataFrame) -> str:
    r"""The table as a LaTeX `tabular` that needs the package booktabs only.

    Example:
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


def _row(model: str, cell: cells.Cell, runs: xr.Dataset) -> dict[str, Any]:
    kept = statistics.usable(runs)
    kept = kept.assign(gap_per_dimension=kept["gap"] / kept["observed_dim"], relative_gap=statistics.relative_gap(kept))
    row: dict[str, Any] = {"model": model} | cell
    row["runs"] = int(statistics.final(kept, "elbo").notnull().sum())
    row["diverged"] = int(statistics.diverged(runs).sum())
    row["missing"] = int(statistics.missing(runs).sum())
    for name in QUANTITIES:
        row |= _with_interval(name, statistics.final(kept, name))
    row |= _likelihoods(kept)
    if "true_log_likelihood" in runs and row["runs"]:
        row["true_log_likelihood"] = kept["true_log_likelihood"].median("seed").item()
    errors = statistics.final(kept, "gap_standard_error")
    row["gap_standard_error"] = statistics.band(errors)["median"].item()
    if "stationary_gap" in runs and row["runs"]:
        row["certified"] = "yes" if statistics.certified(kept) else "no"
        row["predicted_gap"] = statistics.predicted_gap(kept).median("seed").item()
    return row


def _numbers(runs: xr.Dataset, columns: Iterable[str]) -> dict[str, float]:
    """Those of the columns that the runs have, with intervals, each followed by its spread where it has one."""
    numbers: dict[str, float] = {}
    for column in columns:
        if column in runs.data_vars:
            numbers |= _with_interval(column, runs[column])
        if f"{column}_std" in runs.data_vars:
            numbers[f"{column}_std"] = runs[f"{column}_std"].median("seed").item()
    return numbers


def _with_interval(name: str, values: xr.DataArray) -> dict[str, float]:
    result = statistics.interval(values, np.median)
    return {f"{name}{end}": result[key].item() for end, key in (("", "estimate"), ("_low", "low"), ("_high", "high"))}


def _likelihoods(runs: xr.Dataset) -> dict[str, Any]:
    """What these runs have, the exact one before the bound, and the bound before annealing."""
    row: dict[str, Any] = {}
    there = [name for name in runs if runs[name].notnull().any()]
    for name in LIKELIHOODS:
        prefix = name.removesuffix("log_likelihood")
        bound, forward, reverse = (f"{prefix}{e}" for e in ("importance_weighted_bound", "forward_ais", "reverse_ais"))
        if name in there:
            row |= _with_interval(name, statistics.final(runs, name)) | {"likelihood_by": "exact"}
        elif bound in there:
            row |= _with_interval(name, runs[bound]) | {"likelihood_by": names.readable("importance_weighted_bound")}
        elif forward in there:
            ends = {"": forward, "_low": f"{reverse}_low", "_high": f"{forward}_high"}
            row |= {f"{name}{end}": runs[each].median("seed").item() for end, each in ends.items()}
            row["likelihood_by"] = names.readable("forward_ais")
    return row


def _label(value: Any) -> str:
    return names.readable(value) if isinstance(value, str) else names.settings(value)


def _escape(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text).replace("–", "--")


def _mathematics(text: str) -> str:
    """A hyphen is no minus sign in LaTeX, and e-05 no power of ten."""
    text = re.sub(r"e([+-]?)0*(\d+)", lambda power: rf"$\times10^{{{power[1].strip('+')}{power[2]}}}$", text)
    return re.sub(r"(?<![\^{-])-(?=\d)", "$-$", text)
