"""Verdicts on final gaps, against simulated runs and the definitions by hand."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from entropy_sums.analysis import closure
from entropy_sums.analysis.closure import Closure


def runs(gaps, errors, elbo=-10.0, stationary=None):
    """A cell with two recorded steps, the first of which has a large gap."""
    gaps = np.asarray(gaps, float)
    both = np.stack([np.full_like(gaps, 9.0), gaps], axis=1)
    shape = ("seed", "step")
    found = {
        "gap": (shape, both),
        "gap_standard_error": (shape, np.broadcast_to(np.asarray(errors, float), both.T.shape).T),
        "elbo": (shape, np.full_like(both, elbo)),
        "diverged_at": ("seed", np.full(gaps.size, np.nan)),
        "planned": ("seed", np.ones(gaps.size)),
    }
    if stationary is not None:
        factors = (*shape, "factor")
        found["stationary_gap"] = (factors, np.broadcast_to(stationary, (*both.shape, 2)))
        found["cross_entropy"] = (factors, np.ones((*both.shape, 2)))
    return xr.Dataset(found, {"step": [0, 5]})


def test_by_hand():
    found = closure.of(runs([0.3, 0.1], [0.03, 0.04]))
    assert found.mean == pytest.approx(0.2)
    assert found.error == pytest.approx(0.05 / 2)
    assert found.z == pytest.approx(8)
    assert str(found) == "not closed (0.2 nats, z = 8)"


def test_a_true_zero_is_closed_in_95_percent():
    rng = np.random.default_rng(0)
    closed = [closure.of(runs(rng.normal(0, 0.1, 8), 0.1)).closed for _ in range(1000)]
    assert np.mean(closed) == pytest.approx(2 * stats.norm.cdf(closure.LIMIT) - 1, abs=0.02)


@pytest.mark.parametrize(
    ("stationary", "verdict"),
    [
        ([0.0, 0.0], "not yet (3 nats, z = 4.2e+02)"),
        ([0.0, 2.5], "stays (3 nats)"),
        ([0.0, math.nan], "stays (3 nats)"),
        (None, "not closed (3 nats, z = 4.2e+02)"),
    ],
)
def test_a_gap_stays_where_no_identity_closes_it(stationary, verdict):
    assert str(closure.of(runs([3.0, 3.0], 0.01, stationary=stationary))) == verdict


def test_gaps_without_noise_close_at_rounding():
    assert closure.of(runs([1e-7, 1e-7], 0.0)).closed
    assert str(closure.of(runs([-1e-3, -1e-3], 0.0))) == "not closed (-0.001 nats, z = -inf)"


def test_one_run_without_a_prediction_leaves_that_of_the_others():
    ds = runs([3.0, 3.0], 0.01, stationary=[0.0, 0.0]).copy(deep=True)
    ds["stationary_gap"][0] = math.nan
    assert str(closure.of(ds)) == "not yet (3 nats, z = 4.2e+02)"


def test_nothing_closes_within_an_error_that_is_not_known():
    found = closure.of(runs([50.0, 50.0], math.inf))
    assert not found.closed
    assert str(found) == "cannot be told (50 nats, of unknown error)"


def test_without_runs():
    nothing = closure.of(runs([math.nan], math.nan))
    assert str(nothing) == "–"
    assert not nothing.closed


def test_the_floor_is_what_zeros_show():
    rng = np.random.default_rng(0)
    gaps = rng.normal(0, 0.02, 20_001)
    shown = runs(gaps, 0.02)
    assert closure.floor(shown)[-1].item() == pytest.approx(np.median(100 * abs(gaps) / 10), rel=0.03)


def test_rounding_never_hides_a_gap():
    assert not Closure(1e-3, 0.0, None, 100.0).closed
