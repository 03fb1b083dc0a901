"""Sparse coding: the bound by quadrature and scipy, and that the best posterior is the best one."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats
from scipy.integrate import fixed_quad
from scipy.optimize import minimize

from entropy_sums.distributions import FullNormal, Normal
from entropy_sums.models import MODELS, build
from entropy_sums.models.linear.sparse_coding import OBJECTIVES, POSTERIORS

pytestmark = pytest.mark.usefixtures("float64")

REPLICAS, POINTS, DIM = 2, 5, 3
NOISE = torch.empty(REPLICAS, POINTS, 0)
SEEDS = st.integers(0, 10_000)
BEST = ["diagonal", "full"]
SMALL = {"encoder_width": 5, "encoder_depth": 1}


def made(posterior, seed=0, latents=2, dim=DIM, **settings):
    """A model with random parameters."""
    source = torch.Generator().manual_seed(seed)
    own = MODELS["sparse_coding"](posterior=posterior, latent_dim=latents, **SMALL, **settings)
    model = build([own] * REPLICAS, dim, [source] * REPLICAS)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name == "averaging":  # a setting
                continue
            parameter += 0.5 * torch.randn(parameter.shape, generator=source)
    model.constrain()
    return model


def learned(model):
    """Names and parameters that have a gradient."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def points(seed=0, count=POINTS, dim=DIM):
    return torch.as_tensor(np.random.default_rng(seed).normal(0.3, 1, (count, dim)))


def covariance(q):
    return q.covariance if isinstance(q, FullNormal) else q.variance.diag_embed()


def parts(model, r):
    """W, λ and σ of a replica as arrays."""
    weight = model.weight[r].detach().numpy()
    return weight, model.log_scale[r, 0].detach().exp().numpy(), model.log_std[r].exp().item()


def expected_log_prior(mean, std, scale):
    """By quadrature on both sides of the kink."""

    def density(z):
        return stats.norm(mean, std).pdf(z) * stats.laplace(scale=scale).logpdf(z)

    limits = mean - 12 * std, mean + 12 * std
    return sum(fixed_quad(density, a, b, n=120)[0] for a, b in pairwise([limits[0], np.clip(0, *limits), limits[1]]))


def expected_log_observation(x, mean, cov, weight, std):
    """By Gauss-Hermite quadrature, exact for polynomials."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    grids = np.meshgrid(*[nodes] * len(mean), indexing="ij")
    masses = np.prod(np.meshgrid(*[weights / weights.sum()] * len(mean), indexing="ij"), axis=0)
    z = mean + np.stack([g.ravel() for g in grids], axis=1) @ np.linalg.cholesky(cov).T
    return masses.ravel() @ stats.norm(z @ weight, std).logpdf(x).sum(1)


@limits(max_examples=4)
@given(seed=SEEDS, latents=st.sampled_from([1, 2]))
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_bound_against_quadrature(posterior, latents, seed):
    """ELBO, entropy sum −(D/2) log 2πeσ² − Σ_h log 2eλ_h + mean H[q], and each factor's gap."""
    model, x = made(posterior, seed, latents), points(seed)
    q, bound = model.posterior(x), model.bound(x, NOISE)
    means, covariances = q.mean.detach().numpy(), covariance(q).detach().numpy()
    close = {"rel": 1e-10, "abs": 1e-10}
    for r in range(REPLICAS):
        weight, scales, std = parts(model, r)
        np.testing.assert_allclose(np.linalg.norm(weight, axis=1), 1, rtol=1e-12)
        normals = list(zip(means[r], covariances[r], strict=True))
        entropy = np.mean([stats.multivariate_normal(m, c).entropy() for m, c in normals])
        prior = np.mean([sum(map(expected_log_prior, m, np.sqrt(np.diag(c)), scales)) for m, c in normals])
        observation = np.mean(
            [expected_log_observation(row, m, c, weight, std) for row, (m, c) in zip(x.numpy(), normals, strict=True)]
        )
        entropies = {
            "prior": stats.laplace(scale=scales).entropy().sum(),
            "observation": DIM * stats.norm(0, std).entropy(),
        }
        assert bound.posterior_entropy[r].item() == pytest.approx(entropy, **close)
        assert bound.elbo[r].item() == pytest.approx(entropy + prior + observation, **close)
        assert bound.entropy_sum[r].item() == pytest.approx(entropy - sum(entropies.values()), **close)
        by_hand = -DIM / 2 * np.log(2 * np.pi * np.e * std**2) - np.log(2 * np.e * scales).sum() + entropy
        assert bound.entropy_sum[r].item() == pytest.approx(by_hand, **close)
        assert bound.factors["prior"].gap[r].item() == pytest.approx(entropies["prior"] + prior, **close)
        assert bound.factors["observation"].gap[r].item() == pytest.approx(
            entropies["observation"] + observation, **close
        )
        marginal = stats.norm(0, np.sqrt(np.diagonal(covariances[r], axis1=1, axis2=2))).entropy().mean(0)
        np.testing.assert_allclose(model.latent_entropy(x)[r].detach(), marginal, rtol=1e-9, atol=1e-10)


@limits(max_examples=3)
@given(seed=SEEDS)
def test_the_elbo_is_below_the_likelihood(seed):
    """Of one latent, integrated on a fine grid; the best posterior comes nearest."""
    x = points(seed)
    elbos = {}
    for posterior in POSTERIORS:
        model = made(posterior, seed, latents=1)
        elbos[posterior] = model.bound(x, NOISE).elbo.detach()
        for r in range(REPLICAS):
            weight, scales, std = parts(model, r)
            z = np.linspace(-40, 40, 20_001)
            density = stats.norm(z[:, None, None] * weight, std).logpdf(x.numpy()).sum(-1)
            density += stats.laplace(scale=scales).logpdf(z[:, None])
            likelihood = np.log(np.exp(density).sum(0) * (z[1] - z[0])).mean()
            assert elbos[posterior][r] <= likelihood + 1e-5


@limits(max_examples=15)
@given(seed=SEEDS, latents=st.integers(1, 5))
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_the_gap_of_each_factor_is_a_directional_derivative(posterior, latents, seed):
    """Minus the gradient along the log scales, and half of minus that along log σ."""
    model, x = made(posterior, seed, latents), points(seed)
    bound = model.bound(x, NOISE)
    scale, std = torch.autograd.grad(bound.elbo.sum(), [model.log_scale, model.log_std])
    along = {"prior": -scale, "observation": -0.5 * std}
    for factor, product in along.items():
        torch.testing.assert_close(bound.factors[factor].gap, product.flatten(1).sum(1), rtol=1e-9, atol=1e-10)


def free(q):
    """Mean and factor of the same normal, to be moved."""
    factor = torch.linalg.cholesky(covariance(q)) if isinstance(q, FullNormal) else 0.5 * q.variance.log()
    return [q.mean.clone().requires_grad_(), factor.clone().requires_grad_()]


@limits(max_examples=20)
@given(
    seed=SEEDS,
    latents=st.integers(1, 5),
    log_std=st.floats(-3, 2),
    log_scale=st.floats(-2, 4),
    size=st.sampled_from([0.0, 1.0, 10.0]),
)
@pytest.mark.parametrize("posterior", BEST)
def test_the_best_posterior_is_stationary(posterior, latents, log_std, log_scale, size, seed):
    """As the ELBO is concave along it, it is then the best: also with more latents than dimensions, and far away."""
    model, x = made(posterior, seed, latents), size * np.exp(log_std) * points(seed)
    with torch.no_grad():
        model.log_std.fill_(log_std)
        model.log_scale.copy_(log_scale + 0.3 * model.log_scale)
    q = model.posterior(x)
    mean, factor = free(q)
    moved = (FullNormal if posterior == "full" else Normal)(mean, factor)
    elbo = model.bound(x, NOISE, moved).elbo
    slope = torch.autograd.grad(elbo.sum() * POINTS, [mean, factor])
    # In units of the posterior's own size: what a step of one deviation would win, in nats
    if posterior == "full":
        sizes = (slope[0].unsqueeze(-2) @ q.scale_tril, (q.scale_tril.mT @ slope[1]).tril())
    else:
        sizes = (slope[0] * q.variance.sqrt(), slope[1])
    assert max(s.abs().max() for s in sizes) < 1e-6


@pytest.mark.parametrize("seed", range(2))
def test_the_best_posterior_is_that_of_scipy(seed):
    """Two latents of one point, mean and factor by a minimiser that knows nothing of its form."""
    model, x = made("full", seed), points(seed, count=1)
    noise = NOISE[:, :1]
    found = model.bound(x, noise).elbo

    def loss(entries, r):
        z = torch.tensor(entries, requires_grad=True)
        factor = torch.stack([torch.stack([z[2].exp(), 0 * z[2]]), torch.stack([z[3], z[4].exp()])])
        q = FullNormal(z[:2].expand(REPLICAS, 1, 2), factor.expand(REPLICAS, 1, 2, 2))
        value = -model.bound(x, noise, q).elbo[r]
        return value.item(), torch.autograd.grad(value, z)[0].numpy()

    for r in range(REPLICAS):
        best = minimize(loss, np.zeros(5), args=(r,), jac=True, method="BFGS", options={"gtol": 1e-8})
        assert found[r].item() == pytest.approx(-best.fun, abs=1e-10)


@limits(max_examples=10)
@given(seed=SEEDS, latents=st.integers(1, 5))
def test_more_freedom_is_no_worse(latents, seed):
    """Of the same model: the best normal, the best one with independent latents, that of a network."""
    x, models = points(seed), {posterior: made(posterior, seed, latents) for posterior in POSTERIORS}
    for model in models.values():
        model.load_state_dict(models["full"].state_dict(), strict=False)
    amortised, diagonal, full = (models[name].bound(x, NOISE).elbo for name in ("amortised", *BEST))
    assert (full >= diagonal - 1e-12).all()
    assert (diagonal >= amortised - 1e-12).all()


@pytest.mark.parametrize("posterior", BEST)
def test_the_gradient_is_that_of_the_maximum_over_posteriors(posterior):
    """Finite differences, for which every point gets a new posterior."""
    model, x = made(posterior, latents=4), torch.stack([points(r) for r in range(REPLICAS)])
    names, parameters = zip(*learned(model), strict=True)
    gradients = torch.autograd.grad(model.objective(x, NOISE).sum(), parameters)
    source = torch.Generator().manual_seed(3)
    for name, parameter, gradient in zip(names, parameters, gradients, strict=True):
        step = torch.randn(parameter.shape, generator=source)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * 1e-4 * step
                values.append(model.bound(x, NOISE).elbo.sum())
                parameter -= sign * 1e-4 * step
        slope = (values[0] - values[1]) / 2e-4
        torch.testing.assert_close((gradient * step).sum(), slope, rtol=1e-6, atol=1e-7, msg=name)


@pytest.mark.parametrize("posterior", BEST)
def test_training_closes_the_gap(posterior):
    """At an optimum under the constraint λ_h = E|z_h|, σ² = MSE, and ELBO and entropy sum are one."""
    source = np.random.default_rng(0)
    x = torch.as_tensor(source.laplace(size=(25, 2)) @ source.normal(size=(2, 3)) + source.normal(0, 0.3, (25, 3)))
    model, noise = made(posterior), torch.empty(REPLICAS, 25, 0)
    start = model.bound(x, noise).gap.abs()
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=300, line_search_fn="strong_wolfe", tolerance_grad=1e-8, tolerance_change=0
    )

    def loss():
        optimizer.zero_grad()
        value = -model.objective(x, noise).sum()
        value.backward()
        return value

    optimizer.step(loss)
    bound, q = model.bound(x, noise), model.posterior(x)
    assert start.min() > 0.01
    for factor in bound.factors.values():
        assert factor.gap.abs().max() < 1e-6
    torch.testing.assert_close(bound.elbo, bound.entropy_sum, rtol=0, atol=1e-6)
    size = torch.as_tensor(stats.foldnorm(abs(q.mean / q.variance.sqrt()), scale=q.variance.sqrt()).mean())
    torch.testing.assert_close(model.log_scale.exp().squeeze(1), size.mean(1), rtol=1e-5, atol=1e-6)


def test_a_fixed_prior_leaves_its_gap():
    model, x = made("full", prior="fixed", prior_scale=0.3), points()
    assert not model.log_scale.requires_grad
    bound = model.bound(x, NOISE)
    assert (bound.factors["prior"].gap.abs() > 1e-3).all()
    fresh = build([MODELS["sparse_coding"](prior="fixed", prior_scale=0.3)], DIM, [torch.Generator()])
    torch.testing.assert_close(fresh.log_scale.exp(), torch.full((1, 1, 2), 0.3))


def test_weights_keep_norm_one_in_place():
    model = made("full")
    pointer, before = model.weight.data_ptr(), model.bound(points(), NOISE).elbo
    gradient = torch.autograd.grad(before.sum(), model.weight)[0]
    along = (gradient * model.weight).sum(2)
    torch.testing.assert_close(along, torch.zeros_like(along), rtol=0, atol=1e-12)
    with torch.no_grad():
        model.weight *= 3
    torch.testing.assert_close(model.bound(points(), NOISE).elbo, before)
    model.constrain()
    torch.testing.assert_close(model.weight.norm(dim=2), torch.ones(REPLICAS, 2))
    assert model.weight.data_ptr() == pointer, "the optimiser would lose its parameter"


@pytest.mark.parametrize("posterior", BEST)
def test_a_diverged_replica_leaves_the_others_alone(posterior):
    model, x = made(posterior), points()
    before = model.bound(x, NOISE).elbo
    with torch.no_grad():
        model.log_std[0] = torch.nan
    after = model.bound(x, NOISE).elbo
    assert after[0].isnan()
    torch.testing.assert_close(after[1], before[1])


@limits(max_examples=10)
@given(seed=SEEDS, size=st.sampled_from([1.0, 10.0]))
@example(seed=349, size=10.0)  # Newton's direction led down, by rounding, and was followed
@pytest.mark.parametrize("posterior", BEST)
def test_single_precision_is_enough(posterior, size, seed):
    model, x = made(posterior, seed, latents=5), size * points(seed)
    exact = model.bound(x, NOISE).elbo
    found = model.float().bound(x.float(), NOISE.float()).elbo
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-4)


def stored(model, scale, variance):
    """σ² and λ, put in place."""
    with torch.no_grad():
        model.log_scale.copy_(scale.log())
        model.log_std.copy_(0.5 * variance.log())


@limits(max_examples=10)
@given(seed=SEEDS, latents=st.integers(1, 5))
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_the_entropy_objective_is_elbo_and_entropy_sum_of_the_best_scales(posterior, latents, seed):
    """For one posterior; −(D/2) log(2πe MSE) − Σ_h log 2eλ_h + mean H[q] by scipy, and no other scales have more."""
    model, x = made(posterior, seed, latents, objective="entropy"), points(seed)
    with torch.no_grad():
        q = model.posterior(x)
        found, (scale, variance) = OBJECTIVES["entropy"](model, x, NOISE, q, torch.ones(REPLICAS)), model.solved(x, q)
        stored(model, scale, variance)
        bound = model.bound(x, NOISE, q)
        torch.testing.assert_close(found, bound.elbo, rtol=0, atol=1e-10)
        torch.testing.assert_close(found, bound.entropy_sum, rtol=0, atol=1e-10)
        normals = stats.norm(0, variance.flatten().sqrt()).entropy() * DIM + stats.laplace(0, scale).entropy().sum(
            (1, 2)
        )
        np.testing.assert_allclose(found, q.entropy().mean(1).numpy() - normals, rtol=0, atol=1e-10)
        for factor in (0.9, 1.1):
            for other in ((factor * scale, variance), (scale, factor * variance)):
                stored(model, *other)
                assert (model.bound(x, NOISE, q).elbo < found).all()


@pytest.mark.parametrize("weight", [1.0, 3.0])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_the_gradient_of_what_training_ascends(posterior, objective, weight):
    """Finite differences, for which every point gets a new posterior, in whichever way the prior is weighted."""
    model, x = made(posterior, latents=4, objective=objective), points()
    names, parameters = zip(*learned(model), strict=True)
    weights = torch.tensor([weight, 1.0])
    height = model.landscape(x, NOISE, weights)
    gradients = torch.autograd.grad(height().sum(), parameters, materialize_grads=True)
    source = torch.Generator().manual_seed(3)
    for name, parameter, gradient in zip(names, parameters, gradients, strict=True):
        step = torch.randn(parameter.shape, generator=source)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * 1e-4 * step
                values.append(model.landscape(x, NOISE, weights)().sum())
                parameter -= sign * 1e-4 * step
        slope = (values[0] - values[1]) / 2e-4
        torch.testing.assert_close((gradient * step).sum(), slope, rtol=1e-6, atol=1e-7, msg=name)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_a_weighted_prior_is_so_many_cross_entropies(posterior):
    """The best posteriors are then those of a Laplace prior of so much smaller a scale."""
    model, x, weights = made(posterior, prior_scale=2.0), points(), torch.tensor([4.0, 0.5])
    found = model.landscape(x, NOISE, weights)()
    scale = model.log_scale.detach().clone()
    if posterior != "amortised":
        with torch.no_grad():
            model.log_scale -= weights.log()[:, None, None]
    q = model.posterior(x)
    with torch.no_grad():
        model.log_scale.copy_(scale)
    bound = model.bound(x, NOISE, q)
    by_hand = bound.posterior_entropy - weights * bound.factors["prior"].cross_entropy
    torch.testing.assert_close(found, by_hand - bound.factors["observation"].cross_entropy, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("posterior", BEST)
def test_a_search_from_near_finds_what_one_from_afar_finds(posterior):
    model, x = made(posterior, latents=4), points()
    height = model.landscape(x, NOISE)
    height()
    with torch.no_grad():
        model.weight += 0.1
        model.log_std -= 0.2
    torch.testing.assert_close(height(), model.objective(x, NOISE), rtol=0, atol=1e-12)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_scales_settle_at_the_best_ones_and_lose_nothing(posterior):
    """An EM step: the new ELBO is no less than the objective was; with a weight of the past, part of the way."""
    model, x = made(posterior, objective="entropy", averaging=0.0), points()
    half = made(posterior, objective="entropy", averaging=0.5)
    before = model.objective(x, NOISE)
    old = model.log_scale.exp(), (2 * model.log_std).exp()
    wanted = model.solved(x, model.posterior(x))
    for each in (model, half):
        each.settle(x)
    torch.testing.assert_close((model.log_scale.exp(), (2 * model.log_std).exp()), wanted)
    between = tuple(0.5 * (a + b) for a, b in zip(old, wanted, strict=True))
    torch.testing.assert_close((half.log_scale.exp(), (2 * half.log_std).exp()), between)
    bound = model.bound(x, NOISE)
    assert (bound.elbo >= before - 1e-12).all()
    if posterior == "amortised":
        assert bound.gap.abs().max() < 1e-12
    other = made(posterior)
    other.settle(x)
    torch.testing.assert_close(other.state_dict(), made(posterior).state_dict())


def test_a_true_dictionary_is_held_and_others_are_refused():
    model, weights = made("full", dictionary="true"), np.random.default_rng(0).normal(size=(DIM, 2))
    model.inform({"weights": weights})
    assert not model.weight.requires_grad
    torch.testing.assert_close(model.weight[1], torch.as_tensor((weights / np.linalg.norm(weights, axis=0)).T))
    for truth, found in (({}, "these data have none"), ({"weights": weights[:, :1]}, "those of these data have 1")):
        with pytest.raises(
            ValueError, match=rf"dictionary: true needs .*; {found}, and latent_dim is 2: set latent_dim"
        ):
            model.inform(truth)
    made("full").inform({})


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"objective": "entropy", "prior": "fixed"}, "write prior: learned"), ({"averaging": 0.9}, "averaging: 0.9")],
)
def test_settings_that_do_not_go_together(settings, words):
    with pytest.raises(ValidationError, match=words):
        MODELS["sparse_coding"](**settings)
