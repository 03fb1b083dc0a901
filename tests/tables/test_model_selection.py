"""Model selection in a stream, against the batches at the end of each segment."""

import pytest

from entropy_sums.tables import words
from entropy_sums.tables.model_selection import TABLE
from example import streaming
from rows import row


def test_model_selection():
    table = TABLE.frame(streaming())
    assert {column.name for column in TABLE.columns} <= set(table.columns)
    assert table["runs"].tolist() == [4] * 9
    assert table.loc[table["lowest"] == "both", ["segment", "latent_dim"]].values.tolist() == [[1, 6], [2, 2], [3, 4]]
    assert set(table["lowest"]) == {"both", "neither"}
    assert table["std_ratio"].between(8, 25).all()
    ds = streaming()["linearvae"].to_dataset()
    end = ds["batch_elbo"].sel(dataset="stream", latent_dim=2).isel(batch=slice(200, 400))
    got = row(table, segment=1, latent_dim=2)
    assert got["elbo"] == pytest.approx(end.mean("batch").median("seed").item())
    assert got["bic_elbo_std"] == pytest.approx(20 * end.std("batch", ddof=1).median("seed").item())
    assert "BIC by entropy sum (nats)" in words.latex(TABLE, table)


def test_the_lowest_of_each_estimate():
    tree = streaming()
    ds = tree["linearvae"].to_dataset().copy(deep=True)
    ds["batch_entropy_sum"][{"latent_dim": 0}] += 50
    table = TABLE.frame(type(tree).from_dict({"/": tree.to_dataset(), "linearvae": ds}))
    assert row(table, segment=1, latent_dim=2)["lowest"] == "entropy_sum"
    assert row(table, segment=1, latent_dim=6)["lowest"] == "elbo"
    assert row(table, segment=2, latent_dim=2)["lowest"] == "both"
