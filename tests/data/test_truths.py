"""True log-likelihoods against the definition of each distribution, state by state, and the densities of scipy."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import bernoulli, expon, gamma, norm, poisson, uniform

from entropy_sums.data import dataset, load
from entropy_sums.data.bars import Bars, SparseSources
from entropy_sums.data.base import DatasetSettings
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.data.dataset import log_likelihood, true_log_likelihoods
from entropy_sums.data.linear import PCA
from entropy_sums.data.machines import (
    BeliefNetwork,
    BoltzmannMachine,
    DeepBeliefNetwork,
    DeepBoltzmannMachine,
    GaussianBoltzmannMachine,
)
from entropy_sums.data.mixtures import MixtureOfBernoullis, MixtureOfGammas, MixtureOfGaussians, MixtureOfPoissons

DIM, HIDDEN, UPPER = 6, 3, 2
FEW = {"train": 200, "test": 50}
SMALL = {"dim": DIM, "true_latent_dim": HIDDEN, **FEW}


def every(units):
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def joint(settings, truth):
    """log p(v, states) up to a constant for one v, `(states,)`, by the formulas of the docstrings of drawn.py."""
    weights, offset = truth["weights"], truth.get("offset", 0)
    hidden, upper = every(HIDDEN), every(UPPER)

    def machine(v):
        return offset @ v + (hidden - 0.5) @ weights.T @ (v - 0.5)

    def above(h):
        return (upper - 0.5) @ truth["upper_weights"].T @ (h - 0.5)

    def network(v, logits):
        return bernoulli.logpmf(v, expit(logits)).sum(-1)

    def belief_network(v):
        return network(v, hidden @ weights.T + offset) + bernoulli.logpmf(hidden, settings.probability).sum(-1)

    def deep_machine(v):
        return np.array([e + above(h) for e, h in zip(machine(v), hidden, strict=True)]).ravel()

    def deep_network(v):
        logits = offset + (hidden - 0.5) @ weights.T
        return np.array([p + above(h) for p, h in zip(network(v, logits), hidden, strict=True)]).ravel()

    def bars(v):
        present = every(2 * settings.side)
        made = ((present @ weights.T > 0) == v).all(-1)
        return bernoulli.logpmf(present[made], settings.probability).sum(-1)

    kinds = {
        "belief_network": belief_network,
        "boltzmann_machine": machine,
        "deep_boltzmann_machine": deep_machine,
        "deep_belief_network": deep_network,
        "bars": bars,
    }
    return kinds[settings.name]


BINARY = [
    BeliefNetwork(probability=0.2, **SMALL),
    BoltzmannMachine(**SMALL),
    DeepBoltzmannMachine(upper_latent_dim=UPPER, **SMALL),
    DeepBeliefNetwork(upper_latent_dim=UPPER, **SMALL),
    Bars(side=3, **FEW),
]


@pytest.mark.parametrize("settings", BINARY, ids=lambda settings: settings.name)
def test_of_binary_data_it_is_a_sum_over_all_states(settings):
    data = load(settings, Path())
    of_point = joint(settings, data.truth)
    points = every(data.train.shape[1])
    masses = np.array([logsumexp(of_point(v)) if len(of_point(v)) else -math.inf for v in points])
    log_p = dict(zip(map(bytes, points.astype(np.int8)), masses - logsumexp(masses), strict=True))
    for part, found in true_log_likelihoods(DATASETS[data.name], data).items():
        expected = np.mean([log_p[bytes(v)] for v in getattr(data, part).astype(np.int8)])
        assert found == pytest.approx(expected, abs=1e-12)


MIXTURES = [
    (MixtureOfGaussians(**FEW), lambda x, t: norm.logpdf(x, t["means"], t["noise"])),
    (MixtureOfBernoullis(**FEW), lambda x, t: bernoulli.logpmf(x, t["means"])),
    (MixtureOfPoissons(**FEW), lambda x, t: poisson.logpmf(x, t["means"])),
    (MixtureOfGammas(**FEW), lambda x, t: gamma.logpdf(x, t["shape"], scale=t["means"] / t["shape"])),
    (MixtureOfGammas(shape_parameter=1.0, **FEW), lambda x, t: expon.logpdf(x, scale=t["means"])),
]


@pytest.mark.parametrize(("settings", "density"), MIXTURES, ids=range(len(MIXTURES)))
def test_of_mixtures_it_has_the_densities_of_scipy(settings, density):
    data = load(settings, Path())
    for part, found in true_log_likelihoods(DATASETS[data.name], data).items():
        given = density(getattr(data, part).astype(float)[:, None], data.truth).sum(-1)
        assert found == pytest.approx((logsumexp(given, axis=1) - math.log(settings.components)).mean(), abs=1e-10)


def test_of_normal_units_it_is_a_density():
    """In two dimensions it integrates to one, and is proportional to what the docstring says."""
    settings = GaussianBoltzmannMachine(dim=2, true_latent_dim=HIDDEN, strength=1.0, **FEW)
    truth = load(settings, Path()).truth
    noise, hidden = settings.noise, every(HIDDEN)

    def density(*v):
        return math.exp(log_likelihood(DATASETS["gaussian_boltzmann_machine"], np.array([v]), truth))

    def unnormalised(*v):
        squares = -((v - truth["offset"]) ** 2).sum() / (2 * noise**2)
        return np.exp(squares + (hidden - 0.5) @ truth["weights"].T @ v / noise**2).sum()

    # Equal steps are as good as it gets for what is smooth and gone at both ends
    points, step = np.linspace(-8, 8, 161, retstep=True)
    assert sum(density(*v) for v in itertools.product(points, points)) * step**2 == pytest.approx(1, abs=1e-8)
    ratios = [density(*v) / unnormalised(*v) for v in ((-0.7, 0.4), (0.0, 0.0), (1.3, -2.0))]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-10)


@pytest.mark.parametrize("how", [{"noise": 0.3}, {"dequantise": True}], ids=str)
def test_of_noisy_and_dequantised_bars_it_is_a_sum_over_all_of_them(how):
    settings = Bars(side=2, probability=0.4, **how, **FEW)
    data = load(settings, Path())
    present = every(4)
    images = present @ data.truth["weights"].T > 0
    log_prior = bernoulli.logpmf(present, 0.4).sum(-1)
    for part, found in true_log_likelihoods(DATASETS[data.name], data).items():
        points = getattr(data, part).astype(float)[:, None]
        given = norm.logpdf(points, images, 0.3) if "noise" in how else uniform.logpdf(points, images / 2, 0.5)
        assert found == pytest.approx(logsumexp(log_prior + given.sum(-1), axis=1).mean(), abs=1e-10)


def test_extreme_truths_have_a_number_or_none():
    """Means that round to one, and points that round to where the density is infinite."""
    certain = load(MixtureOfBernoullis(strength=40.0, **FEW), Path())
    assert (certain.truth["means"] == 1).any()
    assert all(-40 < nats < 0 for nats in true_log_likelihoods(DATASETS[certain.name], certain).values())
    assert len(true_log_likelihoods(DATASETS[certain.name], certain)) == 2
    peaked = load(MixtureOfGammas(shape_parameter=0.02, **FEW), Path())
    rounded = peaked.in_precision("float32")
    assert (rounded.train == 0).any()
    assert "train" not in true_log_likelihoods(DATASETS[peaked.name], rounded)
    assert np.isfinite(true_log_likelihoods(DATASETS[peaked.name], peaked)["train"])


def test_a_file_of_an_older_version_has_no_number():
    data = load(Bars(side=3, **FEW), Path())
    older = {name: values for name, values in data.truth.items() if name != "probability"}
    assert log_likelihood(DATASETS["bars"], data.train, older) is None
    assert log_likelihood(DATASETS["bars"], data.train, data.truth) is not None


def test_points_go_through_in_parts(monkeypatch):
    data = load(BoltzmannMachine(**SMALL), Path())
    whole = log_likelihood(DATASETS[data.name], data.train, data.truth)
    monkeypatch.setattr(dataset, "POINTS_AT_ONCE", 7)
    assert log_likelihood(DATASETS[data.name], data.train, data.truth) == pytest.approx(whole, rel=1e-12)


def test_no_number_where_there_are_too_many_states_or_no_closed_form():
    settings = (
        Bars(side=9, **FEW),
        Bars(side=3, noise=0.1, dequantise=True, **FEW),
        BeliefNetwork(dim=5, true_latent_dim=17, **FEW),
        SparseSources(**FEW),
    )
    for each in settings:
        assert true_log_likelihoods(type(each), load(each, Path())) == {}


def test_every_dataset_with_a_density_is_tested_here():
    tested = {settings.name for settings in (*BINARY, *(s for s, _ in MIXTURES), GaussianBoltzmannMachine(), PCA())}
    known = {name for name, kind in DATASETS.items() if kind.log_density is not DatasetSettings.log_density}
    assert tested == known
