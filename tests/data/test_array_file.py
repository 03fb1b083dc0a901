"""A user's own arrays, in all three formats, good and bad."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from entropy_sums.data import load
from entropy_sums.data.array_file import Array, read_points

POINTS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def save(path, **arrays):
    if path.suffix == ".npy":
        np.save(path, *arrays.values())
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        xr.Dataset({name: ((f"{name}_point", f"{name}_dim"), array) for name, array in arrays.items()}).to_netcdf(path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".nc"])
def test_all_formats_give_the_same_points(tmp_path, suffix):
    np.testing.assert_array_equal(read_points(save(tmp_path / f"x{suffix}", x=POINTS)), POINTS)


@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_variable_chooses_among_several(tmp_path, suffix):
    path = save(tmp_path / f"x{suffix}", a=POINTS, b=POINTS + 1)
    np.testing.assert_array_equal(read_points(path, "b"), POINTS + 1)
    with pytest.raises(ValueError, match=f"^{path}: .*holds several arrays; set variable to one of: a, b"):
        read_points(path)
    with pytest.raises(ValueError, match=f"^{path}: .*holds no 'c'; set variable to one of: a, b"):
        read_points(path, "c")


def test_npy_has_no_variables(tmp_path):
    with pytest.raises(ValueError, match="no variable 'a', nor any other; leave variable out"):
        read_points(save(tmp_path / "x.npy", x=POINTS), "a")


@given(fraction=st.floats(0.1, 0.9), seed=st.integers(0, 2**32))
def test_fraction_is_held_out_without_overlap_or_loss(tmp_path_factory, fraction, seed):
    path = save(tmp_path_factory.mktemp("array") / "x.npy", x=POINTS)
    dataset = load(Array(path=path, test_fraction=fraction, data_seed=seed), path.parent)
    assert len(dataset.test) == round(20 * fraction)
    together = np.vstack([dataset.train, dataset.test])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(POINTS, axis=0))


def test_second_file_is_held_out_as_it_is(tmp_path):
    settings = Array(path=save(tmp_path / "x.npy", x=POINTS), test_path=save(tmp_path / "y.npz", y=POINTS + 1))
    dataset = load(settings, tmp_path)
    np.testing.assert_array_equal(dataset.train, POINTS)
    np.testing.assert_array_equal(dataset.test, POINTS + 1)


def test_noise_is_added_to_both_parts(tmp_path):
    path = save(tmp_path / "x.npy", x=POINTS)
    plain, noisy = load(Array(path=path), tmp_path), load(Array(path=path, noise=0.01), tmp_path)
    for part in ("train", "test"):
        difference = getattr(noisy, part) - getattr(plain, part)
        assert np.abs(difference).min() > 0
        assert np.abs(difference).max() < 0.06


def test_a_point_in_both_files_is_an_error(tmp_path):
    settings = Array(path=save(tmp_path / "x.npy", x=POINTS), test_path=save(tmp_path / "y.npy", y=POINTS[5:9]))
    with pytest.raises(ValueError, match=r"x\.npy.*4 training points are also held out, the first as row 5 .* row 0"):
        load(settings, tmp_path)


def test_constant_dimension_is_an_error_unless_noisy_or_allowed(tmp_path):
    constant = POINTS.copy()
    constant[:, 1] = 7
    path = save(tmp_path / "x.npy", x=constant)
    with pytest.raises(ValueError, match=r"x\.npy.*1 of 3 training dimensions never varies \(column 1\)"):
        load(Array(path=path), tmp_path)
    assert np.ptp(load(Array(path=path, noise=0.01), tmp_path).train[:, 1]) > 0
    assert np.ptp(load(Array(path=path, allow_constant=True), tmp_path).train[:, 1]) == 0


def test_different_dimensions_are_an_error(tmp_path):
    settings = Array(path=save(tmp_path / "x.npy", x=POINTS), test_path=save(tmp_path / "y.npy", y=POINTS[:, :2]))
    with pytest.raises(ValueError, match="training points have 3 dimensions, held-out points 2"):
        load(settings, tmp_path)


def test_too_small_a_fraction_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="array, test: empty"):
        load(Array(path=save(tmp_path / "x.npy", x=POINTS), test_fraction=0.01), tmp_path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".nc"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.where(POINTS > 1, np.nan, POINTS), "NaN or missing"),
        (np.where(POINTS > 1, np.inf, POINTS), "infinite"),
        (POINTS[:1], "only 1 point"),
        (POINTS[:0], "empty"),
        (POINTS.astype(str), "not numbers"),
    ],
)
def test_bad_values_name_the_file(tmp_path, suffix, values, message):
    path = save(tmp_path / f"x{suffix}", x=values)
    with pytest.raises(ValueError, match=f"^{path}: .*{message}"):
        read_points(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_complex_values_name_the_file(tmp_path, suffix):
    path = save(tmp_path / f"x{suffix}", x=POINTS * 1j)
    with pytest.raises(ValueError, match=f"^{path}: complex values"):
        read_points(path)


def test_missing_values_of_netcdf_are_named(tmp_path):
    path = tmp_path / "x.nc"
    counts = np.arange(6).reshape(3, 2)
    xr.Dataset({"x": (("point", "dim"), counts, {}, {"_FillValue": 3})}).to_netcdf(path)
    with pytest.raises(ValueError, match=f"^{path}: 1 value is NaN or missing, the first in row 1, column 1"):
        read_points(path)


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([[{}, 1]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=f"^{path}: cannot be read as a .npy array"):
        read_points(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".nc"])
@pytest.mark.parametrize("keep", [0, 60, -40])
def test_damaged_files_are_named(tmp_path, suffix, keep):
    path = save(tmp_path / f"x{suffix}", x=POINTS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"^{path}: cannot be read as a {suffix} array"):
        read_points(path)


def test_missing_file_and_unknown_format_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.npy: no such file"):
        read_points(tmp_path / "x.npy")
    with pytest.raises(ValueError, match=r"x\.csv: not one of \.npy, \.npz, \.nc"):
        read_points(tmp_path / "x.csv")
