import numpy as np
import xarray as xr

from entropy_sums.analysis import latents
from example import example_tree


def test_thresholds_as_published():
    entropy, variance = (
        xr.DataArray(values, dims="latent") for values in ([0.999, 1.0, np.nan], [0.011, 0.01, np.nan])
    )
    assert latents.active_by_entropy(entropy).values.tolist() == [True, False, False]
    assert latents.active_by_variance(variance).values.tolist() == [True, False, False]
    assert latents.number(latents.active_by_entropy(entropy), entropy).item() == 1


def test_ranks_of_many_runs():
    ds = example_tree()["vae1"].to_dataset()
    ranked = latents.ranked(ds["latent_entropy"], ds)
    assert ranked.dims == ("dataset", "latent_dim", "seed", "step", "rank")
    end = ranked.isel(step=-1)
    assert (end.diff("rank").fillna(-1) <= 0).all()
    assert end.sel(latent_dim=2).notnull().sum("rank").values.tolist() == [[2] * 8] * 2
    np.testing.assert_allclose(np.sort(ranked, -1), np.sort(ds["latent_entropy"], -1))
