"""Data drawn from models: each against the distribution of that model, enumerated where it can be."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chisquare, kstest

from entropy_sums.data import bars, machines, mixtures
from entropy_sums.data.catalogue import DATASETS

MANY = 50_000


def draw(name, seed=0, **settings):
    return DATASETS[name](**settings).arrays(Path(), np.random.default_rng(seed))


def states(units):
    return np.array(list(product([0.0, 1.0], repeat=units)))


def agree(points, probabilities):
    """Goodness of fit of binary points to the probabilities of all their states."""
    codes = (points @ 2 ** np.arange(points.shape[1])[::-1]).astype(int)
    found = np.bincount(codes, minlength=len(probabilities))
    possible = probabilities > 0
    assert (found[~possible] == 0).all()
    assert chisquare(found[possible], probabilities[possible] * len(points)).pvalue > 1e-4


def moments(points, first, second):
    """First and second moments of many points, to five standard errors."""
    for power, expected in ((points, first), (points**2, second)):
        assert (np.abs(power.mean(axis=0) - expected) < 5 * power.std(axis=0) / np.sqrt(len(points))).all()


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


def test_belief_network_against_all_states():
    arrays = draw("belief_network", dim=4, true_latent_dim=3, train=MANY)
    weights, offset = arrays["truth"]["weights"], arrays["truth"]["offset"]
    z, x = states(3), states(4)
    means = expit(z @ weights.T + offset)
    given = np.prod(np.where(x[:, None] == 1, means, 1 - means), axis=-1)
    agree(arrays["train"], given @ np.prod(np.where(z == 1, 0.3, 0.7), axis=1))


def test_boltzmann_machine_against_all_states():
    arrays = draw("boltzmann_machine", dim=4, true_latent_dim=3, train=MANY)
    weights, offset = arrays["truth"]["weights"], arrays["truth"]["offset"]
    v, h = states(4), states(3)
    mass = np.exp((v @ offset)[:, None] + (v - 0.5) @ weights @ (h - 0.5).T).sum(axis=1)
    agree(arrays["train"], mass / mass.sum())


def test_deep_boltzmann_machine_against_all_states():
    arrays = draw("deep_boltzmann_machine", dim=4, true_latent_dim=3, upper_latent_dim=2, train=MANY)
    weights, offset, upper = (arrays["truth"][name] for name in ("weights", "offset", "upper_weights"))
    v, h, g = states(4), states(3), states(2)
    lower = (v @ offset)[:, None] + (v - 0.5) @ weights @ (h - 0.5).T
    mass = np.exp(lower[:, :, None] + (h - 0.5) @ upper @ (g - 0.5).T).sum(axis=(1, 2))
    agree(arrays["train"], mass / mass.sum())


def test_deep_belief_network_against_all_states():
    arrays = draw("deep_belief_network", dim=4, true_latent_dim=3, upper_latent_dim=2, train=MANY)
    weights, offset, upper = (arrays["truth"][name] for name in ("weights", "offset", "upper_weights"))
    v, h, g = states(4), states(3), states(2)
    mass = np.exp((h - 0.5) @ upper @ (g - 0.5).T).sum(axis=1)
    means = expit((h - 0.5) @ weights.T + offset)
    given = np.prod(np.where(v[:, None] == 1, means, 1 - means), axis=-1)
    agree(arrays["train"], given @ (mass / mass.sum()))


def test_gaussian_boltzmann_machine_has_the_moments_of_its_mixture():
    """Given the hidden units v is normal, and the mass of a state is the integral over v by completing the square."""
    arrays = draw("gaussian_boltzmann_machine", dim=3, true_latent_dim=2, strength=0.6, noise=0.7, train=MANY)
    weights, offset, noise = (arrays["truth"][name] for name in ("weights", "offset", "noise"))
    means = offset + (states(2) - 0.5) @ weights.T
    exponent = [((mean**2).sum() - (offset**2).sum()) / (2 * noise**2) for mean in means]
    share = np.exp(exponent) / np.exp(exponent).sum()
    moments(arrays["train"], share @ means, share @ means**2 + noise**2)


MIXTURES = {
    "mixture_of_gaussians": lambda means, noise: means**2 + noise**2,
    "mixture_of_bernoullis": lambda means: means,
    "mixture_of_poissons": lambda means: means + means**2,
}
"""Mixture → the second moment of a component."""


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_have_the_moments_of_their_truth(name):
    truth = (arrays := draw(name, dim=3, components=2, strength=0.5, train=MANY))["truth"]
    moments(arrays["train"], truth["means"].mean(axis=0), MIXTURES[name](**truth).mean(axis=0))


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


@pytest.mark.parametrize("shape", [1.0, 4.0])
def test_mixture_of_gammas_has_the_moments_of_its_truth(shape):
    arrays = draw("mixture_of_gammas", dim=3, components=2, shape_parameter=shape, strength=0.5, train=MANY)
    means = arrays["truth"]["means"]
    moments(arrays["train"], means.mean(axis=0), (means**2 * (1 + 1 / shape)).mean(axis=0))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, kind in DATASETS.items()
        if kind.__module__ in (bars.__name__, machines.__name__, mixtures.__name__)
    ],
)
def test_more_points_keep_the_truth_and_the_held_out_points(name):
    few, many = (draw(name, train=count, test=20) for count in (10, 30))
    np.testing.assert_array_equal(few["test"], many["test"])
    for key, value in few["truth"].items():
        np.testing.assert_array_equal(value, many["truth"][key])
