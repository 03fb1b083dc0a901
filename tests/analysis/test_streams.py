import numpy as np
import pytest
import xarray as xr

from entropy_sums.analysis import streams
from entropy_sums.analysis.streams import Segmented
from example import streaming


@pytest.fixture(scope="module")
def ds():
    return streaming()["linearvae"].to_dataset().isel(dataset=0)


def test_published_numbers():
    """Damm et al.: an ELBO of −9.210 with 6 latents, 10 dimensions and 10 points is a BIC of 324.6."""
    published = {6: (-9.210, 324.6), 2: (3.811, -27.9), 4: (-2.338, 141.2)}
    for size, (elbo, bic) in published.items():
        ds = xr.Dataset({"batch_elbo": ("batch", [elbo]), "observed_dim": 10.0}, {"latent_dim": size})
        assert streams.criterion(ds, "elbo", 10).item() == pytest.approx(bic, abs=0.1)


def test_numbers_of_a_segment_by_hand(ds):
    found = streams.segments(ds, streams.stream(ds))
    end = ds.sel(latent_dim=4, seed=1).isel(batch=slice(600, 800))
    elbo, entropy_sum = end["batch_elbo"].values, end["batch_entropy_sum"].values
    here = found.sel(latent_dim=4, seed=1, segment=2)
    expected = {
        "elbo": elbo.mean(),
        "elbo_std": elbo.std(ddof=1),
        "entropy_sum": entropy_sum.mean(),
        "bic_elbo": 41 * np.log(10) - 20 * elbo.mean(),
        "bic_entropy_sum_std": 20 * entropy_sum.std(ddof=1),
        "relative_gap": 100 * abs(elbo.mean() - entropy_sum.mean()) / abs(elbo.mean()),
        "noise_floor": 67.449 * (elbo - entropy_sum).std(ddof=1) / np.sqrt(200) / abs(elbo.mean()),
        "std_ratio": elbo.std(ddof=1) / entropy_sum.std(ddof=1),
    }
    for name, value in expected.items():
        assert here[name].item() == pytest.approx(value), name


def test_moving_windows_by_hand(ds):
    values = ds["batch_elbo"]
    found = streams.moving(values, Segmented(10, 400, 2))
    window = values.sel(latent_dim=6, seed=2).values[160:200]
    here = found.sel(latent_dim=6, seed=2, batch=199)
    expected = [window.mean(), *np.quantile(window, [0.05, 0.95])]
    np.testing.assert_allclose([here[name] for name in ("mean", "low", "high")], expected)


def test_an_incomplete_segment_has_no_numbers(ds):
    cut = ds.isel(batch=slice(1000))
    assert streams.segments(cut, streams.stream(cut))["segment"].values.tolist() == [1, 2]
    assert streams.stream(ds.isel(batch=slice(399))) is None


def test_sizes_as_published():
    assert (Segmented(10, 10_000, 3).last, Segmented(10, 10_000, 3).window) == (2000, 500)
    assert (Segmented(10, 100, 3).last, Segmented(10, 100, 3).window) == (50, 10)


def test_batches_of_several_sizes_have_no_segments(ds):
    several = ds.attrs["training"].replace('{"steps"', '{"batch_size": 20, "order": "given"}, {"steps"')
    assert streams.stream(ds.assign_attrs(training=several)) is None
    varied = ds.attrs["training"].replace('"batch_size": 10', '"batch_size": "varied"')
    assert streams.stream(ds.assign_attrs(training=varied)) is None


def test_a_segment_is_whole_batches_and_each_is_met_once(ds):
    """Training may go through the stream again; a batch may not be longer than a segment, nor lie across its end."""
    assert streams.stream(ds.assign_attrs(data='{"stream": {"segment": 4000, "segments": 2}}')) == Segmented(10, 400, 2)
    for segment in (5, 4005):
        data = f'{{"stream": {{"segment": {segment}, "segments": 3}}}}'
        assert streams.stream(ds.assign_attrs(data=data)) is None


def test_an_axis_of_segments(ds):
    """Each run has as many as its value says, and NaN from there on."""
    several = xr.concat([ds, ds.where(ds["batch"] < 800)], xr.DataArray([3, 2], dims="segments", name="segments"))
    several.attrs = ds.attrs | {"data": '{"stream": {"segment": 4000, "segments": "varied"}}'}
    found = streams.segments(several, streams.stream(several))
    finite = found["elbo"].notnull().all(["latent_dim", "seed"])
    assert finite.sel(segments=3).values.tolist() == [True, True, True]
    assert finite.sel(segments=2).values.tolist() == [True, True, False]


def test_diverged_runs_are_left_out():
    tree = streaming()
    ds = tree["linearvae"].to_dataset().copy(deep=True)
    ds["batch_elbo"][0, 2, 0] = 1e9
    ds["diverged_at"][0, 2, 0] = 16
    ((_, _, runs, found),) = streams.walk(type(tree).from_dict({"/": tree.to_dataset(), "linearvae": ds}))
    numbers = streams.segments(runs, found)["elbo"].sel(latent_dim=6)
    assert numbers.notnull().sum("seed").values.tolist() == [3, 3, 3]
    assert (abs(numbers.median("seed")) < 100).all()
