import numpy as np
import pytest
import xarray as xr

from entropy_sums.analysis import subsets
from example import example_tree


@pytest.fixture(scope="module")
def ds():
    return example_tree(flaws=False)["vae1"].to_dataset().sel(dataset="pca", latent_dim=4)


def test_terms_add_up(ds):
    terms = subsets.terms(ds)
    np.testing.assert_allclose(terms["negative_kl"] + terms["expected_log_observation"], terms["elbo"])
    both = terms["posterior_minus_prior"] + terms["negative_observation_entropy"]
    np.testing.assert_allclose(both, terms["entropy_sum"])
    expected = ds["subset_posterior_entropy"] - ds["subset_cross_entropy"].sel(factor="prior")
    np.testing.assert_allclose(terms["negative_kl"], expected.transpose(*terms["negative_kl"].dims))


def test_several_layers_count_as_observation(ds):
    named = ds.assign_coords(factor=["layer_1", "observation"])
    further = ds.isel(factor=[0]).assign_coords(factor=["prior"])
    kinds = ["subset_cross_entropy", "subset_entropy"]
    three = ds.drop_dims("factor").assign({k: xr.concat([further[k], named[k]], "factor") for k in kinds})
    found = subsets.terms(three)["expected_log_observation"]
    np.testing.assert_allclose(found, -ds["subset_cross_entropy"].sum("factor").transpose(*found.dims))


def test_without_a_prior_there_are_no_terms(ds):
    """As of machines, whose one factor is joint."""
    joint = ds.isel(factor=[0]).assign_coords(factor=["joint"])
    terms = subsets.terms(joint)
    assert terms[["negative_kl", "expected_log_observation", "posterior_minus_prior"]].isnull().all().to_array().all()
    assert terms["elbo"].notnull().all()


def test_deviation_over_estimates(ds):
    found = subsets.standard_deviation(subsets.estimates(ds)).sel(subset=100, seed=3)
    for name in ("elbo", "entropy_sum"):
        assert found[name].item() == pytest.approx(ds[f"subset_{name}"].sel(subset=100, seed=3).values.std(ddof=1))


def test_rounding_is_no_deviation():
    values = xr.DataArray([[3.0, 3.0 + 1e-12], [3.0, 3.0 + 1e-6], [3.0, np.nan]], dims=("subset", "estimate"))
    found = subsets.standard_deviation(xr.Dataset({"elbo": values}))["elbo"].values
    np.testing.assert_allclose(found, [0, 1e-6 / np.sqrt(2), np.nan], rtol=1e-6)
