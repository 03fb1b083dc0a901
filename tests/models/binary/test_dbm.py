"""Deep Boltzmann machines against all states of all layers, written out layer by layer, and through Pack."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from entropy_sums.certificates.certificate import certify
from entropy_sums.distributions import Bernoulli
from entropy_sums.estimators import all_states, log_probs
from entropy_sums.models import MODELS, build
from entropy_sums.models.binary import dbm as module
from entropy_sums.models.binary import machine as sides
from entropy_sums.models.binary.draws import Draws
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings
from machines import scattered

REPLICAS, POINTS, DIM, UNITS = 3, 7, 4, 2
SEEDS = st.integers(0, 10_000)
DEPTHS = [2, 3, 4]
SETTLED = {"tolerance": 1e-14, "mean_field_steps": 10_000}


def made(depth=2, seed=0, scale=1.0, replicas=REPLICAS, dim=DIM, **settings):
    """A machine with random parameters and offsets, and binary data."""
    source = torch.Generator().manual_seed(seed)
    chosen = {"latent_dim": UNITS, "centred": False, **SETTLED, **settings}
    machine = build([MODELS["dbm"](depth=depth, **chosen)] * replicas, dim, [source] * replicas)
    scattered(machine, source, scale)
    return machine, torch.randn(POINTS, dim, generator=source).gt(0).to(torch.get_default_dtype())


def noise(replicas=REPLICAS, points=POINTS, seed=0):
    return torch.randn(replicas, points, 2, generator=torch.Generator().manual_seed(seed))


def by_layer(even, odd, depth):
    """What belongs to the units of even and of odd layers, layer by layer from the data up."""
    evens = even.split([even.shape[-1] - depth // 2 * UNITS] + [UNITS] * (depth // 2), dim=-1)
    odds = odd.split(UNITS, dim=-1)
    return [(odds if layer % 2 else evens)[layer // 2] for layer in range(depth + 1)]


def exponents(machine, v, h):
    """−E(v, h) by the formula, `(replica, v, h)`, h being all hidden layers from the data up."""
    depth = len(machine.hidden.weights)
    biases = by_layer(machine.visible.bias, machine.hidden.bias, depth)
    offsets = by_layer(machine.visible_offset, machine.hidden_offset, depth)
    layers = [v, *h.split(UNITS, dim=-1)]
    centred = [states - offset for states, offset in zip(layers, offsets, strict=True)]
    on_data = (v * biases[0]).sum(-1)[..., None] + centred[0] @ machine.hidden.weights[0] @ centred[1].mT
    hidden = sum(
        ((states if layer % 2 == 0 else around) * bias).sum(-1)
        for layer, (states, around, bias) in enumerate(zip(layers, centred, biases, strict=True))
        if layer
    )
    pairs = zip(pairwise(centred[1:]), machine.hidden.weights[1:], strict=True)
    between = [((a @ weight) * b).sum(-1) for (a, b), weight in pairs]
    return on_data + (hidden + sum(between))[:, None]


class Enumerated:
    """What a machine says, from all states of its layers; q is a product of Bernoullis with these logits."""

    def __init__(self, machine, x):
        self.machine, self.x, depth = machine, x, len(machine.hidden.weights)
        self.v, self.h = all_states(x.shape[-1], x), all_states(depth * UNITS, x)
        joint = exponents(machine, self.v, self.h)
        self.log_z = joint.flatten(1).logsumexp(1)
        self.log_p = joint - self.log_z[:, None, None]
        self.on_data = exponents(machine, x, self.h)
        self.exponent = (self.log_p.exp() * joint).sum((1, 2))
        self.entropy = -(self.log_p.exp() * self.log_p).sum((1, 2))
        self.log_likelihood = self.on_data.logsumexp(-1).mean(1) - self.log_z

    def mean_exponent(self, logits):
        return (log_probs(logits, self.h).exp() * self.on_data).sum(-1).mean(1)

    def elbo(self, logits):
        log_q = log_probs(logits, self.h)
        return (log_q.exp() * (self.on_data - log_q)).sum(-1).mean(1) - self.log_z


def gradients(machine, value):
    return torch.autograd.grad(value.sum(), list(machine.parameters()), retain_graph=True)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def fixed_point(machine, x):
    """Logits of mean-field posteriors, updated unit by unit, differentiable."""
    depth = len(machine.hidden.weights)
    biases = by_layer(machine.visible.bias, machine.hidden.bias, depth)
    offsets = by_layer(machine.visible_offset, machine.hidden_offset, depth)
    weights = machine.hidden.weights
    means = [x.expand(REPLICAS, -1, -1)] + [bias.sigmoid().expand(-1, len(x), -1) for bias in biases[1:]]
    logits = list(biases)
    for _ in range(400):
        for layer in [*range(1, depth + 1, 2), *range(2, depth + 1, 2)]:
            logits[layer] = biases[layer] + (means[layer - 1] - offsets[layer - 1]) @ weights[layer - 1]
            if layer < depth:
                logits[layer] = logits[layer] + (means[layer + 1] - offsets[layer + 1]) @ weights[layer].mT
            means[layer] = logits[layer].sigmoid()
    return torch.cat(logits[1:], dim=-1)


@pytest.mark.usefixtures("float64")
@settings(max_examples=40)
@given(seed=SEEDS, centred=st.booleans(), depth=st.sampled_from(DEPTHS), steps=st.sampled_from([1, 10_000]))
def test_bound_against_all_states(seed, centred, depth, steps):
    """At the fixed point of q and before it."""
    machine, x = made(depth, seed, dim=3, centred=centred, mean_field_steps=steps)
    found, truth, q = machine.bound(x, noise()), Enumerated(machine, x), machine.posterior(x)
    close(found.elbo, truth.elbo(q.logits))
    close(found.factors["joint"].entropy, truth.entropy)
    close(found.gap, truth.mean_exponent(q.logits) - truth.exponent)
    close(found.entropy_sum, found.posterior_entropy - truth.entropy)
    close(found.posterior_entropy, machine.latent_entropy(x).sum(-1))
    close(machine.log_likelihood(x), truth.log_likelihood)
    assert (found.elbo < truth.log_likelihood).all()


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_gradient_is_that_of_the_enumerated_bound_through_its_fixed_point(float64, depth, centred):
    machine, x = made(depth, scale=0.7, centred=centred, gradient="exact", dim=3)
    settled = fixed_point(machine, x)
    close(machine.posterior(x).logits, settled)
    elbo = Enumerated(machine, x).elbo(settled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "OFFSET_RATE", 0.0)
        objective = gradients(machine, machine.objective(x, noise()))
    for exact, ours, trained in zip(
        gradients(machine, elbo), gradients(machine, machine.bound(x, noise()).elbo), objective, strict=True
    ):
        close(ours, exact)
        close(trained, exact)


@pytest.mark.usefixtures("float64")
@settings(max_examples=40)
@given(seed=SEEDS, centred=st.booleans(), depth=st.sampled_from(DEPTHS))
def test_no_update_of_the_posterior_lowers_the_elbo(seed, centred, depth):
    machine, x = made(depth, seed, scale=2.0, dim=3, centred=centred)
    truth, elbos = Enumerated(machine, x), []
    for steps in (1, 2, 3, 8, 10_000):
        machine.mean_field_steps = steps
        logits = machine.posterior(x).logits
        elbos.append(truth.elbo(logits))
        # Odd layers are at their best given the even ones, whatever these are
        for layer in range(0, depth, 2):
            nudged = logits.clone()
            nudged[..., layer * UNITS : (layer + 1) * UNITS] += 0.1
            assert (truth.elbo(nudged) < elbos[-1] + 1e-12).all()
            assert (truth.elbo(nudged) < elbos[-1] - 1e-9).any()
    assert (torch.stack(elbos).diff(dim=0) > -1e-12).all()


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_posterior_ends_where_it_has_settled(float64, depth):
    """The derivative of the enumerated elbo by q is as small as the tolerance; with few steps it is not."""
    slopes = {}
    for steps in (1, 100_000):
        machine, x = made(depth, tolerance=1e-9, mean_field_steps=steps)
        logits = machine.posterior(x).logits.requires_grad_()
        elbo = Enumerated(machine, x).elbo(logits)
        slopes[steps] = torch.autograd.grad(elbo.sum(), logits)[0].abs().max()
    assert slopes[100_000] < 1e-8 < 1e-3 < slopes[1]
    loose, x = made(depth, tolerance=1e-2)
    tight, _ = made(depth)
    assert 0 < (loose.posterior(x).mean - tight.posterior(x).mean).abs().max() < 0.1


@pytest.mark.usefixtures("float64")
@settings(max_examples=40)
@given(seed=SEEDS, centred=st.booleans(), depth=st.sampled_from(DEPTHS), steps=st.sampled_from([1, 10_000]))
@pytest.mark.parametrize("annealed", [False, True])
def test_gap_is_the_directional_derivative(annealed, seed, centred, depth, steps):
    """θ·∇F at any q, settled or not, and whatever log Z is estimated with."""
    machine, x = made(depth, seed, 0.6, centred=centred, mean_field_steps=steps, temperatures=3, chains=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "ENUMERABLE", 0 if annealed else 16)
        bound = machine.bound(x, noise())
    products = [
        (p * g).flatten(1).sum(1) for p, g in zip(machine.parameters(), gradients(machine, bound.elbo), strict=True)
    ]
    close(bound.gap, torch.stack(products).sum(0))
    assert (bound.gap.abs() > 1e-6).all()


def binary(dim=DIM, seed=3):
    return torch.randn(60, dim, generator=torch.Generator().manual_seed(seed)).gt(0).double()


@pytest.mark.parametrize("annealed", [False, True])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("depth", [2, 3])
def test_certificate(float64, monkeypatch, depth, centred, annealed):
    machine, _ = made(depth, scale=0.5, replicas=2, dim=6, centred=centred, temperatures=3, chains=10)
    monkeypatch.setattr(sides, "ENUMERABLE", 0 if annealed else 16)
    certificate = certify(machine, binary(6), trials=2)
    assert certificate.residual() < 1e-8
    weights = {f"1 · hidden.weights.{layer}" for layer in range(depth)}
    assert set(certificate.direction_of("joint").split(", ")) == {"1 · visible.bias", "1 · hidden.bias", *weights}


@pytest.mark.parametrize("fixed", ["visible.bias", "hidden.bias", "hidden.weights.0", "hidden.weights.1"])
def test_a_machine_with_a_fixed_part_has_no_certificate(float64, fixed):
    machine, _ = made(scale=0.5, replicas=2, dim=6)
    machine.get_parameter(fixed).requires_grad_(False)
    certificate = certify(machine, binary(6), trials=2)
    assert not certificate.holds("joint")
    assert certificate.residual() > 1e-4


@pytest.mark.parametrize("depth", [2, 3])
def test_samples_follow_the_enumerated_distribution(float64, depth):
    """Of even layers, of the data among them; those of too few steps do not, so the test can tell."""
    pvalues = {}
    for steps in (1, 60):
        machine, x = made(depth, dim=3, replicas=1, gibbs_steps=steps)
        states = machine.gibbs(torch.ones(1, 8000, machine.hidden_offset.shape[-1]), Draws(noise(1, seed=1)))[0]
        places = 2.0 ** torch.arange(3 + UNITS)
        seen = torch.bincount((states @ places).long(), minlength=2 ** (3 + UNITS))
        p = Enumerated(machine, x).log_p[0].detach().exp()
        second = (all_states(depth * UNITS, x)[:, UNITS : 2 * UNITS] @ places[3:]).long()
        first = (all_states(3, x) @ places[:3]).long()
        expected = torch.zeros(2 ** (3 + UNITS))
        expected.index_put_((first[:, None] + second,), p, accumulate=True)
        pvalues[steps] = chisquare(seen.numpy(), 8000 * expected.numpy()).pvalue
    assert pvalues[1] < 1e-6
    assert pvalues[60] > 1e-3


@pytest.mark.parametrize("depth", [2, 3])
def test_offsets_leave_the_distribution_as_it_is(float64, depth):
    machine, x = made(depth, centred=True)
    before, posterior = machine.log_likelihood(x), machine.posterior(x)
    for _ in range(5):
        machine._follow(machine.completed(x))
    close(machine.log_likelihood(x), before)
    close(machine.posterior(x).mean, posterior.mean)


@pytest.mark.parametrize(
    ("depth", "gradient", "steps"),
    [(2, "cd", 25), (3, "cd", 25), (2, "pcd", 25), (3, "pcd", 25), (3, "parallel_tempering", 5)],
)
def test_the_gradient_of_long_chains_is_the_exact_one(float64, depth, gradient, steps):
    machine, x = made(depth, scale=0.7, replicas=1, gradient=gradient, gibbs_steps=steps, chains=200)
    exact = torch.cat([g.flatten() for g in gradients(machine, machine.bound(x, noise(1)).elbo)])
    many = x.repeat(30, 1)
    found = torch.stack(
        [
            torch.cat([g.flatten() for g in gradients(machine, machine.objective(many, noise(1, seed=u)))])
            for u in range(60)
        ]
    )
    standard_error = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - exact).abs() < 4.5 * standard_error).all()


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("depth", [2, 3])
def test_annealing_comes_near_what_is_enumerated(float64, monkeypatch, depth, centred):
    options = {"scale": 0.6, "chains": 2000, "centred": centred, "temperatures": 60}
    (machine, x), (same, _) = made(depth, **options), made(depth, **options)
    bound, log_z = machine.bound(x, noise()), machine.partition(noise()).log_z
    for estimate in machine.bracket(noise(seed=5), 60):
        torch.testing.assert_close(estimate.value, log_z, atol=0.05, rtol=0)
    close(machine.mean(machine.unnormalised(x, noise())) - log_z, bound.elbo)
    monkeypatch.setattr(sides, "ENUMERABLE", 0)
    estimate = same.bound(x, noise())
    assert not estimate.elbo.equal(bound.elbo)
    torch.testing.assert_close(estimate.elbo, bound.elbo, atol=0.03, rtol=0)
    torch.testing.assert_close(estimate.gap, bound.gap, atol=0.1, rtol=0)
    assert same.log_likelihood(x) is None


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("depth", [2, 3])
def test_importance_weights_have_the_likelihood_as_their_mean(float64, depth, centred):
    """Σ_z q(z given x) w(z) = p(x) over all states z of even layers: noise of ±10 takes every one in turn."""
    machine, x = made(depth, centred=centred)
    z = all_states(UNITS, x)
    rows = (10 - 20 * z).repeat_interleave(len(x), 0).expand(REPLICAS, -1, -1)
    weights = machine.log_weights(x, rows).unflatten(1, (len(z), len(x)))
    q = machine.posterior(x).logits.split(UNITS, dim=-1)[1]
    log_q = torch.stack([Bernoulli(q).log_prob(state) for state in z], dim=1)
    close(machine.mean((weights + log_q).logsumexp(1)), machine.log_likelihood(x))


def test_likelihoods_of_large_machines_are_no_sums():
    machine, x = made(latent_dim=9, replicas=1, tolerance=1e-4)
    assert machine.log_likelihood(x) is None
    assert machine.bound(x, noise(1)).elbo.isfinite().all()


@pytest.mark.parametrize("points", [1, 3])
def test_the_likelihood_is_the_same_in_parts(float64, monkeypatch, points):
    machine, x = made(3)
    whole = machine.log_likelihood(x)
    monkeypatch.setattr(module, "ENTRIES_AT_ONCE", points * REPLICAS * 4 * 2 * UNITS)
    close(machine.log_likelihood(x), whole)


def test_exact_gradients_of_large_machines_are_refused():
    for depth, latents, (even, odd) in ((2, 17, (37, 17)), (3, 9, (29, 18))):
        settings = MODELS["dbm"](depth=depth, latent_dim=latents, gradient="exact")
        with pytest.raises(ValueError, match=f"latent_dim is {latents}, and layers have {even} and {odd} units"):
            build([settings], 20, [torch.Generator()])


def test_a_forecast_counts_the_couplings_of_both_sides():
    for depth, sides_of in ((2, (30 + 5, 5)), (3, (30 + 5, 10))):
        settings = MODELS["dbm"](depth=depth, latent_dim=5)
        machine = build([settings], 30, [torch.Generator()])
        assert machine.hidden.weight.shape[1:] == sides_of
        assert settings.multiplications(30) - settings.multiplications(0) == 2 * 30 * sides_of[1]


DATA = (np.random.default_rng(0).random((60, 6)) < 0.4).astype(np.float32)
PHASES = [{"steps": 40, "learning_rate": 0.1, "batch_size": 10}]
TRAINING = TrainingSettings(phases=PHASES, evaluation={"every": 20, "samples": 2, "certificate": False})


@pytest.mark.parametrize("gradient", ["exact", "cd", "pcd"])
@pytest.mark.parametrize("depth", [2, 3])
def test_training_climbs_and_the_elbo_stays_below_the_likelihood(depth, gradient):
    settings = MODELS["dbm"](depth=depth, gradient=gradient, latent_dim=3, chains=20)
    pack = Pack([Replica(seed, settings, TRAINING) for seed in range(2)], DATA[:40], DATA[40:])
    arrays = pack.run().arrays()
    assert (arrays["elbo"][-1] > arrays["elbo"][0] + 0.1).all()
    assert (arrays["elbo"] < arrays["log_likelihood"] + 1e-5).all()
    assert arrays["latent_entropy"].shape[1:] == (2, 3 * depth)
    np.testing.assert_allclose(arrays["latent_entropy"].sum(-1), arrays["posterior_entropy"], rtol=1e-4)


@pytest.mark.parametrize("change", [{"depth": 3}, {"tolerance": 0.3}, {"mean_field_steps": 1}], ids=str)
def test_every_setting_changes_the_objective(float64, change):
    (plain, x), (other, _) = made(), made(**{"depth": 2, **change})
    assert ((plain.bound(x, noise()).elbo - other.bound(x, noise()).elbo).abs() > 1e-6).any()


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("depth", [2, 3])
def test_pretraining_goes_from_layer_to_layer(float64, monkeypatch, depth, centred):
    """A layer with two neighbours counts the one that is there twice; nothing but the pair and its biases learns."""
    monkeypatch.setattr(sides, "OFFSET_RATE", 0.0)
    machine, x = made(depth, pretraining_steps=2, centred=centred)
    offsets = by_layer(machine.visible_offset, machine.hidden_offset, depth)
    biases = by_layer(machine.visible.bias.detach().clone(), machine.hidden.bias.detach().clone(), depth)
    weights, below = machine.hidden.weights, x
    for lower in range(depth):
        twice = 2 if lower + 1 < depth else 1
        logits = biases[lower + 1] + twice * (below - offsets[lower]) @ weights[lower]
        close(machine._given(lower, below, lower + 1), logits)
        back = (logits.sigmoid() - offsets[lower + 1]) @ weights[lower].mT
        close(machine._given(lower + 1, logits.sigmoid(), lower), biases[lower] + (2 if lower else 1) * back)
        draws, around = Draws(noise()), offsets[lower : lower + 2]
        dreamt = draws.bernoulli(machine._given(lower + 1, draws.bernoulli(logits), lower))
        pairs = (below, logits), (dreamt, machine._given(lower, dreamt, lower + 1))
        data, dream = ((v - around[0]).mT @ (given.sigmoid() - around[1]) / POINTS for v, given in pairs)
        for _ in range(2):
            machine.zero_grad()
            machine.objective(x, noise()).sum().backward()
            close(weights[lower].grad, (data - dream).detach())
            learning = [number for number, weight in enumerate(weights) if weight.grad.abs().max() > 1e-12]
            assert learning == [lower]
            moved = by_layer(machine.visible.bias.grad, machine.hidden.bias.grad, depth)
            assert [layer for layer, g in enumerate(moved) if g.abs().max() > 1e-12] == [lower, lower + 1]
        below = logits.sigmoid()
    machine.zero_grad()
    machine.objective(x, noise()).sum().backward()
    assert all(parameter.grad.abs().max() > 1e-12 for parameter in machine.parameters())


@pytest.mark.parametrize("centred", [False, True])
def test_pretraining_leaves_other_layers_as_they_are_in_single_precision(centred):
    """Adam makes whole steps of whatever rounding leaves, so that nothing may be left."""
    machine, x = made(3, pretraining_steps=1, centred=centred, dim=40)
    x = x.repeat(15, 1)[:100].expand(REPLICAS, -1, -1)
    for lower in range(3):
        machine.zero_grad()
        machine.objective(x, noise(points=100)).sum().backward()
        assert [number for number, weight in enumerate(machine.hidden.weights) if weight.grad.any()] == [lower]
        moved = by_layer(machine.visible.bias.grad, machine.hidden.bias.grad, 3)
        assert [layer for layer, gradient in enumerate(moved) if gradient.any()] == [lower, lower + 1]


def test_pretrained_machines_go_on_from_a_checkpoint(tmp_path):
    settings = MODELS["dbm"](depth=2, latent_dim=3, chains=9, pretraining_steps=8)
    replicas, options = [Replica(0, settings, TRAINING)], {"identity": "job", "checkpoint": tmp_path / "job.checkpoint"}
    expected = Pack(replicas, DATA[:40], DATA[40:]).run().arrays()
    with pytest.raises(Interrupted):
        Pack(replicas, DATA[:40], DATA[40:], **options).run(lambda pack: pack.stop() if pack.step == 4 else None)
    resumed = Pack(replicas, DATA[:40], DATA[40:], **options).run().arrays()
    np.testing.assert_array_equal(resumed["elbo"], expected["elbo"])


def test_a_replica_that_is_not_finite_leaves_the_others_alone(float64):
    (machine, x), (sound, _) = made(), made()
    with torch.no_grad():
        machine.visible.bias[1, 0, -1] = math.nan
    found, expected = (m.posterior(x).mean for m in (machine, sound))
    assert found[1].isnan().any()
    close(found[[0, 2]], expected[[0, 2]])


def test_posterior_layers_are_in_order(float64):
    """From the data up: each depends on the data through the one below."""
    machine, x = made(3)
    with torch.no_grad():
        machine.hidden.weights[1].zero_()
    logits = machine.posterior(x).logits.unflatten(-1, (3, UNITS))
    spread = logits.std(1).amax((0, 2))
    assert spread[0] > 0.1
    assert (spread[1:] < 1e-12).all()
