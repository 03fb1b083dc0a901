"""The gap as a directional derivative, at random parameters: F − E = v·∇F (docs/theory.md), in float64 to 1e-10."""

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catalogue import accepted, dim_of, supported
from entropy_sums.layers import log_std
from entropy_sums.models import MODELS, build

pytestmark = pytest.mark.usefixtures("float64")

SMALL = {"encoder_width": 6, "encoder_depth": 2, "decoder_width": 5, "decoder_depth": 2, "width": 2, "depth": 2}
REPLICAS, POINTS, DIM, LATENTS = 3, 17, 4, 2


@dataclass
class Case:
    model: torch.nn.Module
    x: torch.Tensor
    noise: torch.Tensor

    def bound(self):
        return self.model.bound(self.x, self.noise)

    def gradients(self, value):
        names, parameters = zip(*[(n, p) for n, p in self.model.named_parameters() if p.requires_grad], strict=True)
        gradients = torch.autograd.grad(value.sum(), parameters, allow_unused=True)
        found = zip(names, parameters, gradients, strict=True)
        return {n: torch.zeros_like(p) if g is None else g for n, p, g in found}

    def derivative(self, value, direction):
        """Directional derivative of `value` per replica; `direction` maps names to a factor or a tensor."""
        parameters = dict(self.model.named_parameters())
        gradients = self.gradients(value)
        total = torch.zeros(REPLICAS)
        for name, step in direction.items():
            along = step(parameters[name]) if callable(step) else step * parameters[name]
            total = total + (gradients[name] * along).flatten(1).sum(1)
        return total


NETWORKS = ["vae1", "vae2", "vae3", "conv_vae", "bernoulli_vae", "poisson_vae"]
PROVEN = ["linear_vae", *NETWORKS]


def case(name, seed=0, **settings):
    """A model with well spread random parameters, random data and noise; a tuple is a setting of each replica."""
    source = torch.Generator().manual_seed(seed)
    chosen = accepted(name, **{**SMALL, "latent_dim": LATENTS, **settings})
    each = [{k: v[r] if isinstance(v, tuple) else v for k, v in chosen.items()} for r in range(REPLICAS)]
    dim = dim_of(name, DIM)
    model = build([MODELS[name](**own) for own in each], dim, [source] * REPLICAS)
    with torch.no_grad():
        for part in (model.encoder, model.latent_prior, model.decoder):
            for parameter in part.parameters():
                parameter += 0.25 * torch.randn(parameter.shape, generator=source)
        model.constrain()
    x = torch.randn(POINTS, dim, generator=source)
    noise = torch.randn(REPLICAS, POINTS, LATENTS, generator=source)
    return Case(model, supported(name, x), noise)


def shift(by):
    """Move every entry by the same amount."""
    return lambda parameter: by * torch.ones_like(parameter)


SEEDS = st.integers(0, 10_000)


@given(seed=SEEDS)
@pytest.mark.parametrize("name", ["linear_vae", "vae0", "vae1", "vae2", "conv_vae"])
def test_observation_gap_with_one_variance(name, seed):
    """(D/2)(1 − MSE/σ²)."""
    c = case(name, seed)
    z = c.model.posterior(c.x).reparametrise(c.noise)
    mse = (c.x - c.model.observation(z).mean).square().mean((1, 2))
    variance = (2 * log_std(c.model.decoder.spread, c.model.decoder.kind)).exp().flatten()
    torch.testing.assert_close(
        c.bound().factors["observation"].gap, c.x.shape[1] / 2 * (1 - mse / variance), rtol=1e-10, atol=1e-10
    )


@given(seed=SEEDS)
@pytest.mark.parametrize("name", ["linear_vae", "vae0", "vae1", "vae3", "conv_vae", "bernoulli_vae", "poisson_vae"])
def test_prior_gap_of_a_standard_normal(name, seed):
    """½ Σ_h (1 − m_h) with m_h = mean(ν_h² + τ_h²)."""
    c = case(name, seed)
    q = c.model.posterior(c.x)
    second_moment = (q.mean.square() + q.variance).mean(1)
    expected = 0.5 * (1 - second_moment).sum(1)
    torch.testing.assert_close(c.bound().factors["prior"].gap, expected, rtol=1e-10, atol=1e-10)


@given(seed=SEEDS, unit_columns=st.sampled_from(["parametrise", "renormalise"]))
def test_prior_gap_of_vae2(seed, unit_columns):
    """½ Σ_h (1 − m_h/α_h²)."""
    c = case("vae2", seed, unit_columns=unit_columns)
    q, prior = c.model.posterior(c.x), c.model.prior()
    second_moment = (q.mean.square() + q.variance).mean(1)
    expected = 0.5 * (1 - second_moment / prior.variance.squeeze(1)).sum(1)
    torch.testing.assert_close(c.bound().factors["prior"].gap, expected, rtol=1e-10, atol=1e-10)


@given(seed=SEEDS)
def test_observation_gap_of_vae3(seed):
    """½ Σ_d (1 − mean (x_d − μ_d)²/σ_d²(z))."""
    c = case("vae3", seed)
    p = c.model.observation(c.model.posterior(c.x).reparametrise(c.noise))
    expected = 0.5 * (1 - ((c.x - p.mean).square() / p.variance).mean(1)).sum(1)
    torch.testing.assert_close(c.bound().factors["observation"].gap, expected, rtol=1e-10, atol=1e-10)


@given(seed=SEEDS)
def test_observation_gap_of_bernoulli_vae(seed):
    """mean Σ_d l_d (x_d − sigmoid(l_d)), and this is (W, b)·∇F of the last layer."""
    c = case("bernoulli_vae", seed)
    logits = c.model.observation(c.model.posterior(c.x).reparametrise(c.noise)).logits
    expected = (logits * (c.x - logits.sigmoid())).sum(-1).mean(1)
    gap = c.bound().factors["observation"].gap
    torch.testing.assert_close(gap, expected, rtol=1e-10, atol=1e-10)
    along = c.derivative(c.bound().elbo, {"decoder.network.1.weight": 1, "decoder.network.1.bias": 1})
    torch.testing.assert_close(gap, along, rtol=1e-10, atol=1e-10)


ENCODER = {"encoder.mean.weight": 0.5, "encoder.mean.bias": 0.5, "encoder.spread.bias": shift(1.0)}
"""Scales z by half of itself: half the mean head, half of log τ, that is one of the log variance."""

LAST_LAYER = {
    "vae3": {"decoder.spread.bias": shift(-1.0)},
    "bernoulli_vae": {"decoder.network.1.weight": 1, "decoder.network.1.bias": 1},
    "poisson_vae": {"decoder.network.1.weight": 1, "decoder.network.1.bias": 1},
}
FIRST_WEIGHT = {
    "vae1": "decoder.mean.0.layers.0.weight",
    "vae3": "decoder.trunk.layers.0.weight",
    "conv_vae": "decoder.mean.0.layers.0.weight",
    "bernoulli_vae": "decoder.network.0.layers.0.weight",
    "poisson_vae": "decoder.network.0.layers.0.weight",
    "linear_vae": "decoder.mean.weight",
}


def direction(name):
    """The v of the theorem for each model, in parameters of log-variance heads."""
    if name == "vae2":
        return {"latent_prior.log_std": shift(-0.5), "decoder.spread": shift(-1.0)}
    encoder = dict(ENCODER)
    if name == "linear_vae":
        encoder = {"encoder.mean.weight": 0.5, "encoder.mean.bias": 0.5, "encoder.spread": shift(1.0)}
    last = LAST_LAYER.get(name, {"decoder.spread": shift(-1.0)})
    return {**encoder, FIRST_WEIGHT[name]: -0.5, **last}


@given(seed=SEEDS)
@pytest.mark.parametrize("name", ["vae1", "vae2", "vae3", "conv_vae"])
def test_a_squashed_mean_keeps_the_direction(name, seed):
    c = case(name, seed, output="sigmoid")
    bound, mean = c.bound(), c.model.observation(c.noise).mean
    assert 0 < mean.min() < mean.max() < 1
    torch.testing.assert_close(bound.gap, c.derivative(bound.elbo, direction(name)), rtol=1e-10, atol=1e-10)


@given(seed=SEEDS)
def test_observation_gap_of_poisson_vae(seed):
    """mean Σ_d l_d (x_d − exp l_d) with pseudo entropies; the true ones are off by what log x! is not expected."""
    c = case("poisson_vae", seed)
    observation = c.model.observation(c.model.posterior(c.x).reparametrise(c.noise))
    log_rate = observation.log_rate
    expected = (log_rate * (c.x - log_rate.exp())).sum(-1).mean(1)
    pseudo = c.bound().factors["observation"]
    torch.testing.assert_close(pseudo.gap, expected, rtol=1e-10, atol=1e-10)
    true = case("poisson_vae", seed, observation_entropy="true").bound().factors["observation"]
    off = (c.x + 1).lgamma().sum(-1).mean() + observation.expected_base_measure().mean(1)
    torch.testing.assert_close(true.cross_entropy, pseudo.cross_entropy)
    torch.testing.assert_close(pseudo.entropy - true.entropy, off, rtol=1e-10, atol=1e-10)
    assert (off.abs() > 1e-6).all()


@given(seed=SEEDS, nats=st.floats(0.01, 3))
@pytest.mark.parametrize("name", PROVEN)
def test_free_bits_raise_the_divergence_of_each_latent(name, seed, nats):
    """−Σ_h max(λ, KL_h) − CE_observation, with KL_h from torch."""
    plain, c = case(name, seed).bound(), case(name, seed, free_bits=nats)
    q, p = c.model.posterior(c.x), c.model.prior()
    std = p.variance.sqrt().expand(-1, 1, LATENTS)
    normals = torch.distributions.Normal(q.mean, q.variance.sqrt()), torch.distributions.Normal(torch.zeros(()), std)
    divergence = torch.distributions.kl_divergence(*normals).mean(1)
    elbo = -divergence.clamp(min=nats).sum(1) - plain.factors["observation"].cross_entropy
    torch.testing.assert_close(c.bound().elbo, elbo, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(c.bound().entropy_sum, plain.entropy_sum, rtol=1e-12, atol=1e-12)


@given(seed=SEEDS)
def test_free_bits_and_beta_go_together(seed):
    """−β Σ_h max(λ, KL_h) − CE_observation, whatever the entropies are."""
    free, plain = case("vae1", seed, free_bits=1.0).bound(), case("vae1", seed).bound()
    observation = plain.factors["observation"].cross_entropy
    for entropies in ("weighted", "unweighted"):
        both = case("vae1", seed, free_bits=1.0, beta=BETAS, entropies=entropies).bound()
        expected = torch.tensor(BETAS) * (free.elbo + observation) - observation
        torch.testing.assert_close(both.elbo, expected, rtol=1e-10, atol=1e-10)


BETAS = (0.25, 1.0, 4.0)
"""One for each replica."""


@given(seed=SEEDS)
@pytest.mark.parametrize("name", PROVEN)
def test_weighted_gap_of_a_beta_vae_is_the_derivative_along_the_same_direction(name, seed):
    c = case(name, seed, beta=BETAS)
    bound = c.bound()
    torch.testing.assert_close(bound.gap, c.derivative(bound.elbo, direction(name)), rtol=1e-10, atol=1e-10)


@given(seed=SEEDS)
@pytest.mark.parametrize("name", PROVEN)
def test_beta_elbo_and_entropy_sums(name, seed):
    """β(H[q] − CE_prior) − CE_observation; the entropy sum weighted by the same β or not at all."""
    beta, plain = torch.tensor(BETAS), case(name, seed).bound()
    prior, observation = plain.factors["prior"], plain.factors["observation"]
    elbo = beta * (plain.posterior_entropy - prior.cross_entropy) - observation.cross_entropy
    sums = {
        "weighted": beta * (plain.posterior_entropy - prior.entropy) - observation.entropy,
        "unweighted": plain.entropy_sum,
    }
    for entropies, entropy_sum in sums.items():
        bound = case(name, seed, beta=BETAS, entropies=entropies).bound()
        torch.testing.assert_close(bound.elbo, elbo, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(bound.entropy_sum, entropy_sum, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(bound.gap, elbo - entropy_sum, rtol=1e-9, atol=1e-9)


@given(seed=SEEDS)
@pytest.mark.parametrize("name", PROVEN)
def test_gap_is_a_directional_derivative(name, seed):
    """F − E = v·∇F at random parameters, with the same v for all data and noise."""
    c = case(name, seed)
    bound = c.bound()
    along = c.derivative(bound.elbo, direction(name))
    torch.testing.assert_close(bound.gap, along, rtol=1e-10, atol=1e-10)


def test_control_cannot_follow_its_direction():
    """The observation gap of VAE-0 would close along σ, which is fixed."""
    c = case("vae0")
    assert not c.model.decoder.spread.requires_grad
    assert (c.bound().factors["observation"].gap.abs() > 1e-3).all()


def test_half_log_two_pi_e():
    """The entropy of one standard normal coordinate is 1.4189… nats."""
    c = case("vae1")
    entropy = c.model.prior().entropy().expand(1, 1)
    torch.testing.assert_close(entropy, torch.full((1, 1), LATENTS * 0.5 * math.log(2 * math.pi * math.e)))
