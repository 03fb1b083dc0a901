import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from entropy_sums.analysis import statistics
from example import STEPS, example_tree


def runs(values):
    return xr.DataArray(np.asarray(values, float), dims="seed")


def group(**variables):
    return xr.Dataset({name: (("seed", "step"), np.asarray(value, float)) for name, value in variables.items()})


class TestInterval:
    def test_bootstrap_of_the_mean_is_the_normal_interval_for_many_runs(self):
        values = np.random.default_rng(1).normal(3.0, 2.0, 400)
        result = statistics.interval(runs(values), np.mean)
        half = 1.959964 * values.std() / np.sqrt(values.size)
        assert result["estimate"].item() == values.mean()
        assert result["low"].item() == pytest.approx(values.mean() - half, abs=0.1 * half)
        assert result["high"].item() == pytest.approx(values.mean() + half, abs=0.1 * half)

    def test_covers_the_true_median_about_as_often_as_it_says(self):
        samples = np.random.default_rng(2).exponential(size=(300, 20))
        result = statistics.interval(xr.DataArray(samples, dims=("trial", "seed")), np.median)
        covered = (result["low"] <= np.log(2)) & (np.log(2) <= result["high"])
        # Binomial standard error of 300 trials: 0.013
        assert covered.mean().item() == pytest.approx(0.95, abs=0.04)

    @pytest.mark.parametrize(
        ("values", "estimate", "count"), [([], np.nan, 0), ([np.nan], np.nan, 0), ([4.0], 4.0, 1), ([4.0, 5.0], 4.5, 2)]
    )
    def test_too_few_runs_have_no_interval(self, values, estimate, count):
        result = statistics.interval(runs(values))
        np.testing.assert_equal(result["estimate"].item(), estimate)
        assert np.isnan(result["low"])
        assert np.isnan(result["high"])
        assert result["runs"].item() == count

    def test_missing_runs_are_left_out(self):
        with_gaps = statistics.interval(runs([1.0, np.nan, 2.0, 5.0, np.nan, 4.0]))
        assert with_gaps.equals(statistics.interval(runs([1.0, 2.0, 5.0, 4.0])))
        assert with_gaps["runs"].item() == 4

    def test_equal_runs_have_an_interval_of_width_zero(self):
        result = statistics.interval(runs([2.0] * 5))
        assert result["low"].item() == result["high"].item() == 2.0

    def test_a_cell_does_not_depend_on_its_neighbours(self):
        values = np.random.default_rng(3).normal(size=(4, 8))
        together = statistics.interval(xr.DataArray(values, dims=("cell", "seed"))).isel(cell=2)
        assert together.equals(statistics.interval(runs(values[2])))

    @given(arrays(float, st.integers(3, 12), elements=st.floats(-100, 100)))
    def test_lies_within_the_runs_and_around_the_median(self, values):
        result = statistics.interval(runs(values))
        rounding = 1e-12 * np.abs(values).max()
        steps = [values.min(), result["low"].item(), result["estimate"].item(), result["high"].item(), values.max()]
        assert (np.diff(steps) >= -rounding).all()


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
