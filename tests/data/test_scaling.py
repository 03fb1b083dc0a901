"""Scales of a user's own points: fitted to the training points, kept in the file, to be undone from it."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from entropy_sums.data import load
from entropy_sums.data.array_file import Array
from entropy_sums.data.dataset import Dataset
from entropy_sums.data.scaling import Scaling

RANDOM = np.random.default_rng(0)
POINTS = np.stack([255 * RANDOM.random(50), 2459000.5 + 0.2 * RANDOM.normal(size=50), RANDOM.normal(size=50)], axis=1)
SCIKIT = {"centre": StandardScaler(with_std=False), "standardise": StandardScaler()}


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "x.npy", POINTS)
    return tmp_path / "x.npy"


@pytest.mark.parametrize("scale", SCIKIT)
def test_columns_are_scaled_as_by_scikit_learn(path, scale):
    plain, scaled = (load(Array(path=path, scale=s), path.parent) for s in ("none", scale))
    scaler = SCIKIT[scale].fit(plain.train)
    for part in ("train", "test"):
        expected = scaler.transform(getattr(plain, part))
        np.testing.assert_allclose(getattr(scaled, part), expected, rtol=1e-8, atol=1e-8)


def test_one_range_maps_all_values_to_the_unit_interval(path):
    np.save(path, POINTS[:, [0, 2]])
    plain, scaled = (load(Array(path=path, scale=s), path.parent) for s in ("none", "unit"))
    scaler = MinMaxScaler().fit(plain.train.reshape(-1, 1))
    for part in ("train", "test"):
        expected = scaler.transform(getattr(plain, part).reshape(-1, 1)).reshape(-1, 2)
        np.testing.assert_allclose(getattr(scaled, part), expected, rtol=1e-10, atol=1e-10)
    assert (scaled.train.min(), scaled.train.max()) == (0, 1)


@pytest.mark.parametrize("scale", ["centre", "standardise", "unit"])
def test_the_file_tells_the_original_values_and_their_likelihood(path, scale):
    plain, scaled = (load(Array(path=path, scale=s), path.parent) for s in ("none", scale))
    scaled.write(path.with_suffix(".nc"))
    assert Dataset.read(path.with_suffix(".nc")).checksum == scaled.checksum != plain.checksum
    with xr.open_dataset(path.with_suffix(".nc")) as file:
        for part in ("train", "test"):
            original = file[part] * file["divisor"] + file["subtracted"]
            np.testing.assert_allclose(original, getattr(plain, part), rtol=1e-12, atol=1e-12)
        means, stds = plain.train.mean(axis=0), plain.train.std(axis=0)
        of_scaled = norm.logpdf(
            file["train"], (means - file["subtracted"].values) / file["divisor"].values, stds / file["divisor"].values
        )
        expected = norm.logpdf(plain.train, means, stds).sum(axis=1)
        np.testing.assert_allclose(of_scaled.sum(axis=1) - file.attrs["log_scale"], expected, rtol=1e-6)


def test_without_a_scale_nothing_is_kept(path):
    load(Array(path=path), path.parent).write(path.with_suffix(".nc"))
    with xr.open_dataset(path.with_suffix(".nc")) as file:
        assert set(file.variables) == {"train", "test"}
        assert "log_scale" not in file.attrs


def test_constant_columns_become_zero_and_are_refused_unless_allowed(path):
    points = POINTS.copy()
    points[:, 1] = 0.1
    np.save(path, points)
    with pytest.raises(ValueError, match=r"1 of 3 training dimensions never varies \(column 1\)"):
        load(Array(path=path, scale="standardise"), path.parent)
    data = load(Array(path=path, scale="standardise", allow_constant=True), path.parent)
    assert data.scaling is not None
    assert (data.train[:, 1] == 0).all()
    assert (data.scaling.subtracted[1], data.scaling.divisor[1]) == (0.1, 1)


def test_equal_values_are_not_divided_by_their_range():
    scaling = Scaling.fitted("unit", np.full((5, 2), 7.0))
    assert scaling(np.full((5, 2), 8.0)).tolist() == [[1, 1]] * 5
    assert scaling.log_scale == 0


def test_noise_is_in_units_of_the_new_scale(path):
    plain, noisy = (load(Array(path=path, scale="standardise", noise=n), path.parent) for n in (0.0, 0.1))
    difference = noisy.train - plain.train
    assert 0.08 < difference.std() < 0.12


def test_noise_keeps_the_digits_of_whole_numbers(path):
    np.save(path, 16_000_000 + np.arange(300).reshape(100, 3))
    plain, noisy = (load(Array(path=path, noise=n), path.parent) for n in (0.0, 0.01))
    assert (plain.train.dtype, noisy.train.dtype) == (np.float32, np.float64)
    assert 0.008 < (noisy.train - plain.train.astype(float)).std() < 0.012
