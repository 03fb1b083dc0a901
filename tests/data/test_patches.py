"""Patches: the filter against its formula, parts that do not meet, and a user's own file, good and bad."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from sklearn.datasets import load_sample_images

from entropy_sums.data import load
from entropy_sums.data.patches import Patches, read_images, whiten

ROWS, COLUMNS = np.mgrid[:24, :32] + 0.5


@pytest.mark.parametrize(("down", "across"), [(0, 0), (0, 3), (5, 0), (4, 7), (20, 30)])
def test_a_wave_comes_out_times_its_frequency(down, across):
    """Waves that continue in their mirror images, of so many half periods per side: f in cycles per pixel."""
    wave = np.cos(np.pi * down * ROWS / 24) * np.cos(np.pi * across * COLUMNS / 32)
    frequency = np.sqrt((down / 48) ** 2 + (across / 64) ** 2)
    gain = frequency * np.exp(-((frequency / (200 / 512)) ** 4))
    np.testing.assert_allclose(whiten(wave), gain * wave, atol=1e-12)


def test_photographs_have_a_flat_spectrum_and_the_variance_of_the_published_file():
    """Along the rows of patches, before (of the flower) and after: natural images have much more at low frequencies."""
    dataset = load(Patches(train=4000, test=500), Path())
    assert dataset.train.var() == pytest.approx(0.1, rel=0.15)
    grey = (
        load_sample_images().images[1].mean(-1)[:416, :640].reshape(26, 16, 40, 16).swapaxes(1, 2).reshape(-1, 16, 16)
    )
    powers = []
    for patches in (grey, dataset.train.reshape(-1, 16, 16)):
        power = (abs(np.fft.rfft(patches - patches.mean((1, 2), keepdims=True), axis=2)) ** 2).mean((0, 1))
        powers.append(power[1] / power[4])
    assert powers[0] > 8
    assert powers[1] < 2


def test_training_and_held_out_patches_share_no_pixel(tmp_path):
    images = np.arange(2 * 6 * 8, dtype=float).reshape(6, 8, 2)
    savemat(tmp_path / "own.mat", {"IMAGES": images})
    dataset = load(Patches(path=tmp_path / "own.mat", side=2, train=300, test=300), tmp_path)
    assert set(np.unique(dataset.train)) == set(images[:, :6].ravel())
    assert set(np.unique(dataset.test)) == set(images[:, 6:].ravel())
    corner = dataset.train[dataset.train[:, 0] == images[1, 2, 1]][0]
    np.testing.assert_array_equal(corner.reshape(2, 2), images[1:3, 2:4, 1])


def test_more_patches_keep_the_earlier_ones():
    few, many = (load(Patches(side=4, train=count, test=10), Path()) for count in (20, 50))
    np.testing.assert_array_equal(few.train, many.train[:20])
    np.testing.assert_array_equal(few.test, many.test)


def test_one_image_and_other_variables(tmp_path):
    image = np.random.default_rng(0).normal(size=(9, 12))
    savemat(tmp_path / "own.mat", {"a": image, "b": np.zeros(2)})
    np.testing.assert_array_equal(read_images(tmp_path / "own.mat", "a"), image[None])
    settings = {"path": tmp_path / "own.mat", "variable": "a", "side": 3, "train": 40, "test": 5}
    plain, white = (load(Patches(whiten=choice, **settings), tmp_path) for choice in (False, True))
    assert not np.isclose(plain.train.var(), white.train.var())
    with pytest.raises(ValueError, match=r"own\.mat: it holds no 'IMAGES'; set variable to one of: a, b"):
        load(Patches(path=tmp_path / "own.mat"), tmp_path)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mat: no such file"):
        load(Patches(path=tmp_path / "none.mat"), tmp_path)
    (tmp_path / "text.mat").write_text("no images " * 50)
    with pytest.raises(ValueError, match=r"text\.mat: cannot be read as a \.mat file"):
        load(Patches(path=tmp_path / "text.mat"), tmp_path)
    header = b"MATLAB 7.3 MAT-file".ljust(124) + (0x0200).to_bytes(2, "little") + b"IM"
    (tmp_path / "new.mat").write_bytes(header.ljust(512, b"\0"))
    with pytest.raises(ValueError, match=r"new\.mat: of MATLAB 7\.3; save it with -v7"):
        load(Patches(path=tmp_path / "new.mat"), tmp_path)
    for name, images in {"holes": np.full((20, 90, 2), np.nan), "words": np.array(["a", "b"])}.items():
        savemat(tmp_path / f"{name}.mat", {"IMAGES": images})
        with pytest.raises(ValueError, match=rf"{name}\.mat: IMAGES of shape .* no array of finite images"):
            load(Patches(path=tmp_path / f"{name}.mat"), tmp_path)


def test_patches_larger_than_a_part_are_refused():
    with pytest.raises(ValueError, match=r"photographs: the held-out part .* 427 × 64 pixels, .* side: 100; lower it"):
        load(Patches(side=100, test_fraction=0.1), Path())
