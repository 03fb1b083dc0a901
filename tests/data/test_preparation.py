"""Preparation: grey values, noise and splits, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from entropy_sums.data.preparation import add_noise, prepare_images, split
from entropy_sums.data.shipped import Digits, MNIST5k

GREY = np.tile(np.arange(17), (20_000, 1))
"""Every grey level of the digits, one pixel each, in many images."""


def prepared(**settings):
    return prepare_images(GREY, 16, Digits(**settings), np.random.default_rng(0))


def test_plain_grey_values_are_scaled_to_the_unit_interval():
    np.testing.assert_array_equal(prepared(dequantise=False), (GREY / 16).astype(np.float32))


def test_dequantised_grey_values_are_uniform_within_their_level():
    images = prepared()
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_array_equal(np.clip(np.floor(images * 17), 0, 16), GREY)
    for level in range(17):
        assert kstest(images[:, level], "uniform", (level / 17, 1 / 17)).pvalue > 1e-4
    np.testing.assert_allclose(images[:, 0].std(), 1 / (17 * np.sqrt(12)), rtol=0.02)


def test_dequantised_values_are_positive():
    """Also where a draw of single precision is 0, as one in 17 million is."""
    black = np.zeros((1, 2**24), dtype=np.uint8)
    assert (np.random.default_rng(0).random(black.shape, dtype=np.float32) == 0).any()
    images = prepare_images(black, 255, MNIST5k(), np.random.default_rng(0)).astype(np.float32)
    assert (images > 0).all()
    assert images.max() < 1 / 256


def test_threshold_is_half_grey():
    np.testing.assert_array_equal(prepared(binarise="threshold"), np.arange(17)[None] > 8 * np.ones((20_000, 1)))


def test_samples_are_binary_with_the_grey_value_as_probability():
    images = prepared(binarise="sample").astype(float)
    assert set(np.unique(images)) == {0.0, 1.0}
    probability = np.arange(17) / 16
    error = np.sqrt(probability * (1 - probability) / len(images))
    assert (np.abs(images.mean(axis=0) - probability) <= 5 * error).all()


def test_extra_noise_adds_its_variance():
    difference = prepared(noise=0.1) - prepared()
    assert kstest(difference.ravel()[:50_000], "norm", (0, 0.1)).pvalue > 1e-4


def test_noise_has_the_asked_standard_deviation():
    noisy = add_noise(np.full((50_000,), 3.0), 0.5, np.random.default_rng(1))
    assert kstest(noisy, "norm", (3, 0.5)).pvalue > 1e-4


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**32))
def test_split_is_disjoint_complete_and_keeps_what_it_had(train, test, rest, seed):
    points = np.arange(train + test + rest)
    first, held_out = split(points, train, test, np.random.default_rng(seed))
    assert (len(first), len(held_out)) == (train, test)
    assert len({*first, *held_out}) == train + test
    longer, same = split(points, train + rest, test, np.random.default_rng(seed))
    np.testing.assert_array_equal(same, held_out)
    np.testing.assert_array_equal(longer[:train], first)


def test_split_is_random():
    first, _ = split(np.arange(100), 50, 50, np.random.default_rng(0))
    other, _ = split(np.arange(100), 50, 50, np.random.default_rng(1))
    assert set(first) != set(range(50))
    assert set(first) != set(other)


def test_split_of_too_few_points_is_an_error():
    with pytest.raises(ValueError, match="train: 3 and test: 2 together exceed the 4 points"):
        split(np.arange(4), 3, 2, np.random.default_rng(0))
