import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from entropy_sums.analysis import powers
from entropy_sums.analysis.powers import Measured


def over_seeds(values):
    return xr.DataArray(np.asarray(values, float), dims=("seed", "step"))


def noisy(exponent, factor, scatter=0.3, seeds=12, points=15, seed=0):
    """Runs whose x and y both scatter about a law of x that is free of noise."""
    rng = np.random.default_rng(seed)
    x = np.geomspace(0.1, 10, points)
    shake = np.exp(scatter * rng.standard_normal((2, seeds, points)))
    return over_seeds(x * shake[0]), over_seeds(factor * x**exponent * shake[1])


@given(st.floats(-3, 3), st.floats(1e-3, 1e3), st.integers(3, 6))
def test_an_exact_law_is_found(exponent, factor, points):
    x = over_seeds([np.geomspace(0.5, 20, points)])
    found = powers.law(Measured(x), Measured(factor * x**exponent))
    assert found["estimate"].item() == pytest.approx(exponent, abs=1e-9)
    assert found["factor"].item() == pytest.approx(factor, rel=1e-9)
    assert np.isnan(found["low"])
    assert (found["points"].item(), found["left_out"].item(), found["runs"].item()) == (points, 0, 1)


@settings(max_examples=5)  # each resamples twice
@given(st.floats(0.2, 5), st.floats(0.2, 5))
def test_units_change_the_factor_only(scale_x, scale_y):
    x, y = noisy(1.3, 2.0)
    first = powers.law(Measured(x), Measured(y))
    second = powers.law(Measured(scale_x * x), Measured(scale_y * y))
    for name in ("estimate", "low", "high"):
        assert second[name].item() == pytest.approx(first[name].item(), rel=1e-9)
    ratio = second["factor"].item() / first["factor"].item()
    assert ratio == pytest.approx(scale_y / scale_x ** first["estimate"].item(), rel=1e-9)


def test_scatter_in_x_does_not_flatten_the_law():
    """As it does for single runs."""
    x, y = noisy(2.0, 1.0, scatter=0.8, seeds=50)
    single = np.polyfit(np.log(x.values.ravel()), np.log(y.values.ravel()), 1)[0]
    assert single < 1.6
    assert powers.law(Measured(x), Measured(y))["estimate"].item() == pytest.approx(2.0, abs=0.1)


def test_the_interval_covers_the_exponent_about_as_often_as_it_says():
    found = [powers.law(*map(Measured, noisy(1.0, 1.0, seed=seed))) for seed in range(30)]
    covered = np.mean([law["low"].item() <= 1.0 <= law["high"].item() for law in found])
    # Binomial standard error of 30 trials: 0.04
    assert covered >= 0.87


def test_points_within_the_noise_are_left_out_and_counted():
    x = over_seeds([np.geomspace(1, 100, 9)] * 4)
    # A floor of 3 that the law would run into
    y = np.maximum(0.5 * x, 3.0)
    found = powers.law(Measured(x), Measured(y, floor=3.0))
    assert found["estimate"].item() == pytest.approx(1.0)
    assert found["points"].item() + found["left_out"].item() == 9
    assert found["left_out"].item() == (y.isel(seed=0) <= 3.0).sum().item() > 0
    assert powers.law(Measured(x), Measured(y))["estimate"].item() < 0.9


def test_too_few_points_make_no_law():
    x = over_seeds([[1.0, 2.0]] * 4)
    assert np.isnan(powers.law(Measured(x), Measured(x))["estimate"])
    same = over_seeds([[1.0, 1.0, 1.0]] * 4)
    assert np.isnan(powers.law(Measured(same), Measured(same))["estimate"])


def test_runs_that_ended_early_are_left_out():
    x, y = noisy(1.0, 1.0)
    whole = powers.law(Measured(x.isel(seed=slice(1, None))), Measured(y.isel(seed=slice(1, None))))
    y[0, 5:] = np.nan
    found = powers.law(Measured(x), Measured(y))
    assert found["runs"].item() == 11
    assert found["low"].item() == pytest.approx(whole["low"].item(), abs=0.05)


def test_near_a_stationary_point_the_gap_is_of_first_and_the_elbo_of_second_order():
    """A normal with a learned variance: all in closed form, on the way of log s to its optimum."""
    moment = 1.7
    off = np.geomspace(0.3, 1e-3, 40)
    # Seeds come from above and from below
    log_s = 0.5 * np.log(moment) + np.array([[1.0], [-1.0], [1.0], [-1.0]]) * off
    variance = np.exp(2 * log_s)
    elbo = -0.5 * np.log(2 * np.pi) - log_s - moment / (2 * variance)
    best = -0.5 * np.log(2 * np.pi * np.e * moment)
    gap = 0.5 * (1 - moment / variance)
    ds = xr.Dataset(
        {
            "elbo": over_seeds(np.column_stack([elbo, np.full(4, best)])),
            "gap": over_seeds(np.column_stack([gap, np.zeros(4)])),
            "gradient_norm": over_seeds(np.column_stack([abs(moment / variance - 1), np.zeros(4)])),
            "observed_dim": ("seed", np.ones(4)),
        }
    )
    zero = 0 * ds["elbo"]
    runs = powers.settled(ds.assign(elbo_standard_error=zero, gap_standard_error=zero))
    gradient, gap_, distance = powers.gradient(runs), powers.gap(runs), powers.distance(runs)
    assert powers.law(gradient, gap_)["estimate"].item() == pytest.approx(1.0, abs=1e-9)
    assert powers.law(gradient, distance)["estimate"].item() == pytest.approx(2.0, abs=0.02)
    assert powers.law(distance, gap_)["estimate"].item() == pytest.approx(0.5, abs=0.01)
    # The optimum itself has no place on logarithmic axes
    assert powers.law(gradient, gap_)["points"].item() == runs.sizes["step"] - 1


def test_settled_begins_after_the_last_excursion():
    ds = xr.Dataset(
        {"elbo": over_seeds([[-9, -2.1, -9, -2.4, -2]] * 3), "observed_dim": ("seed", [5.0] * 3)},
        coords={"step": [0, 1, 2, 4, 8]},
    )
    assert powers.settled(ds)["step"].values.tolist() == [4, 8]
