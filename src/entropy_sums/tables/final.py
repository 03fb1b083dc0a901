"""The table of final numbers: ELBO, entropy sum, gap and likelihoods of every cell at the end of training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from entropy_sums.quantities import ALIKE, NATS, SHOWN
from entropy_sums.study.tables import DATASET, MEDIANS, MODEL, RUNS, Column, Table, number, of_quantity

if TYPE_CHECKING:
    import xarray as xr

    from entropy_sums.analysis.cells import Cell

AFTER_GAP = (
    number("gap_per_dimension", "gap divided by the number of data dimensions", "nats"),
    number("relative_gap", "absolute gap relative to the absolute final ELBO", "percent", "gap", compared=True),
)

AT_END = tuple(
    column
    for quantity in SHOWN
    if quantity.shown.at_end
    for column in (of_quantity(quantity.name), *(AFTER_GAP if quantity.name == "gap" else ()))
)
"""Numbers with an interval: the median over runs, and `…_low`, `…_high`, its 95 % interval."""

LIKELIHOODS = (
    number("log_likelihood", "log-likelihood of the training set", NATS, "log-likelihood"),
    number("heldout_log_likelihood", "log-likelihood of held-out data", NATS, "held-out log-likelihood"),
)
"""Log-likelihoods: exact, or else a bound or an estimate, as the column `likelihood_by` says. The interval is as above;
for annealing it is the medians over runs of the lower limit of reverse and the upper limit of forward annealing."""


def rows(tree: xr.DataTree) -> Iterator[dict[str, Any]]:
    """A row per model, dataset and combination of the other axes but the seed.

    Diverged runs are counted and left out. Medians of no run and intervals of fewer than `MINIMUM_RUNS` runs are NaN.
    """
    from entropy_sums.analysis import cells

    for model, cell, runs in cells.walk(tree):
        yield _row(model, cell, runs)


def _row(model: str, cell: Cell, runs: xr.Dataset) -> dict[str, Any]:
    from entropy_sums.analysis import closure, statistics

    kept = statistics.usable(runs)
    kept = kept.assign(gap_per_dimension=kept["gap"] / kept["observed_dim"], relative_gap=statistics.relative_gap(kept))
    row: dict[str, Any] = {"model": model} | cell
    row["runs"] = int(statistics.final(kept, "elbo").notnull().sum())
    row["diverged"] = int(statistics.diverged(runs).sum())
    row["missing"] = int(statistics.missing(runs).sum())
    if "used_components" in kept:
        unused = (kept["empty_components"] > 0) | (kept["used_components"] < ALIKE)
        row["unused"] = int(unused.sum()) if kept["used_components"].notnull().any() else math.nan
    for column in AT_END:
        if column.name in kept:
            row[column.name] = statistics.final(kept, column.name)
    row |= _likelihoods(kept)
    if "true_log_likelihood" in runs and row["runs"]:
        row["true_log_likelihood"] = kept["true_log_likelihood"].median("seed").item()
    if row["runs"]:
        row |= {"verdict": str(closure.of(runs)), "noise_floor": closure.floor(runs).dropna("step")[-1].item()}
    errors = statistics.final(kept, "gap_standard_error")
    row["gap_standard_error"] = statistics.band(errors)["median"].item()
    if "stationary_gap" in runs and row["runs"]:
        failing = int(statistics.fails_here(kept).sum())
        certified = "yes" if statistics.certified(kept) else "no"
        row["certified"] = f"does not hold here ({failing} of {row['runs']} runs)" if failing else certified
        row["predicted_gap"] = statistics.predicted_gap(kept).median("seed").item()
    return row


def _likelihoods(runs: xr.Dataset) -> dict[str, Any]:
    """Log-likelihoods of these runs: exact if available, or else the bound, or else the estimate by annealing."""
    from entropy_sums.analysis import names, statistics

    row: dict[str, Any] = {}
    there = [name for name in runs if runs[name].notnull().any()]
    for name in (column.name for column in LIKELIHOODS):
        prefix = name.removesuffix("log_likelihood")
        bound, forward, reverse = (f"{prefix}{e}" for e in ("importance_weighted_bound", "forward_ais", "reverse_ais"))
        if name in there:
            row |= {name: statistics.final(runs, name), "likelihood_by": "exact"}
        elif bound in there:
            row |= {name: runs[bound], "likelihood_by": names.readable("importance_weighted_bound")}
        elif forward in there:
            ends = {"_low": f"{reverse}_low", "_high": f"{forward}_high"}
            row[name] = runs[forward]
            row |= {f"{name}{end}": runs[each].median("seed").item() for end, each in ends.items()}
            row["likelihood_by"] = names.readable("forward_ais")
    return row


TABLE = Table(
    rows=f"{__name__}:rows",
    title="The end of training",
    caption=f"The end of training, a row per model, dataset and combination of the other axes: {MEDIANS}. Limits of a "
    "log-likelihood by annealing are medians of the limits of each run. Diverged and missing runs are counted and left "
    "out of every statistic.",
    columns=(
        MODEL,
        DATASET,
        RUNS,
        Column("diverged", "number of runs left out because they diverged"),
        Column("missing", "number of runs that failed or are not there"),
        Column("unused", "number of runs of a mixture that end with an empty component or with all components alike"),
        *AT_END,
        *LIKELIHOODS,
        Column(
            "likelihood_by",
            "how the log-likelihood was found: exact, importance-weighted bound or forward AIS",
            label="log-likelihood by",
        ),
        of_quantity("true_log_likelihood", "log-likelihood of the training set under what it was drawn from"),
        of_quantity(
            "gap_standard_error",
            "median Monte Carlo standard error of the gap of one run",
            "standard error of the gap",
        ),
        number("noise_floor", "relative gap that a gap of exactly zero shows, by its Monte Carlo noise", "percent"),
        Column(
            "verdict",
            "whether the mean gap is closed within two Monte Carlo standard errors, not yet, or stays, as a "
            "certificate is missing or predicts a gap; not closed where the traces record no certificates; cannot "
            "be told where the error is unknown",
        ),
        Column(
            "certified",
            "whether every factor of the model has a certificate (yes, no), where traces record them; `does not hold "
            "here` with the number of runs that ended at parameters where the identity of a certificate fails",
        ),
        number("predicted_gap", "median gap that the certificates predict for the end, where they do", NATS),
    ),
)
