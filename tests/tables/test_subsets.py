"""Estimates from few held-out points, against the runs that they are of."""

import numpy as np
import pytest

from entropy_sums.tables import words
from entropy_sums.tables.subsets import TABLE
from rows import row


def test_estimates_from_subsets(tree):
    table = TABLE.frame(tree)
    runs = tree["vae1"].to_dataset().sel(dataset="digits", latent_dim=4)
    got = row(table, model="vae1", dataset="digits", latent_dim=4, subset=100)
    for name in ("elbo", "entropy_sum"):
        estimates = runs[f"subset_{name}"].sel(subset=100).transpose("seed", "estimate").values
        assert got[name] == pytest.approx(np.median(estimates.mean(1)))
        assert got[f"{name}_std"] == pytest.approx(np.median(estimates.std(1, ddof=1)))
    assert {column.name for column in TABLE.columns} <= set(table.columns)
    assert (row(table, model="vae0", dataset="pca", latent_dim=2, subset=10)["runs"], len(table)) == (7, 14 * 3)
    text = words.latex(TABLE, table)
    assert "held-out points" in text
    assert " (" in text
