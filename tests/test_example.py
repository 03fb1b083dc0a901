import numpy as np
import pytest
import xarray as xr

from entropy_sums.quantities import PER_RUN, PER_STEP
from example import example_tree


@pytest.fixture(scope="module")
def ds():
    return example_tree()["vae1"].to_dataset()


def test_has_no_name_that_a_real_file_does_not_have(ds):
    assert set(ds.data_vars) <= {*PER_STEP, *PER_RUN}


def test_obeys_the_definitions(ds):
    np.testing.assert_allclose(ds["gap"], ds["elbo"] - ds["entropy_sum"], atol=1e-10)
    np.testing.assert_allclose(ds["gap"], (ds["entropy"] - ds["cross_entropy"]).sum("factor"), atol=1e-10)
    np.testing.assert_allclose(ds["elbo"], ds["posterior_entropy"] - ds["cross_entropy"].sum("factor"), atol=1e-10)


def test_survives_a_file(tmp_path):
    tree = example_tree()
    tree.to_netcdf(tmp_path / "traces.nc", engine="netcdf4")
    with xr.open_datatree(tmp_path / "traces.nc", engine="netcdf4") as read:
        assert read["vae0"].to_dataset().drop_vars("run").equals(tree["vae0"].to_dataset().drop_vars("run"))
        assert read.attrs["configuration"] == tree.attrs["configuration"]
