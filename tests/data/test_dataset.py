"""A dataset on disk: what is read is what was written, and damage is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import multivariate_normal

from entropy_sums.data import load
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.data.checks import narrowest
from entropy_sums.data.dataset import Dataset, true_log_likelihoods
from entropy_sums.data.linear import PCA, PCARing
from entropy_sums.data.shipped import Digits

AT_HAND = sorted(DATASETS.keys() - {"mnist5k", "mnist", "fashion_mnist", "celeba", "susy", "array"})
SMALL = {name: {"train": 40, "test": 30} for name in AT_HAND} | {"stream": {"segment": 20, "test": 30}}
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.fixture
def written(tmp_path):
    dataset = load(PCA(train=30, test=20, data_seed=3), tmp_path)
    dataset.write(tmp_path / "pca.nc")
    return dataset, tmp_path / "pca.nc"


@pytest.mark.parametrize("name", AT_HAND)
def test_same_settings_same_bytes_and_other_seed_other_bytes(name):
    settings = DATASETS[name](**SMALL[name])
    first, again = load(settings, Path()), load(settings, Path())
    assert first.checksum == again.checksum
    assert first.train.dtype == first.test.dtype == np.result_type(*map(narrowest, (first.train, first.test)))
    assert first.train.dtype.itemsize == settings.number_bytes
    assert (first.train.shape, len(first.test)) == (settings.shape, 30)
    assert first.attributes["settings"] == settings.model_dump_json()
    assert load(settings.model_copy(update={"data_seed": 1}), Path()).checksum != first.checksum


@pytest.mark.parametrize(
    ("settings", "checksum"),
    [
        (PCA(), "283a73b01e01bacd9b7ff68e8b544690ff82ee5c955c08f2acf971aea66ee779"),
        (PCARing(), "56a756aebc494f6e96da3ea9d6cac103c1f974b2e57634d79288aa5cae7f1bd0"),
        (Digits(), "131268c1538fded52b73d4a275e837d11ad2c77b2491f3fbf7da8047fa82e0dc"),
    ],
)
def test_golden_checksums(settings, checksum):
    """Of the points in single precision, in which most are trained on."""
    assert load(settings, Path()).in_precision("float32").checksum == checksum


@pytest.mark.parametrize("settings", [PCA(train=300), PCA(train=300, noise=1.5), PCA(train=300, noise=1e-2)])
def test_the_true_likelihood_is_that_of_scipy(settings):
    data = load(settings, Path())
    weights, offset, noise = (data.truth[name] for name in ("weights", "offset", "noise"))
    density: Any = multivariate_normal(offset, weights @ weights.T + noise**2 * np.eye(len(offset)))
    for part in ("train", "test"):
        found = true_log_likelihoods(DATASETS[data.name], data)[part]
        np.testing.assert_allclose(found, density.logpdf(getattr(data, part)).mean(), rtol=1e-10)


@pytest.mark.parametrize("noise", [1e-4, 1e-5, 1e-6])  # with less, single precision of the points is noise, too
def test_the_true_likelihood_where_the_covariance_is_all_but_singular(noise):
    """Squared distances from the truth are chi-squared, whatever the noise: their mean is D."""
    data = load(PCA(train=5000, test=5000, noise=noise), Path())
    lengths = np.linalg.svd(data.truth["weights"], compute_uv=False)
    dim = data.train.shape[1]
    log_determinant = np.log(lengths**2 + noise**2).sum() + 2 * (dim - len(lengths)) * np.log(noise)
    expected = -0.5 * (dim * np.log(2 * np.pi) + log_determinant + dim)
    assert set(true_log_likelihoods(DATASETS[data.name], data)) == {"train", "test"}
    for found in true_log_likelihoods(DATASETS[data.name], data).values():
        assert abs(found - expected) < 5 * np.sqrt(dim / 2 / 5000)


@pytest.mark.parametrize("noise", [0, 1e-8])
def test_points_that_are_rounded_to_more_than_the_noise_have_no_true_likelihood(noise):
    data = load(PCA(train=100, noise=noise), Path())
    assert true_log_likelihoods(PCA, data.in_precision("float32")) == {}
    assert len(true_log_likelihoods(PCA, data)) == (2 if noise else 0)


@pytest.mark.parametrize("name", [name for name in AT_HAND if DATASETS[name]().support == "real"])
def test_real_points_keep_the_digits_that_they_were_made_with(name):
    settings = DATASETS[name](**SMALL[name])
    made = settings.arrays(Path(), np.random.default_rng(settings.data_seed))
    data = load(settings, Path())
    for part in ("train", "test"):
        np.testing.assert_array_equal(getattr(data, part), made[part])
        assert (made[part].astype(np.float32) != made[part]).any()


def test_one_part_with_more_digits_gives_both_parts_its_type(tmp_path):
    """Equal points of both parts have equal bytes then."""
    dataset = Dataset("x", np.eye(2), np.full((2, 2), 0.1), {})
    dataset.write(tmp_path / "x.nc")
    read = Dataset.read(tmp_path / "x.nc")
    assert dataset.train.dtype == dataset.test.dtype == read.train.dtype == read.test.dtype == np.float64
    assert (read.test == 0.1).all()


def test_truth_gives_the_likelihood_of_the_training_points():
    dataset = load(PCA(train=20_000), Path())
    weights, offset, noise = (dataset.truth[name] for name in ("weights", "offset", "noise"))
    true = multivariate_normal(offset, weights @ weights.T + noise**2 * np.eye(10))
    values = true.logpdf(dataset.train)
    assert abs(values.mean() + true.entropy()) < 5 * values.std() / np.sqrt(len(values))


WITH_OPTIONS = [("bars", {"noise": 0.1}), ("bars", {"dequantise": True})]


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in AT_HAND), *WITH_OPTIONS])
def test_written_file_reads_back(tmp_path, name, options):
    dataset = load(DATASETS[name](**SMALL[name], **options, data_seed=3), tmp_path)
    dataset.write(tmp_path / "data.nc")
    read = Dataset.read(tmp_path / "data.nc")
    assert (read.name, dict(read.attributes)) == (dataset.name, dict(dataset.attributes))
    assert read.arrays.keys() == dataset.arrays.keys()
    for name, values in dataset.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], values)
        assert read.arrays[name].dtype == values.dtype
    assert read.checksum == dataset.checksum


@given(arrays(np.float32, (3, 2), elements=FINITE), arrays(np.float32, (2, 2), elements=FINITE))
def test_any_points_read_back(tmp_path_factory, train, test):
    path = tmp_path_factory.mktemp("data") / "x.nc"
    dataset = Dataset("x", train, test, {"source": "hypothesis"})
    dataset.write(path)
    assert Dataset.read(path).checksum == dataset.checksum


def test_written_file_opens_in_plain_xarray(written):
    dataset, path = written
    with xr.open_dataset(path) as file:
        assert file["train"].dims == ("train_point", "pixel")
        assert file["test"].dims == ("test_point", "pixel")
        assert file["weights"].dims == ("pixel", "true_latent")
        assert file.attrs["checksum"] == dataset.checksum
        assert PCA.model_validate_json(file.attrs["settings"]) == PCA(train=30, test=20, data_seed=3)
        assert all(variable.attrs["long_name"] for variable in file.data_vars.values())


def test_nothing_else_is_left_in_the_folder(written):
    dataset, path = written
    dataset.write(path)
    assert list(path.parent.iterdir()) == [path]


def test_failed_write_leaves_the_old_file(written, monkeypatch):
    dataset, path = written

    def full_disk(self, path, **options):
        Path(path).write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full_disk)
    with pytest.raises(OSError, match="No space left"):
        Dataset("x", dataset.train, dataset.test, {}).write(path)
    monkeypatch.undo()
    assert list(path.parent.iterdir()) == [path]
    assert Dataset.read(path).checksum == dataset.checksum


@pytest.mark.parametrize("name", ["train", "test", "weights"])
def test_one_changed_value_is_named(written, name):
    dataset, path = written
    content = path.read_bytes()
    value = dataset.arrays[name].tobytes()
    assert content.count(value) == 1
    position = content.index(value)
    path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
    with pytest.raises(ValueError, match=f"^{path}: damaged, its values differ from its checksum"):
        Dataset.read(path)


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_truncated_file_is_named(written, keep):
    _, path = written
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"^{path}: damaged, or no NetCDF file"):
        Dataset.read(path)


@pytest.mark.parametrize(
    "foreign",
    [
        xr.Dataset({"x": ("a", [1.0])}, attrs={"name": "x", "checksum": "y"}),
        xr.Dataset({"train": ("a", [1.0]), "test": ("b", [1.0])}),
        xr.Dataset({"train": ("a", [1.0]), "test": ("b", [1.0]), "x": 1.0}, attrs={"name": "x", "checksum": "y"}),
    ],
)
def test_foreign_file_is_named(tmp_path, foreign):
    foreign.to_netcdf(tmp_path / "x.nc")
    with pytest.raises(ValueError, match=r"x\.nc: not a data file of this project"):
        Dataset.read(tmp_path / "x.nc")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.nc"):
        Dataset.read(tmp_path / "x.nc")


def test_checksum_sees_shapes_values_and_order():
    base = Dataset("x", np.arange(6).reshape(3, 2), np.ones((2, 2)), {})
    others = [
        Dataset("x", np.arange(6).reshape(2, 3), np.ones((2, 3)), {}),
        Dataset("x", np.arange(6).reshape(3, 2)[::-1], np.ones((2, 2)), {}),
        Dataset("x", np.arange(6).reshape(3, 2), 2 * np.ones((2, 2)), {}),
        Dataset("x", np.arange(6).reshape(3, 2), np.ones((2, 2)), {}, {"noise": np.array(0.1)}),
    ]
    assert len({base.checksum, *(other.checksum for other in others)}) == 5
    assert Dataset("y", base.train, base.test, {"source": "z"}).checksum == base.checksum


def test_in_single_precision_points_are_as_training_sees_them():
    """Its processes take numbers below the normal range as zero."""
    points = np.array([[0.1, 1e-40], [2459000.3, 1.0]])
    dataset = Dataset("x", points, points, {})
    np.testing.assert_array_equal(dataset.in_precision("float64").train, points)
    np.testing.assert_array_equal(dataset.in_precision("float32").train, np.float32([[0.1, 0], [2459000.25, 1]]))


def test_points_of_different_dimensions_are_refused():
    with pytest.raises(ValueError, match="x: training points have 2 dimensions, held-out points 3"):
        Dataset("x", np.ones((2, 2)), np.ones((2, 3)), {})
