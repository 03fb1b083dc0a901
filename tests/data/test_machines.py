"""Data from belief networks and Boltzmann machines, against the distribution of all states."""

import numpy as np
from scipy.special import expit

from datasets import MANY, agree, draw, moments, states


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
