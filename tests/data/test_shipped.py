"""Images from installed packages."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from entropy_sums.data import load
from entropy_sums.data.shipped import Digits, MNIST5k

DIGITS = (load_digits().data / 16).astype(np.float32)


def rows(points):
    return {row.tobytes() for row in points}


def test_digits_are_split_without_overlap_or_loss():
    dataset = load(Digits(dequantise=False, allow_constant=True), Path())
    assert (len(dataset.train), len(dataset.test)) == (1437, 360)
    assert rows(dataset.train) | rows(dataset.test) == rows(DIGITS)
    assert not rows(dataset.train) & rows(dataset.test)


def test_smaller_set_is_part_of_the_larger_one():
    settings = {"dequantise": False, "allow_constant": True, "test": 100}
    few, many = (load(Digits(train=count, **settings), Path()) for count in (50, 500))
    np.testing.assert_array_equal(few.train, many.train[:50])
    np.testing.assert_array_equal(few.test, many.test)


def test_data_seed_changes_split_and_noise():
    first, second = (load(Digits(data_seed=seed), Path()) for seed in (0, 1))
    assert not np.isin(first.train, second.train).all()
    plain = [load(Digits(data_seed=seed, dequantise=False, allow_constant=True), Path()) for seed in (0, 1)]
    assert rows(plain[0].test) != rows(plain[1].test)


def test_undequantised_digits_name_their_constant_pixels_and_the_fix():
    constant = np.ptp(load(Digits(dequantise=False, allow_constant=True), Path()).train, axis=0) == 0
    assert set(np.flatnonzero(constant)) >= set(np.flatnonzero(np.ptp(DIGITS, axis=0) == 0)) == {0, 32, 39}
    columns = ", ".join(map(str, np.flatnonzero(constant)))
    with pytest.raises(ValueError, match=rf"digits .* \(columns {columns}\).*dequantise: true"):
        load(Digits(dequantise=False), Path())
    load(Digits(dequantise=False, noise=0.01), Path())


def test_binary_digits_load_without_further_settings():
    threshold = load(Digits(binarise="threshold"), Path())
    assert rows(np.vstack([threshold.train, threshold.test])) == rows((DIGITS > 0.5).astype(np.float32))
    sample = load(Digits(binarise="sample"), Path())
    assert set(np.unique(sample.train)) == {0.0, 1.0}
    assert sample.checksum != threshold.checksum


def test_mnist5k_has_the_levels_and_the_checksum_that_it_always_had():
    dataset = load(MNIST5k(dequantise=False, allow_constant=True), Path())
    assert (dataset.train.shape, dataset.test.shape) == ((4000, 784), (1000, 784))
    levels = np.unique(dataset.train)
    np.testing.assert_array_equal(levels, (np.arange(256) / 255).astype(np.float32))
    assert dataset.checksum == "7d56e8636dcd3cc29dbf0cd83b27e61fc936283f5dc9099aa02b52f415009770"
