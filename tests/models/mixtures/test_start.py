"""Mixtures start at clusters of their data: scikit-learn and EM from the true parameters are the oracles."""

import numpy as np
import pytest
import torch
from scipy import special, stats
from sklearn.mixture import GaussianMixture

from entropy_sums.models import MODELS, build
from entropy_sums.models.mixtures import clusters
from entropy_sums.training.randomness import Purpose, generator

pytestmark = pytest.mark.usefixtures("float64")

SEEDS, STEPS, POINTS = 8, 200, 400
SCALES = {"offset": (1e4, 1.0), "small": (0.0, 1e-3), "large": (0.0, 1e3), "offset of a small one": (1e4, 1e-3)}


def started(name, x, components, seeds=range(SEEDS), **settings):
    generators = [[generator(s, purpose) for s in seeds] for purpose in (Purpose.PARAMETERS, Purpose.START)]
    model = build([MODELS[name](latent_dim=components, **settings)] * len(seeds), x.shape[1], generators[0])
    model.start(torch.as_tensor(x), generators[1])
    return model


def by_em(name, x, components, **settings):
    """Log-likelihoods of the points after EM, one per seed."""
    points, model = torch.as_tensor(x, dtype=torch.float64), started(name, x, components, **settings)
    assert model.log_likelihood(points).isfinite().all()
    for _ in range(STEPS):
        model.maximise(points)
    return model.log_likelihood(points).detach().numpy()


def em_by_scipy(x, owner, log_prob, fit):
    """Mean log-likelihood by EM that starts at the components which the points were drawn from.

    Args:
        owner: true component of each point.
        log_prob: points and parameters of a component ↦ log densities of the points.
        fit: points and weights that add up to one ↦ best parameters of a component.
    """
    shares = np.eye(owner.max() + 1)[owner]
    for _ in range(STEPS):
        parameters = [fit(x, share / share.sum()) for share in shares.T]
        joint = np.stack([log_prob(x, p) for p in parameters], axis=1) + np.log(shares.mean(0))
        shares = special.softmax(joint, axis=1)
    return special.logsumexp(joint, axis=1).mean()


def mean(x, weights):
    return weights @ x


def gamma(x, weights):
    """Shapes and scales; the shape solves log a − ψ(a) = log mean − mean log, here by bisection."""
    excess = np.log(weights @ x) - weights @ np.log(x)
    low, high = np.full(len(excess), 1e-4), np.full(len(excess), 1e6)
    for _ in range(200):
        middle = np.sqrt(low * high)
        above = np.log(middle) - special.digamma(middle) > excess
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return middle, (weights @ x) / middle


ORACLES = {
    "poisson_mixture": (lambda x, rate: stats.poisson(rate).logpmf(x).sum(1), mean),
    "bernoulli_mixture": (lambda x, p: stats.bernoulli(np.clip(p, 1e-13, 1 - 1e-13)).logpmf(x).sum(1), mean),
    "exponential_mixture": (lambda x, scale: stats.expon(scale=scale).logpdf(x).sum(1), mean),
    "gamma_mixture": (lambda x, p: stats.gamma(p[0], scale=p[1]).logpdf(x).sum(1), gamma),
}


def best(name, x, owner):
    log_prob, fit = ORACLES[name]
    return em_by_scipy(x, owner, log_prob, fit)


def test_large_counts_end_at_both_of_their_rates():
    """Rates of thousands: every seed ended at one component, 545 nats below."""
    source = np.random.default_rng(1)
    rates = np.array([[2000.0, 300.0, 50.0], [6000.0, 100.0, 50.0]])
    owner = source.integers(0, 2, 300)
    x = source.poisson(rates[owner]).astype(float)
    found = by_em("poisson_mixture", x, 2)
    np.testing.assert_allclose(found, best("poisson_mixture", x, owner), atol=1e-6)
    assert (found > -13.6).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 1e3])
def test_counts_of_any_size(scale):
    source = np.random.default_rng(2)
    rates, owner = np.exp(source.normal(4, 1.5, (3, 4))), source.integers(0, 3, POINTS)
    x = source.poisson(scale * rates[owner]).astype(float)
    found = by_em("poisson_mixture", x, 3)
    np.testing.assert_allclose(found, best("poisson_mixture", x, owner), atol=1e-3)


@pytest.mark.parametrize("place", SCALES)
@pytest.mark.parametrize("covariance", ["scalar", "diagonal", "full"])
def test_normals_end_as_those_of_scikit_learn(covariance, place):
    """At any offset and scale, with the default settings of scikit-learn's starts."""
    offset, scale = SCALES[place]
    source = np.random.default_rng(0)
    centres, owner = np.array([[0.0, 0.0], [9.0, 2.0], [-3.0, 12.0]]), source.integers(0, 3, POINTS)
    x = offset + scale * (centres[owner] + source.normal(0, 1, (POINTS, 2)))
    kind = {"scalar": "spherical", "diagonal": "diag", "full": "full"}[covariance]
    # Its floor of variances has a unit, so it is given points of a scale of one
    peer = GaussianMixture(3, covariance_type=kind, n_init=5, random_state=0, tol=1e-10, max_iter=STEPS, reg_covar=0)
    z = (x - offset) / scale
    reference = peer.fit(z).score(z) - 2 * np.log(scale)
    found = by_em("gaussian_mixture", x, 3, covariance=covariance)
    np.testing.assert_allclose(np.median(found), reference, atol=1e-4)
    assert (found > reference - 1e-3).mean() >= 0.75


@pytest.mark.parametrize("dimensions", [[1e-3, 1e3], [1e4, 1e-4]])
def test_normals_of_dimensions_with_other_units(dimensions):
    source = np.random.default_rng(0)
    centres, owner = np.array([[0.0, 0.0], [9.0, 2.0], [-3.0, 12.0]]), source.integers(0, 3, POINTS)
    z = centres[owner] + source.normal(0, 1, (POINTS, 2))
    found = by_em("gaussian_mixture", z * dimensions, 3) + np.log(dimensions).sum()
    peer = GaussianMixture(3, covariance_type="diag", n_init=5, random_state=0, tol=1e-10, reg_covar=0).fit(z)
    np.testing.assert_allclose(np.median(found), peer.score(z), atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("name", ["exponential_mixture", "gamma_mixture"])
def test_positive_data_of_any_scale(name, scale):
    source = np.random.default_rng(3)
    owner = source.integers(0, 3, POINTS)
    means = np.exp(np.array([[0, 0, 0, 0], [5, 5, 0, 0], [0, 5, 5, 5]]))[owner]
    x = scale * (source.exponential(means) if name == "exponential_mixture" else source.gamma(5.0, means))
    found, reference = by_em(name, x, 3), best(name, x, owner)
    np.testing.assert_allclose(np.median(found), reference, atol=1e-3)
    assert (found > reference - 1e-3).mean() >= 0.75


@pytest.mark.parametrize("rare", [0.3, 0.02])
def test_bits_dense_and_sparse(rare):
    source = np.random.default_rng(4)
    owner, on = source.integers(0, 3, POINTS), np.kron(np.eye(3), np.ones(8))
    x = (source.random((POINTS, 24)) < rare + 0.5 * on[owner]).astype(float)
    found, reference = by_em("bernoulli_mixture", x, 3), best("bernoulli_mixture", x, owner)
    np.testing.assert_allclose(np.median(found), reference, atol=1e-3)


MADE = {
    "gaussian_mixture": lambda x: x,
    "poisson_mixture": lambda x: np.floor(abs(3 * x)),
    "bernoulli_mixture": lambda x: (x > 0).astype(float),
    "exponential_mixture": abs,
    "gamma_mixture": lambda x: abs(x) + 0.1,
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    "change",
    {
        "few distinct points": lambda x: np.repeat(x[:2], 20, axis=0),
        "one point": lambda x: np.repeat(x[:1], 40, axis=0),
        "a constant dimension": lambda x: np.concatenate([x, np.ones((len(x), 1))], axis=1),
        "fewer points than components": lambda x: x[:2],
    }.items(),
    ids=lambda change: change[0],
)
def test_every_start_is_finite(name, change):
    x = change[1](MADE[name](np.random.default_rng(5).normal(size=(40, 3))))
    settings = [{"covariance": c} for c in ("scalar", "diagonal", "full")] if name == "gaussian_mixture" else [{}]
    for own in settings:
        model = started(name, x, 4, **own)
        assert all(p.isfinite().all() for p in model.parameters())
        assert model.log_likelihood(torch.as_tensor(x)).isfinite().all()


@pytest.mark.parametrize("name", ["poisson_mixture", "bernoulli_mixture", "exponential_mixture"])
def test_dimensions_without_a_count_start_finite(name):
    x = np.zeros((40, 3))
    x[::2, 0] = 1
    model = started(name, x, 2)
    assert model.components.weight.isfinite().all()
    if name != "exponential_mixture":
        rates = model.components.distribution().mean[..., 1:]
        torch.testing.assert_close(rates, torch.full_like(rates, 0.5 / 40))


def test_a_replica_starts_alone_as_in_a_pack():
    x = np.random.default_rng(6).normal(size=(60, 3))
    packed, alone = started("gaussian_mixture", x, 4), started("gaussian_mixture", x, 4, seeds=[2])
    for together, single in zip(packed.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(together[2], single[0])
    means = packed.components.mean.detach()
    assert (means[0] - means[1]).abs().max() > 0.1, "seeds start differently"


def test_a_random_start_does_not_see_the_data():
    x = 100 + np.random.default_rng(6).normal(size=(60, 3))
    model = started("gaussian_mixture", x, 4, start="random", initial_std=0.5)
    assert model.components.mean.abs().max() < 1
    torch.testing.assert_close(model.components.log_std.exp(), torch.full_like(model.components.log_std, 0.5))


def test_centres_are_drawn_in_proportion_to_squared_distances():
    """Of two draws with a probability of 4/5 for the far point, it is taken where either finds it."""
    points = torch.tensor([[0.0], [1.0], [-2.0]], dtype=torch.float64)
    sources = [torch.Generator().manual_seed(seed) for seed in range(4000)]
    first, second = clusters.centres(points, 2, sources).T
    counts = torch.bincount(first, minlength=3) / len(first)
    np.testing.assert_allclose(counts, 1 / 3, atol=0.03)
    # After 0: distances 1 and 4; the potentials after the draw are 4 and 1
    after = second[first == 0]
    assert (after == 2).double().mean().item() == pytest.approx(1 - 0.2**2, abs=0.02)
