"""What tests of generated data have in common."""

from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import chisquare

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
