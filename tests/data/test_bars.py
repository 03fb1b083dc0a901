"""Bars and sparse superpositions, against the distribution that they are said to come from."""

import numpy as np
import pytest
from scipy.stats import kstest

from datasets import MANY, agree, draw, states


def test_bars_are_superpositions_of_rows_and_columns():
    arrays = draw("bars", side=2, probability=0.3, train=MANY)
    weights, probabilities = arrays["truth"]["weights"], np.zeros(16)
    np.testing.assert_array_equal(weights.T, [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]])
    for present in states(4):
        pixels = (weights @ present > 0).astype(float)
        probabilities[int(pixels @ [8, 4, 2, 1])] += np.prod(np.where(present, 0.3, 0.7))
    agree(arrays["train"], probabilities)


def test_bars_with_noise_are_the_same_bars():
    plain, noisy = (draw("bars", train=MANY, noise=noise) for noise in (0.0, 0.3))
    difference = noisy["train"] - plain["train"]
    assert kstest(difference.ravel()[:50_000], "norm", (0, 0.3)).pvalue > 1e-4
    assert noisy["truth"]["noise"] == 0.3
    assert "noise" not in plain["truth"]


def test_dequantised_bars_are_uniform_around_the_same_bars():
    plain, spread = (draw("bars", train=MANY, dequantise=dequantise) for dequantise in (False, True))
    np.testing.assert_array_equal(spread["train"] >= 0.5, plain["train"])
    within = 2 * spread["train"] - plain["train"]
    assert kstest(within.ravel()[:50_000], "uniform").pvalue > 1e-4


@pytest.mark.parametrize(
    ("name", "sizes"), [("sparse_sources", {"dim": 5, "true_latent_dim": 3}), ("sparse_bars", {"side": 3})]
)
def test_sparse_sources_have_the_covariance_of_their_truth(name, sizes):
    arrays = draw(name, **sizes, scale=0.7, noise=0.2, train=MANY)
    weights, points = arrays["truth"]["weights"], arrays["train"]
    covariance = 2 * 0.7**2 * weights @ weights.T + 0.2**2 * np.eye(len(weights))
    parts = np.array([np.cov(part.T) for part in np.array_split(points, 50)])
    assert (np.abs(parts.mean(axis=0) - covariance) < 5 * parts.std(axis=0) / np.sqrt(50)).all()
    latents = points @ np.linalg.pinv(weights).T
    assert (((latents / latents.std(axis=0)) ** 4).mean(axis=0) > 4).all()  # heavier tails than the 3 of a normal
