"""Sigmoid belief networks against sums over all states, in float64 to 1e-10."""

import itertools
from functools import cache, partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy.special import expit, logsumexp
from scipy.stats import bernoulli

from belief_networks import (
    DIM,
    LATENTS,
    LINEAR,
    POINTS,
    data,
    every_noise,
    every_pair,
    exact_gradients,
    log_pmf,
    mean_gradients,
    noises,
    probabilities,
    random_network,
    twin,
)
from entropy_sums.certificates.certificate import certify
from entropy_sums.models import MODELS, build
from entropy_sums.models.model import copies
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

pytestmark = pytest.mark.usefixtures("float64")

DEEP = {"encoder_depth": 1, "decoder_depth": 1, "encoder_width": 3, "decoder_width": 3, "activation": "relu"}
SHAPES = [(depth, kind) for depth in (1, 2, 3) for kind in (LINEAR, DEEP)]
PRIORS = ["learned", "uniform", "fixed"]

made = partial(random_network, "sbn")


def enumerated(model):
    return twin(model, "sbn", depth=model.depth, estimator="enumeration")


def by_hand(model, x, replica):
    """ELBO, posterior entropy, cross-entropy and entropy per factor, log-likelihood: sums over all latents at once."""
    depth = model.depth
    prior = expit(model.prior.bias[replica].detach().numpy()) * np.ones((1, LATENTS))
    states = np.array(list(itertools.product([0.0, 1.0], repeat=depth * LATENTS))).reshape(-1, depth, LATENTS)
    result = {"elbo": 0.0, "log_likelihood": 0.0, "posterior_entropy": 0.0}
    cross, entropy = np.zeros(depth + 1), np.zeros(depth + 1)
    for point in x.numpy():
        values = [np.broadcast_to(point, (len(states), DIM)), *(states[:, layer] for layer in range(depth))]
        qs = [probabilities(model, "encoders", layer, replica, values[layer]) for layer in range(depth)]
        ps = [probabilities(model, "decoders", layer, replica, values[layer + 1]) for layer in range(depth)]
        ps.append(np.broadcast_to(prior, values[-1].shape))
        log_q = sum(log_pmf(value, q) for value, q in zip(values[1:], qs, strict=True))
        log_ps = np.array([log_pmf(value, p) for value, p in zip(values, ps, strict=True)])
        weight = np.exp(log_q) / len(x)
        result["elbo"] += weight @ (log_ps.sum(0) - log_q)
        result["posterior_entropy"] -= weight @ log_q
        result["log_likelihood"] += logsumexp(log_ps.sum(0)) / len(x)
        cross -= log_ps @ weight
        entropy += np.array([bernoulli.entropy(p).sum(-1) for p in ps]) @ weight
    return result | {"cross_entropy": cross[::-1], "entropy": entropy[::-1]}


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("depth", "kind"), SHAPES)
def test_enumeration_against_sums_by_hand(depth, kind, prior):
    model, x = made(depth=depth, prior=prior, estimator="enumeration", **kind), data()
    bound, likelihood = model.bound(x, noises(model, POINTS)), model.log_likelihood(x)
    assert tuple(bound.factors) == model.factors
    for replica in range(2):
        expected = by_hand(model, x, replica)
        close = {"rtol": 1e-10, "atol": 1e-10}
        for name in ("elbo", "posterior_entropy"):
            np.testing.assert_allclose(getattr(bound, name)[replica].item(), expected[name], **close)
        np.testing.assert_allclose(likelihood[replica].item(), expected["log_likelihood"], **close)
        for name in ("cross_entropy", "entropy"):
            found = [getattr(factor, name)[replica].item() for factor in bound.factors.values()]
            np.testing.assert_allclose(found, expected[name], **close)
        entropy_sum = expected["posterior_entropy"] - expected["entropy"].sum()
        np.testing.assert_allclose(bound.entropy_sum[replica].item(), entropy_sum, **close)


@pytest.mark.parametrize("depth", [1, 3])
def test_the_likelihood_sums_to_one_over_all_data(depth):
    model = made(depth=depth)
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=DIM)))
    one = sum(model.log_likelihood(x.unsqueeze(0)).exp() for x in every)
    torch.testing.assert_close(one, torch.ones(2), rtol=1e-12, atol=1e-12)


def test_the_likelihood_of_many_points_is_computed_in_parts(monkeypatch):
    model, x = made(depth=2), data(7)
    whole = model.log_likelihood(x)
    monkeypatch.setattr("entropy_sums.models.binary.network.ENTRIES_AT_ONCE", 24)
    torch.testing.assert_close(model.log_likelihood(x), whole, rtol=1e-14, atol=1e-14)


def test_no_likelihood_of_many_latents():
    large = build([MODELS["sbn"](latent_dim=7, depth=2)], DIM, [torch.Generator()])
    assert large.log_likelihood(data()) is None


def derivative(model, elbo, factor):
    """θ·∇F of the parameters that are natural ones of the factor, `(replica,)`."""
    layers = {"prior": "prior.bias", "observation": "decoders.0.network.1", "layer_1": "decoders.1.network.1"}
    names = [name for name, p in model.named_parameters() if name.startswith(layers[factor]) and p.requires_grad]
    parameters = [model.get_parameter(name) for name in names]
    gradients = torch.autograd.grad(elbo.sum(), parameters, retain_graph=True)
    return sum((g * p).flatten(1).sum(1) for g, p in zip(gradients, parameters, strict=True))


@given(seed=st.integers(0, 10_000))
@examples(max_examples=25)
@pytest.mark.parametrize("estimator", ["enumeration", "disarm"])
@pytest.mark.parametrize("kind", [LINEAR, DEEP])
def test_every_gap_is_the_derivative_along_its_natural_parameters(kind, estimator, seed):
    model, x = made(seed=seed, depth=2, estimator=estimator, **kind), data(seed=seed)
    bound = model.bound(x, noises(model, 3 * POINTS, seed))
    for name, factor in bound.factors.items():
        along = derivative(model, bound.elbo, name)
        torch.testing.assert_close(factor.gap, along, rtol=1e-10, atol=1e-10)


def test_only_a_fixed_prior_that_is_not_uniform_leaves_a_gap():
    """−CE + H of Bernoulli distributions: (π − mean q) times the logit, zero where that is."""
    x = data()
    for prior, logit in (("uniform", 0.0), ("fixed", np.log(0.2 / 0.8))):
        model = made(prior=prior, estimator="enumeration")
        gap = model.bound(x, noises(model, POINTS)).factors["prior"].gap
        expected = logit * (model.posterior(x).mean - expit(logit)).sum(-1).mean(1)
        torch.testing.assert_close(gap, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("estimator", ["enumeration", "disarm"])
@pytest.mark.parametrize(("prior", "words"), [("learned", "1 · prior.bias"), ("uniform", "0"), ("fixed", None)])
def test_certificates(prior, words, estimator):
    """Every factor of a deep network has the direction of the theorem; that of a fixed prior has none.

    Data and layers need more states than there are candidates, or any function of the states is in their span.
    """
    model = made(dim=8, depth=2, latent_dim=4, estimator=estimator, prior=prior, **LINEAR)
    certificate = certify(model, data(60, dim=8), trials=2)
    last = "1 · decoders.{0}.network.1.weight, 1 · decoders.{0}.network.1.bias"
    expected = {"prior": words or "no direction", "layer_1": last.format(1), "observation": last.format(0)}
    assert {factor: certificate.direction_of(factor) for factor in expected} == expected
    assert certificate.holds() == (words is not None)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_recorded_bound_and_its_gradient_are_unbiased(depth):
    """Summed over all that the noise can do, against enumeration."""
    model, x = made(replicas=1, depth=depth, **LINEAR), data(1)
    exact = enumerated(model)
    noise, weights = every_noise(model, x)
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    many = copies(model, len(weights))
    found, expected = many.bound(x, noise), exact.bound(x, noise[:1])
    for name in ("elbo", "entropy_sum", "posterior_entropy"):
        mean = (weights * getattr(found, name)).sum(0, keepdim=True)
        torch.testing.assert_close(mean, getattr(expected, name), rtol=1e-10, atol=1e-10)
    gradients = mean_gradients(many, weights, many.objective(x, noise))
    torch.testing.assert_close(gradients, exact_gradients(exact, x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("depth", [1, 2])
def test_reinforce_is_unbiased(depth):
    model, x = made(replicas=1, depth=depth, estimator="reinforce", **LINEAR), data(1)
    noise, weights = every_pair(model, x)
    many = copies(model, len(weights))
    gradients = mean_gradients(many, weights, many.objective(x, noise))
    torch.testing.assert_close(gradients, exact_gradients(enumerated(model), x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("depth", [1, 2])
def test_vimco_is_unbiased_for_the_importance_weighted_bound(depth):
    """Against autograd of the sum over all pairs of states, which lies between ELBO and likelihood."""
    model, x = made(replicas=1, depth=depth, estimator="vimco", **LINEAR), data(1)
    noise, weights = every_pair(model, x)
    many = copies(model, len(weights))
    values = many.objective(x, noise)
    gradients = mean_gradients(many, weights, values)

    def importance_weighted(one, x):
        states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=depth * LATENTS)))
        values = [x, *states.split(LATENTS, dim=1)]
        steps = list(itertools.pairwise(values))
        log_q = sum(encoder(a).log_prob(b) for encoder, (a, b) in zip(one.encoders, steps, strict=True))
        log_p = one.prior().log_prob(values[-1])
        log_p = log_p + sum(decoder(b).log_prob(a) for decoder, (a, b) in zip(one.decoders, steps, strict=True))
        log_weights, log_q = (log_p - log_q)[0], log_q[0]
        pairs = torch.logaddexp(log_weights[:, None], log_weights[None]) - np.log(2)
        return ((log_q[:, None] + log_q[None]).exp() * pairs).sum().unsqueeze(0)

    expected = exact_gradients(model, x, importance_weighted)
    torch.testing.assert_close(gradients, expected, rtol=1e-9, atol=1e-9)
    mean = (weights * values).sum().item()
    torch.testing.assert_close(mean, importance_weighted(model, x).item(), rtol=1e-10, atol=1e-10)
    elbo = enumerated(model).bound(x, noise[:1]).elbo.item()
    assert elbo < mean < model.log_likelihood(x).item()


@pytest.mark.parametrize("depth", [1, 2])
def test_wake_sleep_follows_the_elbo_with_the_model_and_its_dreams_with_the_posterior(depth):
    """The one summed over all that the noise can do, the other on average over what the model says of all states."""
    model, x = made(replicas=1, depth=depth, estimator="wake_sleep", **LINEAR), data(1)
    noise, weights = every_noise(model, x)
    many = copies(model, len(weights))
    gradients = mean_gradients(many, weights, many.objective(x, noise))
    expected = exact_gradients(enumerated(model), x)
    for name in gradients:
        if not name.startswith("encoders"):
            torch.testing.assert_close(gradients[name], expected[name], rtol=1e-10, atol=1e-10)
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=DIM + depth * LATENTS)))
    below = [states[:, :DIM], *states[:, DIM:].split(LATENTS, dim=1)]
    steps = list(itertools.pairwise(below))
    log_q = sum(encoder(a).log_prob(b) for encoder, (a, b) in zip(model.encoders, steps, strict=True))
    log_p = model.prior().log_prob(below[-1])
    log_p = log_p + sum(decoder(b).log_prob(a) for decoder, (a, b) in zip(model.decoders, steps, strict=True))
    encoders = list(model.encoders.parameters())
    expected = torch.autograd.grad((log_p.detach().exp() * log_q).sum(), encoders)
    many, rows = copies(model, 40), data(400)
    found = torch.autograd.grad(many.objective(rows, noises(many, 400)).sum(), list(many.encoders.parameters()))
    for exact, sampled in zip(expected, found, strict=True):
        assert ((sampled.mean(0) - exact).abs() < 4.5 * sampled.std(0) / 40**0.5).all()


@pytest.mark.parametrize("estimator", ["disarm", "reinforce", "vimco"])
def test_points_do_not_touch_each_other(estimator):
    """Objective and gradient of some points with three samples each are the means of those of every point alone."""
    model, x = made(replicas=1, depth=2, estimator=estimator, **LINEAR), data()
    noise = noises(model, 3 * POINTS)
    each = [(x[i : i + 1], noise[:, i::POINTS]) for i in range(POINTS)]
    together, apart = (
        torch.stack([model.objective(*part) for part in parts]).mean(0) for parts in ([(x, noise)], each)
    )
    torch.testing.assert_close(together, apart, rtol=1e-10, atol=1e-10)
    first, second = (mean_gradients(model, torch.ones(1), value) for value in (together, apart))
    torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-9)


def test_training_and_held_out_data_may_differ_between_replicas():
    model, x = made(depth=2, estimator="enumeration"), data()
    other = data(seed=7)
    both = model.bound(torch.stack([x, other]), noises(model, POINTS)).elbo
    apart = [model.bound(part, noises(model, POINTS)).elbo for part in (x, other)]
    torch.testing.assert_close(both, torch.stack([apart[0][0], apart[1][1]]), rtol=1e-12, atol=1e-12)
    likelihood = model.log_likelihood(torch.stack([x, other]))
    torch.testing.assert_close(likelihood[1], model.log_likelihood(other)[1], rtol=1e-12, atol=1e-12)


def test_too_many_latents_to_enumerate():
    with pytest.raises(
        ValueError, match="at most 12 latents, and directed layers × latent_dim is 14; lower one of them"
    ):
        MODELS["sbn"](latent_dim=7, depth=2, estimator="enumeration")


@pytest.mark.parametrize("estimator", ["reinforce", "vimco"])
def test_one_sample_is_too_few(estimator):
    model = made(estimator=estimator)
    with pytest.raises(ValueError, match="set samples: 2"):
        model.objective(data(), noises(model, POINTS))


def test_weights_are_those_that_the_model_has():
    settings = MODELS["sbn"](latent_dim=LATENTS, depth=2, **DEEP)
    model = build([settings], DIM, [torch.Generator()])
    matrices = sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))
    assert settings.multiplications(DIM) == matrices


@cache
def trained(samples=1, **settings):
    """The record of two replicas that learn halves of the data vector, on or off."""
    halves = np.random.default_rng(3).integers(0, 2, (60, 2)).repeat(DIM // 2, axis=1)
    points = np.abs(halves - (np.random.default_rng(4).random(halves.shape) < 0.1))
    phase = {"learning_rate": 0.3, "schedule": "cosine", "second_moment_decay": 0.99, "batch_size": "full"}
    training = TrainingSettings(
        phases=[{**phase, "steps": 200, "samples": samples}], evaluation={"every": 200}, precision="float64"
    )
    model = MODELS["sbn"](latent_dim=LATENTS, **LINEAR, **settings)
    return Pack([Replica(seed, model, training) for seed in range(2)], points, points).run().arrays()


def test_training_by_enumeration_closes_the_gap():
    record = trained(estimator="enumeration")
    assert (record["elbo_standard_error"] == 0).all()
    assert (np.abs(record["gap"][-1]) < 0.02).all()
    assert (np.abs(record["gap"][-1]) < 0.1 * np.abs(record["gap"]).max(0)).all()
    assert (record["elbo"] <= record["log_likelihood"]).all()
    np.testing.assert_allclose(record["directional_derivative"].sum(-1), record["gap"], atol=1e-9)


def test_a_fixed_prior_keeps_its_gap():
    record = trained(estimator="enumeration", prior="fixed")
    assert (np.abs(record["gap"][-1]) > 0.1).all()


@pytest.mark.parametrize(("estimator", "samples"), [("disarm", 1), ("reinforce", 4), ("vimco", 4), ("wake_sleep", 4)])
def test_training_by_samples_reaches_what_enumeration_does(estimator, samples):
    reached = trained(samples, estimator=estimator)["log_likelihood"]
    assert (reached[-1] > reached[0] + 0.3).all()
    assert reached[-1].max() > trained(estimator="enumeration")["log_likelihood"][-1].max() - 0.05
