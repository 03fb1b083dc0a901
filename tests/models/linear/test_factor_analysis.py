"""Factor analysis: densities by scipy, the bound by conditioning a joint normal, EM by scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.decomposition import FactorAnalysis as ScikitFactorAnalysis

from entropy_sums.models import MODELS, build

pytestmark = pytest.mark.usefixtures("float64")

REPLICAS, POINTS, DIM, LATENTS = 2, 11, 4, 2
NOISE = torch.empty(REPLICAS, POINTS, 0)
SEEDS = st.integers(0, 10_000)
KINDS = ["scalar", "diagonal"]


def made(noise, seed=0, dim=DIM):
    """A model with random parameters."""
    source = torch.Generator().manual_seed(seed)
    replica = MODELS["factor_analysis"](latent_dim=LATENTS, noise=noise)
    model = build([replica] * REPLICAS, dim, [source] * REPLICAS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.5 * torch.randn(parameter.shape, generator=source)
    return model


def points(seed=0, count=POINTS):
    return torch.as_tensor(np.random.default_rng(seed).normal(0.3, 1, (count, DIM)))


def by_hand(model, r):
    """W, b and variances as arrays."""
    variance = np.broadcast_to(np.exp(2 * model.noise_bias[r, 0].detach().numpy()), DIM)
    return model.linear.weight[r].detach().numpy(), model.linear.bias[r, 0].detach().numpy(), variance


@settings(max_examples=20)
@given(seed=SEEDS)
@pytest.mark.parametrize("noise", KINDS)
def test_bound_and_likelihood(noise, seed):
    """Posterior by conditioning the joint normal of z and x; cross-entropies from its second moments."""
    model, x = made(noise, seed), points(seed)
    q, bound = model.posterior(x), model.bound(x, NOISE)
    for r in range(REPLICAS):
        weight, bias, variance = by_hand(model, r)
        covariance = weight.T @ weight + np.diag(variance)
        gain = weight @ np.linalg.inv(covariance)
        mean, spread = (x.numpy() - bias) @ gain.T, np.eye(LATENTS) - gain @ weight.T
        likelihood = multivariate_normal(bias, covariance).logpdf(x.numpy()).mean()
        close = {"rel": 1e-10, "abs": 1e-10}
        np.testing.assert_allclose(q.mean[r], mean, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(q.covariance[r, 0], spread, rtol=1e-9, atol=1e-10)
        assert bound.elbo[r].item() == pytest.approx(likelihood, **close)
        assert model.log_likelihood(x)[r].item() == pytest.approx(likelihood, **close)
        posterior_entropy = multivariate_normal(np.zeros(LATENTS), spread).entropy()
        assert bound.posterior_entropy[r].item() == pytest.approx(posterior_entropy, **close)
        second_moment = np.trace(mean.T @ mean / POINTS + spread)
        errors = (x.numpy() - mean @ weight - bias) ** 2 + np.diag(weight.T @ spread @ weight)
        assert bound.factors["prior"].gap[r].item() == pytest.approx(0.5 * (LATENTS - second_moment), **close)
        observation = 0.5 * (DIM - (errors.mean(0) / variance).sum())
        assert bound.factors["observation"].gap[r].item() == pytest.approx(observation, **close)
        marginal = 0.5 * np.log(2 * np.pi * np.e * np.diag(spread))
        np.testing.assert_allclose(model.latent_entropy(x)[r], marginal, rtol=1e-10)
        assert model.latent_entropy(x)[r].sum() >= posterior_entropy


@settings(max_examples=20)
@given(seed=SEEDS)
@pytest.mark.parametrize("noise", KINDS)
def test_the_gap_of_each_factor_is_a_directional_derivative(noise, seed):
    """Scaling z is absorbed by W alone, as the ELBO is flat along the posterior."""
    model, x = made(noise, seed), points(seed)
    bound = model.bound(x, NOISE)
    weight, spread = torch.autograd.grad(bound.elbo.sum(), [model.linear.weight, model.noise_bias])
    along = {"prior": -0.5 * weight * model.linear.weight, "observation": -0.5 * spread}
    for factor, product in along.items():
        torch.testing.assert_close(bound.factors[factor].gap, product.flatten(1).sum(1), rtol=1e-9, atol=1e-10)


@settings(max_examples=20)
@given(seed=SEEDS)
@pytest.mark.parametrize("noise", KINDS)
def test_the_gradient_is_that_of_the_likelihood(noise, seed):
    """Also for replicas that see different points."""
    model, x = made(noise, seed), torch.stack([points(seed + r) for r in range(REPLICAS)])
    values = [model.log_likelihood(x), model.objective(x, NOISE), model.bound(x, NOISE, model.posterior(x)).elbo]
    first, *others = [torch.autograd.grad(value.sum(), model.parameters()) for value in values]
    for gradient in others:
        torch.testing.assert_close(gradient, first, rtol=1e-9, atol=1e-9)


WIDE = 6
"""Dimensions at which two factors are determined by a covariance: with four they are not."""


def correlated():
    source = np.random.default_rng(0)
    x = source.normal(size=(200, LATENTS)) @ source.normal(0, 2, (LATENTS, WIDE)) + 10
    return x + source.normal(size=(200, WIDE)) * [0.5, 1.0, 1.5, 0.7, 1.2, 0.9]


@pytest.mark.parametrize("noise", KINDS)
def test_em_reaches_the_likelihood_of_scikit_learn(noise):
    """A closed form for one variance (Tipping and Bishop 1999), scikit-learn for one per dimension."""
    x = correlated()
    # PCA divides by N − 1, which is taken back by another number of points
    eigenvalues = PCA().fit(x).explained_variance_ * (len(x) - 1) / len(x)
    logs = np.log(eigenvalues[:LATENTS]).sum() + (WIDE - LATENTS) * np.log(eigenvalues[LATENTS:].mean())
    optimum = {
        "scalar": -0.5 * (WIDE * np.log(2 * np.pi * np.e) + logs),
        "diagonal": ScikitFactorAnalysis(LATENTS, tol=1e-12, max_iter=5000, svd_method="lapack").fit(x).score(x),
    }
    model = made(noise, dim=WIDE)
    for _ in range(1500):
        model.maximise(torch.as_tensor(x))
    likelihood = model.log_likelihood(torch.as_tensor(x)).detach()
    np.testing.assert_allclose(likelihood, optimum[noise], atol=1e-6)
    bound = model.bound(torch.as_tensor(x), torch.empty(REPLICAS, len(x), 0))
    assert all(factor.gap.abs().max() < 1e-6 for factor in bound.factors.values())


@settings(max_examples=20)
@given(seed=SEEDS, scale=st.floats(0.1, 10))
@pytest.mark.parametrize("noise", KINDS)
def test_em_never_decreases_the_elbo(noise, seed, scale):
    model, x = made(noise, seed), scale * points(seed + 1)
    before = model.log_likelihood(x)
    for _ in range(5):
        model.maximise(x)
        after = model.log_likelihood(x)
        assert (after >= before - 1e-9 * (1 + before.abs())).all()
        before = after
