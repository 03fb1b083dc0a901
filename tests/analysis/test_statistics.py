import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from entropy_sums.analysis import statistics
from example import STEPS, example_tree


def runs(values):
    return xr.DataArray(np.asarray(values, float), dims="seed")


def group(**variables):
    return xr.Dataset({name: (("seed", "step"), np.asarray(value, float)) for name, value in variables.items()})


class Mirrored:
    """Two normal modes at ± `mode`, as where runs end at one of two optima."""

    def __init__(self, mode):
        self.mode = mode

    def __call__(self, rng, shape):
        return self.mode * rng.choice([-1, 1], shape) + rng.standard_normal(shape)


DISTRIBUTIONS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t with 2 degrees": lambda rng, shape: rng.standard_t(2, shape),
    "Cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - np.log(2),
    "two modes": Mirrored(2),
    "two modes far apart": Mirrored(5),
}
"""Name → draws whose median is 0."""


def coverage(limits, trials, n, draw, truth=0.0):
    samples = draw(np.random.default_rng(n), (trials, n))
    found = limits(xr.DataArray(samples, dims=("trial", "seed")))
    return ((found["low"] <= truth) & (truth <= found["high"])).mean().item()


class TestInterval:
    @pytest.mark.parametrize("n", [5, 6, 7, 8, 10, 20])
    @pytest.mark.parametrize("name", DISTRIBUTIONS)
    def test_covers_the_median_as_often_as_it_says(self, name, n):
        """The binomial standard error of 4,000 trials is 0.35 %; bench/coverage.md has more of them."""
        # No finite interval of five runs covers the median between two modes more often
        expected = 0.9375 if (name, n) == ("two modes far apart", 5) else statistics.LEVEL
        assert coverage(statistics.interval, 4000, n, DISTRIBUTIONS[name]) == pytest.approx(expected, abs=0.014)

    def test_of_five_runs_is_a_little_longer_than_their_range(self):
        result = statistics.interval(runs([3.0, 0.0, 1.0, 7.0, 5.0]))
        assert (result["low"].item(), result["high"].item()) == pytest.approx((-0.2, 7.4))

    @pytest.mark.parametrize("n", [6, 7, 8, 10, 20, 50])
    def test_ends_are_runs(self, n):
        values = np.random.default_rng(n).normal(size=n)
        result = statistics.interval(runs(values))
        assert {result["low"].item(), result["high"].item()} <= set(values)

    def test_of_six_runs_is_their_range_or_leaves_out_one(self):
        """They cover 31/32 and 7/8; the odds give 95 %."""
        cut, chance = statistics._cut(6)
        assert (cut, chance * 31 / 32 + (1 - chance) * 7 / 8) == (0, pytest.approx(0.95))
        samples = np.random.default_rng(0).normal(size=(1000, 6))
        found = statistics.interval(xr.DataArray(samples, dims=("trial", "seed")))
        least, most = found["low"] == samples.min(1), found["high"] == samples.max(1)
        assert (least | most).all()
        assert (least & most).mean().item() == pytest.approx(chance, abs=0.04)
        assert (least & ~most).mean().item() == pytest.approx((1 - chance) / 2, abs=0.03)

    @given(arrays(int, st.integers(5, 12), elements=st.integers(-100, 100)), st.randoms())
    def test_order_unit_and_sign_do_not_matter(self, values, random):
        shuffled = list(values)
        random.shuffle(shuffled)
        first = statistics.interval(runs(values))
        assert statistics.interval(runs(shuffled)).equals(first)
        low, high = first["low"].item(), first["high"].item()
        other = statistics.interval(runs(-4 * values))
        assert (other["low"].item(), other["high"].item()) == pytest.approx((-4 * high, -4 * low))

    @pytest.mark.parametrize(
        ("values", "estimate", "count"),
        [([], np.nan, 0), ([np.nan], np.nan, 0), ([4.0], 4.0, 1), ([4.0, 5.0], 4.5, 2), ([1.0, 2.0, 4.0, 8.0], 3.0, 4)],
    )
    def test_too_few_runs_have_no_interval_and_are_shown(self, values, estimate, count):
        result = statistics.interval(runs(values))
        np.testing.assert_equal(result["estimate"].item(), estimate)
        assert np.isnan(result["low"])
        assert np.isnan(result["high"])
        assert result["runs"].item() == count
        np.testing.assert_equal(statistics.single(runs(values)).values, values)

    def test_an_infinite_run_leaves_no_interval(self):
        result = statistics.interval(runs([-np.inf, 1.0, 2.0, 3.0, 4.0, 5.0]))
        assert result["estimate"].item() == 2.5
        assert np.isnan(result["low"])

    def test_missing_runs_are_left_out(self):
        with_gaps = statistics.interval(runs([1.0, np.nan, 2.0, 5.0, np.nan, 4.0, 9.0]))
        assert with_gaps.equals(statistics.interval(runs([1.0, 2.0, 5.0, 4.0, 9.0])))
        assert with_gaps["runs"].item() == 5

    def test_equal_runs_have_an_interval_of_width_zero(self):
        result = statistics.interval(runs([2.0] * 6))
        assert result["low"].item() == result["high"].item() == 2.0

    def test_a_cell_does_not_depend_on_its_neighbours(self):
        values = np.random.default_rng(3).normal(size=(4, 8))
        together = statistics.interval(xr.DataArray(values, dims=("cell", "seed"))).isel(cell=2)
        assert together.equals(statistics.interval(runs(values[2])))

    @given(arrays(float, st.integers(5, 12), elements=st.floats(-100, 100)))
    def test_lies_around_the_median(self, values):
        result = statistics.interval(runs(values))
        rounding = 1e-12 * np.abs(values).max()
        assert (np.diff([result[name].item() for name in ("low", "estimate", "high")]) >= -rounding).all()


class TestIntervalOfMean:
    def test_is_the_one_of_scipy(self):
        values = np.random.default_rng(1).normal(3.0, 2.0, 9)
        result = statistics.interval_of_mean(runs(values))
        low, high = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
        assert [result[name].item() for name in ("estimate", "low", "high")] == pytest.approx(
            [values.mean(), low, high]
        )

    def test_covers_the_mean_as_often_as_it_says(self):
        assert coverage(statistics.interval_of_mean, 4000, 5, DISTRIBUTIONS["normal"]) == pytest.approx(0.95, abs=0.014)


class TestBand:
    @given(arrays(float, (5, 3), elements=st.floats(-100, 100) | st.just(np.nan)))
    def test_is_what_numpy_finds_without_the_missing_ones(self, values):
        band = statistics.band(xr.DataArray(values, dims=("seed", "step")))
        for step in range(3):
            column = values[:, step][~np.isnan(values[:, step])]
            want = np.quantile(column, [0.25, 0.5, 0.75]) if column.size else [np.nan] * 3
            got = [band[name].values[step] for name in ("low", "median", "high")]
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


class TestFinal:
    def test_each_run_ends_where_its_record_ends(self):
        nan = np.nan
        ds = group(
            elbo=[[1, 2, 3], [4, 5, nan], [6, nan, 8], [nan] * 3], gap=[[1, 2, 3], [4, 5, 6], [7, 8, 9], [1] * 3]
        )
        np.testing.assert_equal(statistics.final(ds, "gap").values, [3, 5, 9, nan])

    def test_a_number_that_was_not_recorded_at_the_end_is_not_taken_from_before(self):
        ds = group(elbo=[[1, 2]], log_likelihood=[[7, np.nan]])
        assert np.isnan(statistics.final(ds, "log_likelihood").item())

    def test_keeps_further_dimensions(self):
        ds = example_tree()["linearvae"].to_dataset()
        ended_early = statistics.final(ds, "entropy").sel(dataset="pca", latent_dim=2, seed=2)
        assert ended_early.dims == ("factor",)
        before = ds["entropy"].sel(dataset="pca", latent_dim=2, seed=2, step=STEPS[29])
        np.testing.assert_array_equal(ended_early, before)

    def test_unknown_name(self):
        with pytest.raises(KeyError, match="elbow"):
            statistics.final(group(elbo=[[1.0]]), "elbow")


def test_relative_gap_is_the_percentage_of_damm_et_al():
    ds = group(elbo=[[-9, -20, -10], [-2, -4, np.nan]], gap=[[5, -2, 0.1], [-1, 0.2, np.nan]])
    np.testing.assert_allclose(statistics.relative_gap(ds).values, [[50, 20, 1], [25, 5, np.nan]])


class TestLeftOut:
    def test_diverged_and_missing_are_told_apart(self):
        ds = group(elbo=[[1, 2], [np.nan, np.nan], [np.nan, np.nan]])
        ds["diverged_at"] = ("seed", [np.nan, 0.0, np.nan])
        ds["planned"] = ("seed", [1.0, 1.0, 1.0])
        assert statistics.diverged(ds).values.tolist() == [False, True, False]
        assert statistics.missing(ds).values.tolist() == [False, False, True]

    def test_a_diverged_run_enters_no_statistic(self):
        ds = example_tree()["linearvae"].to_dataset().sel(dataset="pca", latent_dim=2)
        assert abs(statistics.final(ds, "elbo")).max() == 1e9
        kept = statistics.usable(ds)
        assert abs(statistics.final(kept, "elbo")).max() < 100
        assert all(kept[name].sel(seed=1).isnull().all() for name in ("gap", "entropy", "latent_entropy"))
        assert kept["run"].equals(ds["run"])


class TestFactors:
    """Of two models of a group, the first has one factor, the second has two."""

    @staticmethod
    def runs(**values):
        own = {"cross_entropy": [[1.0, np.nan], [1.0, 2.0]], **values}
        factors = {name: (("seed", "step", "factor"), np.array(value)[:, None]) for name, value in own.items()}
        return xr.Dataset({"elbo": (("seed", "step"), [[-3.0], [-4.0]]), **factors})

    def test_those_that_only_other_runs_have_are_none_without_a_prediction(self):
        runs = self.runs(stationary_gap=[[0.5, np.nan], [0.5, 0.25]])
        np.testing.assert_array_equal(statistics.predicted_gap(runs), [0.5, 0.75])
        runs = self.runs(stationary_gap=[[np.nan, np.nan], [0.5, np.nan]])
        assert statistics.predicted_gap(runs).isnull().all()

    @pytest.mark.parametrize(("first", "expected"), [(0.1, True), (np.nan, False)])
    def test_those_that_only_other_runs_have_need_no_certificate(self, first, expected):
        runs = self.runs(directional_derivative=[[first, np.nan], [0.1, np.nan]]).isel(seed=[0])
        assert statistics.certified(runs) is expected

    def test_a_run_that_is_missing_has_none(self):
        runs = self.runs(stationary_gap=[[0.0, 0.0]] * 2).where(False)
        assert statistics.predicted_gap(runs).isnull().all()
