"""Mixtures: densities, entropies and gaps by scipy, EM by scikit-learn, and that EM never loses."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.special import digamma, logsumexp, softmax, xlogy
from sklearn.mixture import GaussianMixture

from catalogue import supported
from entropy_sums.models import MODELS, build
from entropy_sums.models.abilities import Maximising
from entropy_sums.models.mixtures.mixture import _concentration
from entropy_sums.models.mixtures.settings import MixtureSettings

pytestmark = pytest.mark.usefixtures("float64")

REPLICAS, POINTS, DIM, COMPONENTS = 2, 13, 3, 4
SEEDS = st.integers(0, 10_000)

MIXTURES = [name for name, settings in MODELS.items() if issubclass(settings, MixtureSettings)]

KINDS = [
    *(("gaussian_mixture", {"covariance": c}) for c in ("scalar", "diagonal", "full")),
    *((name, {}) for name in MIXTURES if name != "gaussian_mixture"),
]


def made(name, seed=0, replicas=REPLICAS, components=COMPONENTS, dim=DIM, **settings):
    """A model with random parameters."""
    source = torch.Generator().manual_seed(seed)
    model = build([MODELS[name](latent_dim=components, **settings)] * replicas, dim, [source] * replicas)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.5 * torch.randn(parameter.shape, generator=source)
    model.constrain()
    return model


def points(name, seed=0, count=POINTS, dim=DIM):
    x = np.random.default_rng(seed).normal(0.3, 1, (count, dim))
    return torch.as_tensor(supported(name, x))


NOISE = torch.empty(REPLICAS, POINTS, 0)


def scipy_components(model, replica):
    """Frozen distributions of scipy, one per component: vectors, or lists of independent coordinates."""
    parameters = {name: p[replica].detach().numpy() for name, p in model.components.named_parameters()}
    if "below" in parameters:
        factors = np.tril(parameters["below"], -1) + np.eye(DIM) * np.exp(parameters["log_diagonal"])[:, None]
        return [stats.multivariate_normal(m, f @ f.T) for m, f in zip(parameters["mean"], factors, strict=True)]
    if "mean" in parameters:
        deviations = np.broadcast_to(np.exp(parameters["log_std"]), parameters["mean"].shape)
        return [stats.norm(m, s) for m, s in zip(parameters["mean"], deviations, strict=True)]
    if "concentration" in parameters:
        rates = np.exp(parameters["log_rate"])
        return [stats.gamma(a, scale=1 / b) for a, b in zip(parameters["concentration"], rates, strict=True)]
    kind = type(model.components.distribution()).__name__
    frozen = {
        "Bernoulli": lambda theta: stats.bernoulli(1 / (1 + np.exp(-theta))),
        "Poisson": lambda theta: stats.poisson(np.exp(theta)),
        "Exponential": lambda theta: stats.expon(scale=np.exp(-theta)),
    }[kind]
    return [frozen(row) for row in parameters["weight"]]


def log_prob(frozen, x):
    values = frozen.logpmf(x) if hasattr(frozen, "logpmf") else frozen.logpdf(x)
    return values.sum(-1) if values.ndim == 2 else values


def scipy_table(model, replica, x):
    """log p(x given k), (N, K)."""
    return np.stack([log_prob(frozen, x.numpy()) for frozen in scipy_components(model, replica)], axis=1)


def weights(model, replica):
    return softmax(model.prior_bias[replica, 0].detach().numpy())


@limits(max_examples=15)
@given(seed=SEEDS)
@pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)
def test_bound_and_likelihood_against_scipy(name, settings, seed):
    """F = log-likelihood; E = mean H[r_n] − H[π] − Σ_k r̄_k H_k; each factor's gap; responsibilities."""
    model, x = made(name, seed, **settings), points(name, seed)
    bound, q = model.bound(x, NOISE), model.posterior(x)
    for r in range(REPLICAS):
        mixing, table = weights(model, r), scipy_table(model, r, x)
        joint = np.log(mixing) + table
        responsibilities = softmax(joint, axis=1)
        shares = responsibilities.mean(0)
        likelihood = logsumexp(joint, axis=1).mean()
        posterior_entropy = -xlogy(responsibilities, responsibilities).sum(1).mean()
        entropies = np.array([np.sum(frozen.entropy()) for frozen in scipy_components(model, r)])
        if name == "poisson_mixture":
            rates = np.stack([frozen.mean() for frozen in scipy_components(model, r)])
            entropies = (rates - xlogy(rates, rates)).sum(1) + torch.lgamma(x + 1).sum(1).mean().item()
        expected = posterior_entropy - stats.entropy(mixing) - shares @ entropies
        observation = shares @ entropies + (responsibilities * table).sum(1).mean()
        close = {"rel": 1e-10, "abs": 1e-10}
        np.testing.assert_allclose(q.mean[r], responsibilities, rtol=1e-9, atol=1e-12)
        assert bound.elbo[r].item() == pytest.approx(likelihood, **close)
        assert model.log_likelihood(x)[r].item() == pytest.approx(likelihood, **close)
        assert model.latent_entropy(x)[r].item() == pytest.approx(posterior_entropy, **close)
        assert bound.entropy_sum[r].item() == pytest.approx(expected, **close)
        assert bound.factors["prior"].gap[r].item() == pytest.approx((shares - mixing) @ np.log(mixing), **close)
        assert bound.factors["observation"].gap[r].item() == pytest.approx(observation, **close)


DIRECTIONS = {
    "scalar": {"components.log_std": lambda p: -0.5 * torch.ones_like(p)},
    "diagonal": {"components.log_std": lambda p: -0.5 * torch.ones_like(p)},
    "full": {
        "components.log_diagonal": lambda p: -0.5 * torch.ones_like(p),
        "components.below": lambda p: -0.5 * p,
    },
    "poisson_mixture": {"components.weight": lambda p: p},
    "bernoulli_mixture": {"components.weight": lambda p: p},
    "exponential_mixture": {"components.weight": torch.ones_like},
    "gamma_mixture": {"components.concentration": lambda p: p - 1, "components.log_rate": torch.ones_like},
}
"""Along the natural parameters of every component: its precision grows, its logits or log rates do."""


@limits(max_examples=15)
@given(seed=SEEDS)
@pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)
def test_the_gap_of_each_factor_is_a_directional_derivative(name, settings, seed):
    model, x = made(name, seed, **settings), points(name, seed)
    bound = model.bound(x, NOISE)
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = dict(zip(names, torch.autograd.grad(bound.elbo.sum(), parameters), strict=True))
    steps = {"prior": {"prior_bias": lambda p: p}, "observation": DIRECTIONS[settings.get("covariance", name)]}
    for factor, direction in steps.items():
        along = sum((gradients[n] * step(model.get_parameter(n))).flatten(1).sum(1) for n, step in direction.items())
        torch.testing.assert_close(bound.factors[factor].gap, along, rtol=1e-10, atol=1e-10)


@limits(max_examples=15)
@given(seed=SEEDS)
@pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)
def test_training_ascends_the_likelihood_with_the_gradient_of_the_bound(name, settings, seed):
    """Whether or not the posterior is given, and for replicas that see different points."""
    model, x = made(name, seed, **settings), torch.stack([points(name, seed + r) for r in range(REPLICAS)])
    values = [
        model.objective(x, NOISE),
        model.log_likelihood(x),
        model.bound(x, NOISE).elbo,
        model.bound(x, NOISE, model.posterior(x)).elbo,
    ]
    first, *others = [torch.autograd.grad(value.sum(), model.parameters()) for value in values]
    for value, gradient in zip(values[1:], others, strict=True):
        torch.testing.assert_close(value, values[0], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(gradient, first, rtol=1e-9, atol=1e-10)


def test_true_entropies_of_counts_leave_a_gap():
    """The elbo is the same, the entropies are those of scipy."""
    x = points("poisson_mixture")
    pseudo, true = (
        made("poisson_mixture", observation_entropy=kind).bound(x, NOISE).factors["observation"]
        for kind in ("pseudo", "true")
    )
    model = made("poisson_mixture")
    shares = model.posterior(x).mean.mean(1)
    entropies = [[f.entropy().sum() for f in scipy_components(model, r)] for r in range(REPLICAS)]
    torch.testing.assert_close(true.cross_entropy, pseudo.cross_entropy)
    torch.testing.assert_close(true.entropy, (shares * torch.tensor(entropies)).sum(1), rtol=1e-10, atol=1e-10)
    assert ((true.entropy - pseudo.entropy).abs() > 1e-3).all()


SKLEARN = {"scalar": "spherical", "diagonal": "diag", "full": "full"}


def clustered(seed=0, dim=2):
    """Three overlapping clusters far from the origin."""
    source = np.random.default_rng(seed)
    centres = source.normal(0, 3, (3, dim)) + 20
    return centres[source.integers(3, size=150)] + source.normal(0, 1, (150, dim)) * [1.0, 0.5]


@pytest.mark.parametrize("covariance", SKLEARN)
def test_em_of_gaussian_mixtures_as_scikit_learn(covariance):
    """The same parameters after a few steps, and the same optimum, from the same start."""
    x = clustered()
    model = made("gaussian_mixture", components=3, dim=2, covariance=covariance)
    start = np.quantile(x, [0.1, 0.5, 0.9], axis=0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.as_tensor(start).expand_as(parameter) if name.endswith(".mean") else 0 * parameter)
    precisions = {"scalar": np.ones(3), "diagonal": np.ones((3, 2)), "full": np.tile(np.eye(2), (3, 1, 1))}
    oracle = GaussianMixture(
        3,
        covariance_type=SKLEARN[covariance],
        tol=0,
        reg_covar=0,
        weights_init=np.full(3, 1 / 3),
        means_init=start,
        precisions_init=precisions[covariance],
    )
    done = 0
    for steps, tolerance in ((5, 1e-8), (400, 1e-6)):
        with pytest.warns(match="did not converge"):
            oracle.set_params(max_iter=steps).fit(x)
        for _ in range(steps - done):
            model.maximise(torch.as_tensor(x))
        done = steps
        p = model.components.distribution()
        found = p.covariance if covariance == "full" else p.variance[..., : 1 if covariance == "scalar" else None]
        for r in range(REPLICAS):
            np.testing.assert_allclose(weights(model, r), oracle.weights_, rtol=tolerance)
            np.testing.assert_allclose(model.components.mean[r].detach(), oracle.means_, rtol=tolerance)
            np.testing.assert_allclose(
                found[r].detach().reshape(oracle.covariances_.shape), oracle.covariances_, rtol=tolerance, atol=1e-9
            )
        likelihood = model.log_likelihood(torch.as_tensor(x)).detach()
        np.testing.assert_allclose(likelihood, oracle.score(x), rtol=1e-8)
    bound = model.bound(torch.as_tensor(x), torch.empty(REPLICAS, len(x), 0))
    assert bound.gap.abs().max() < 1e-6, "ELBO and entropy sum agree at the optimum"


@limits(max_examples=60)
@given(
    x=arrays(float, (9, 2), elements=st.floats(-3, 3, allow_subnormal=False)),
    seed=SEEDS,
    kind=st.sampled_from(KINDS),
)
def test_em_never_decreases_the_elbo(x, seed, kind):
    """But where a component has shrunk to a point or a line, where the likelihood has no bound."""
    name, settings = kind
    # Half of the points lie at random: rows that are alike make covariances singular
    spread = np.random.default_rng(seed).normal(size=(9, 2))
    x = torch.as_tensor(supported(name, np.concatenate([x, spread])))
    model = made(name, seed, components=2, dim=2, **settings)
    before = model.log_likelihood(x)
    for _ in range(4):
        model.maximise(x)
        after = model.log_likelihood(x)
        sound = torch.stack([p.detach().isfinite().flatten(1).all(1) for p in model.parameters()]).all(0)
        assert ((after >= before - 1e-9 * (1 + before.abs())) | ~sound).all()
        if not sound.all() or (name in ("gaussian_mixture", "gamma_mixture") and tightest(model) < 1e-6):
            return
        before = after


def tightest(model):
    return model.components.distribution().variance.min().item()


@pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)
def test_a_fixed_point_of_em_closes_every_gap(name, settings):
    model, x = made(name, 3, components=2, **settings), points(name, 3, count=60)
    for _ in range(600):
        model.maximise(x)
    for factor in model.bound(x, torch.empty(REPLICAS, 60, 0)).factors.values():
        assert factor.gap.abs().max() < 1e-6


@pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)
def test_a_component_without_points_stays_as_it_is(name, settings):
    model, x = made(name, components=2, **settings), points(name)
    with torch.no_grad():
        model.prior_bias[:, :, 1] = -800
    before = {n: p[:, 1].detach().clone() for n, p in model.components.named_parameters()}
    model.maximise(x)
    assert all(p[:, 1].equal(before[n]) for n, p in model.components.named_parameters())
    assert all(p.isfinite().all() for p in model.parameters())
    assert model.bound(x, NOISE).gap.isfinite().all()


def test_one_gamma_is_that_of_scipy():
    """Of one component, whose step of EM is the estimate of the largest likelihood."""
    x = stats.gamma([0.05, 0.7, 3.0, 400.0], scale=[1.0, 20.0, 0.1, 1e-3]).rvs((80, 4), random_state=0)
    x = np.maximum(x, 1e-30)
    model = made("gamma_mixture", dim=4)
    best = model.components.best(torch.as_tensor(x), torch.full((REPLICAS, 80, COMPONENTS), 1 / 80))
    for d in range(4):
        shape, _, scale = stats.gamma.fit(x[:, d], floc=0)
        np.testing.assert_allclose(best["concentration"][..., d], shape, rtol=1e-8)
        np.testing.assert_allclose(best["log_rate"][..., d].exp(), 1 / scale, rtol=1e-8)


@given(concentration=st.floats(-5, 14).map(np.exp))
def test_the_best_concentration_solves_its_equation(concentration):
    excess = torch.tensor(np.log(concentration) - digamma(concentration))
    # What rounding leaves of a difference that is about 1/(2α)
    assert _concentration(excess).item() == pytest.approx(concentration, rel=1e-12 + 1e-14 * concentration)


def test_concentrations_stay_positive():
    model, x = made("gamma_mixture"), points("gamma_mixture")
    with torch.no_grad():
        model.components.concentration.sub_(5)
    model.constrain()
    assert (model.components.concentration > 0).all()
    assert model.bound(x, NOISE).elbo.isfinite().all()


def test_gammas_in_single_precision():
    """Large concentrations, whose densities are differences of large numbers."""
    x = torch.as_tensor(stats.gamma(500.0, scale=1e3).rvs((POINTS, DIM), random_state=0))
    model = made("gamma_mixture")
    with torch.no_grad():
        model.components.concentration.mul_(500)
        model.components.log_rate.copy_(-np.log(1e3) + 0.01 * model.components.log_rate)
    exact = model.log_likelihood(x)
    torch.testing.assert_close(model.float().log_likelihood(x.float()), exact, rtol=1e-3, atol=1e-3)


def test_pixels_that_never_change_keep_logits_finite():
    x = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    model = made("bernoulli_mixture", components=2)
    for _ in range(3):
        model.maximise(x)
    assert all(p.isfinite().all() for p in model.parameters())
    assert model.bound(x, NOISE[:, :3]).factors["observation"].gap.abs().max() < 1e-10


def test_single_precision_far_from_the_origin():
    """Squares are multiplied out around the centre of the points: nothing of 2000² remains."""
    x = 2000 + points("gaussian_mixture").float()
    for covariance in SKLEARN:
        double = made("gaussian_mixture", covariance=covariance)
        with torch.no_grad():
            double.components.mean += 2000
        single = made("gaussian_mixture", covariance=covariance)
        single.load_state_dict(double.state_dict())
        found, exact = single.float().log_likelihood(x), double.log_likelihood(x.double())
        torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-3)


def test_mixtures_have_a_step_of_em():
    assert all(isinstance(made(name), Maximising) for name in MIXTURES)
    vae = build([MODELS["vae1"]()], DIM, [torch.Generator()])
    assert not isinstance(vae, Maximising)


def test_one_component_is_no_mixture():
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        MODELS["gaussian_mixture"](latent_dim=1)
