"""The table of estimates from few held-out points: table 1 of Damm et al. (AISTATS 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from entropy_sums.quantities import NATS
from entropy_sums.study.tables import DATASET, MEDIANS, MODEL, RUNS, SUBSET, Table, number, of_quantity

if TYPE_CHECKING:
    import xarray as xr


def rows(tree: xr.DataTree) -> Iterator[dict[str, Any]]:
    """A row per cell and number of points; none where no run has estimates from subsets.

    Example:
        >>> table = TABLE.frame(tree)
        >>> table.loc[:1, ["model", "dataset", "latent_dim", "subset"]]
               model dataset  latent_dim  subset
        0  linearvae     pca           2      10
        1  linearvae     pca           2     100
    """
    import xarray as xr

    from entropy_sums.analysis import cells, statistics, subsets
    from entropy_sums.tables.words import numbers

    for model, cell, runs in cells.walk(tree):
        kept = statistics.usable(runs)
        if subsets.recorded(kept):
            terms = subsets.terms(kept)
            deviations = subsets.standard_deviation(terms).rename({name: f"{name}_std" for name in terms})
            moments = xr.merge([terms.mean("estimate"), deviations])
            used = int(statistics.final(kept, "elbo").notnull().sum())
            for size in moments["subset"].values.tolist():
                own = numbers(moments.sel(subset=size), TABLE.numbers)
                yield {"model": model, **cell, "runs": used, "subset": size} | own


TABLE = Table(
    rows=f"{__name__}:rows",
    title="Estimates from few held-out points",
    caption="ELBO and entropy sum estimated from few held-out points at the end of training, and the terms of each: "
    f"mean over the estimates of a run, with the standard deviation over them (_std), {MEDIANS}. All factors but the "
    "prior count as observation. Diverged and missing runs are left out.",
    columns=(
        MODEL,
        DATASET,
        RUNS,
        SUBSET,
        of_quantity("entropy_sum", "sum of entropies: posterior_minus_prior + negative_observation_entropy"),
        of_quantity("elbo", "ELBO: negative_kl + expected_log_observation"),
        number(
            "posterior_minus_prior",
            "entropy of the posterior minus that of the prior",
            NATS,
            "posterior minus prior entropy",
        ),
        number("negative_kl", "negative KL divergence of the posterior from the prior", NATS, "negative KL"),
        number("negative_observation_entropy", "negative entropy of the observation", NATS),
        number(
            "expected_log_observation",
            "expected log-probability of the observation",
            NATS,
            "expected log-observation",
        ),
    ),
    wanted=lambda study: study.asks("subset_sizes"),
)
