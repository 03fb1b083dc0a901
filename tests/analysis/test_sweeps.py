import json

import numpy as np
import pytest
import xarray as xr

from entropy_sums.analysis import sweeps
from example import example_tree


@pytest.fixture
def group():
    """Learning rates and latent sizes about a base cell that is not the smallest, none where both differ."""
    axes = {"dataset": ["pca"], "learning_rate": [0.01, 0.1, 0.001], "latent_dim": [4, 2], "seed": range(3)}
    ds = example_tree(axes, ["vae1"], flaws=False)["vae1"].to_dataset()
    both = (ds["learning_rate"] != 0.01) & (ds["latent_dim"] != 4)
    return ds.assign({name: array.where(~both) for name, array in ds.items() if array.dtype.kind == "f"})


def test_the_first_values_are_the_base_cell(group):
    assert sweeps.base(group) == {"dataset": "pca", "learning_rate": 0.01, "latent_dim": 4}
    assert sweeps.varied(group) == ["learning_rate", "latent_dim"]


def test_neighbours_are_in_order_and_share_the_base_cell(group):
    line = sweeps.along(group, "learning_rate")
    assert line["learning_rate"].values.tolist() == [0.001, 0.01, 0.1]
    expected = group["gap"].sel(dataset="pca", latent_dim=4).sortby("learning_rate")
    np.testing.assert_array_equal(line["gap"], expected)


def test_cells_without_a_finished_run_are_no_neighbours(group):
    group["diverged_at"].loc[{"learning_rate": 0.1}] = 64.0
    assert sweeps.along(group, "learning_rate")["learning_rate"].values.tolist() == [0.001, 0.01]
    assert sweeps.along(group, "learning_rate", latent_dim=2)["learning_rate"].values.tolist() == [0.01]


def test_series_are_schedules():
    axes = {"dataset": ["pca"], "latent_dim": [2], "schedule": ["cosine", "constant"], "seed": range(3)}
    ds = example_tree(axes, ["vae1"], flaws=False)["vae1"].to_dataset()
    assert sweeps.series(ds) == [{"schedule": "cosine"}, {"schedule": "constant"}]
    assert sweeps.along(ds, "latent_dim", schedule="constant")["schedule"].item() == "constant"


@pytest.mark.parametrize(
    ("phases", "start"),
    [
        ([{"steps": 5, "batch_size": "full"}], None),
        ([{"steps": 5}, {"steps": 7}, {"steps": 1, "batch_size": "full"}], 12),
        ([{"steps": 5}, {"steps": 7, "batch_size": 100}], None),
        ([{"steps": "varied"}, {"steps": 7, "batch_size": "full"}], None),
        ("varied", None),
    ],
)
def test_polish_start(phases, start):
    ds = xr.Dataset(attrs={"training": json.dumps({"pca": {"phases": phases}})})
    assert sweeps.polish_start(ds, "pca") == start
