"""Data from mixtures, against the moments of their truth."""

import pytest

from datasets import MANY, draw, moments

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


@pytest.mark.parametrize("shape", [1.0, 4.0])
def test_mixture_of_gammas_has_the_moments_of_its_truth(shape):
    arrays = draw("mixture_of_gammas", dim=3, components=2, shape_parameter=shape, strength=0.5, train=MANY)
    means = arrays["truth"]["means"]
    moments(arrays["train"], means.mean(axis=0), (means**2 * (1 + 1 / shape)).mean(axis=0))
