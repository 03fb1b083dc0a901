"""The table of model selection in a stream of data, after Damm et al. (AISTATS 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from entropy_sums.study.tables import DATASET, MEDIANS, MODEL, RUNS, Column, Table, number, of_quantity

if TYPE_CHECKING:
    import xarray as xr


def rows(tree: xr.DataTree) -> Iterator[dict[str, Any]]:
    """A row per cell, segment and latent size; none where there are no data in segments.

    Example:
        >>> table = TABLE.frame(streamed)
        >>> table.loc[table["lowest"] == "both", ["segment", "latent_dim"]].values.tolist()
        [[1, 6], [2, 2], [3, 4]]
    """
    from entropy_sums.analysis import cells, streams
    from entropy_sums.tables.words import numbers

    found_by = {(): "neither", **{(name,): name for name in streams.ESTIMATES}, streams.ESTIMATES: "both"}
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
                yield row | numbers(segments.sel(place), TABLE.numbers) | {"lowest": found_by[by]}


def wanted(study: Any) -> bool:
    """Whether a study records minibatches, and has data in segments."""
    return study.asks("batches") and study.has_data_with("segment")


TABLE = Table(
    rows=f"{__name__}:rows",
    title="Model selection in a stream of data",
    caption="Model selection in a stream of data, a row per cell, segment and latent size: mean over the last 2,000 "
    f"minibatches of the segment (half of a shorter one), with the standard deviation over them (_std), {MEDIANS}. "
    "Diverged and missing runs are left out.",
    columns=(
        MODEL,
        DATASET,
        Column("segment", "segment of the data, from 1", key=True),
        Column("latent_dim", "latent size of the model", key=True),
        RUNS,
        of_quantity("elbo", "ELBO of a minibatch"),
        of_quantity("entropy_sum", "sum of entropies of a minibatch"),
        number("bic_elbo", "BIC of a minibatch by its ELBO", "nats per batch", "BIC by ELBO", compared=True),
        number(
            "bic_entropy_sum",
            "BIC of a minibatch by its entropy sum",
            "nats per batch",
            "BIC by entropy sum",
            compared=True,
        ),
        number(
            "relative_gap",
            "absolute difference of the mean ELBO and entropy sum, relative to the absolute ELBO",
            "percent",
            "gap",
        ),
        number(
            "noise_floor", "relative gap that a gap of exactly zero shows, by the spread over minibatches", "percent"
        ),
        number(
            "std_ratio",
            "standard deviation of the ELBO divided by that of the entropy sum",
            label="ratio of standard deviations",
            digits=2,
        ),
        Column(
            "lowest",
            "whether this latent size has the lowest BIC of the segment: by elbo, entropy_sum, both or neither",
            label="lowest BIC",
        ),
    ),
    wanted=wanted,
)
