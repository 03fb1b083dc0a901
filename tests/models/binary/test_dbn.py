"""Deep belief networks against sums over all states, in float64 to 1e-10, their samples against the distribution."""

import itertools
import math
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy.special import expit, logsumexp
from scipy.stats import bernoulli, chisquare

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
from entropy_sums.models.abilities import Annealed
from entropy_sums.models.binary import machine as machines
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.model import copies
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings
from interruption import interrupted, same_end

pytestmark = pytest.mark.usefixtures("float64")

EXACT = {"estimator": "enumeration", "gradient": "exact"}


def made(seed=0, offsets=True, **settings):
    """A network with random parameters, and with offsets of its machine off their start."""
    model = random_network("dbn", seed=seed, **settings)
    machine = model.prior.machine
    if offsets and machine.centred:
        source = torch.Generator().manual_seed(seed + 1)
        for offset in (machine.visible_offset, machine.hidden_offset):
            offset.copy_(torch.rand(offset.shape, generator=source))
    return model


def enumerated(model):
    machine = model.prior.machine
    chains = machine.chains.shape[1]
    return twin(model, "dbn", depth=model.depth + 1, centred=machine.centred, chains=chains, **EXACT)


def every_state(units):
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def exponent(model, replica, below, above):
    """−E by the formula, and the log odds of the units above."""
    machine = model.prior.machine
    named = {**dict(machine.named_parameters()), **dict(machine.named_buffers())}
    b, c, w, mu, lam = (
        named[name][replica].detach().numpy()
        for name in ("visible.bias", "hidden.bias", "hidden.weight", "visible_offset", "hidden_offset")
    )
    odds = (below - mu) @ w + c
    return below @ b[0] + ((above - lam) * odds).sum(-1), odds


def by_hand(model, x, replica):
    """ELBO, posterior entropy, cross-entropy and entropy per factor, log-likelihood: sums over all latents at once."""
    layers = model.depth + 1
    states = every_state(layers * LATENTS).reshape(-1, layers, LATENTS)
    pairs = every_state(2 * LATENTS).reshape(-1, 2, LATENTS)
    exponents = exponent(model, replica, pairs[:, 0], pairs[:, 1])[0]
    log_p = exponents - logsumexp(exponents)
    joint_entropy = -(np.exp(log_p) * log_p).sum()
    result = {"elbo": 0.0, "log_likelihood": 0.0, "posterior_entropy": 0.0}
    cross, entropy = np.zeros(layers), np.zeros(layers)
    for point in x.numpy():
        values = [np.broadcast_to(point, (len(states), DIM)), *(states[:, layer] for layer in range(layers))]
        ps = [probabilities(model, "decoders", layer, replica, values[layer + 1]) for layer in range(model.depth)]
        qs = [probabilities(model, "encoders", layer, replica, values[layer]) for layer in range(model.depth)]
        together, odds = exponent(model, replica, values[-2], values[-1])
        qs.append(expit(odds))
        log_q = sum(log_pmf(value, q) for value, q in zip(values[1:], qs, strict=True))
        log_ps = [log_pmf(value, p) for value, p in zip(values, ps, strict=False)]
        log_ps = np.array([*log_ps, together - logsumexp(exponents)])
        weight = np.exp(log_q) / len(x)
        result["elbo"] += weight @ (log_ps.sum(0) - log_q)
        result["posterior_entropy"] -= weight @ log_q
        result["log_likelihood"] += logsumexp(log_ps.sum(0)) / len(x)
        cross -= log_ps @ weight
        directed = [weight @ bernoulli.entropy(p).sum(-1) for p in ps]
        entropy += np.array([*directed, joint_entropy / len(x)])
    return result | {"cross_entropy": cross[::-1], "entropy": entropy[::-1]}


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("depth", [2, 3])
def test_enumeration_against_sums_by_hand(depth, centred):
    model, x = made(depth=depth, centred=centred, encoder_depth=1, encoder_width=3, **EXACT), data()
    bound, likelihood = model.bound(x, noises(model, POINTS)), model.log_likelihood(x)
    assert tuple(bound.factors) == model.factors == ("joint", *["layer_1"] * (depth - 2), "observation")
    assert (bound.elbo < likelihood).all()
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


def test_the_likelihood_sums_to_one_over_all_data():
    model = made(depth=3)
    one = sum(model.log_likelihood(x.unsqueeze(0)).exp() for x in torch.tensor(every_state(DIM)))
    torch.testing.assert_close(one, torch.ones(2), rtol=1e-12, atol=1e-12)


def derivative(model, elbo, factor):
    """θ·∇F of the parameters that are natural ones of the factor, `(replica,)`."""
    layers = {"joint": "prior.machine", "observation": "decoders.0.network.1", "layer_1": "decoders.1.network.1"}
    parameters = [p for name, p in model.named_parameters() if name.startswith(layers[factor])]
    gradients = torch.autograd.grad(elbo.sum(), parameters, retain_graph=True)
    return sum((g * p).flatten(1).sum(1) for g, p in zip(gradients, parameters, strict=True))


@given(seed=st.integers(0, 10_000), centred=st.booleans())
@examples(max_examples=20)
@pytest.mark.parametrize("annealed", [False, True])
@pytest.mark.parametrize("settings", [EXACT, {"estimator": "disarm"}], ids=["enumeration", "disarm"])
def test_every_gap_is_the_derivative_along_its_natural_parameters(settings, annealed, seed, centred):
    """With an estimate of log Z and of what the machine expects, too: the identity needs no exact ones."""
    model, x = made(seed=seed, depth=3, centred=centred, temperatures=3, chains=5, **settings), data(seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machines, "ENUMERABLE", 0 if annealed else 16)
        bound = model.bound(x, noises(model, 3 * POINTS, seed))
        for name, factor in bound.factors.items():
            torch.testing.assert_close(factor.gap, derivative(model, bound.elbo, name), rtol=1e-10, atol=1e-10)
    joint = model.prior.machine
    model_term = joint.partition(noises(model, POINTS)).exponent
    if not annealed:
        expected = -bound.factors["joint"].cross_entropy + joint.partition(noises(model, 1)).log_z
        torch.testing.assert_close(bound.factors["joint"].gap, expected - model_term, rtol=1e-9, atol=1e-9)


def certified(settings, frozen=None):
    """Data and layers need more states than there are candidates, or any function of the states is in their span."""
    model = made(dim=8, depth=3, latent_dim=4, **LINEAR, **settings)
    if frozen:
        model.get_parameter(frozen).requires_grad_(False)
    return certify(model, data(60, dim=8), trials=2)


LAST = "1 · decoders.{0}.network.1.weight, 1 · decoders.{0}.network.1.bias"
JOINT = {"visible.bias", "hidden.weight", "hidden.bias"}


@pytest.mark.parametrize("settings", [{**EXACT}, {"centred": False}], ids=["enumeration", "disarm"])
def test_every_factor_has_the_direction_of_the_theorem(settings):
    certificate = certified(settings)
    assert certificate.residual() < 1e-9
    assert set(certificate.direction_of("joint").split(", ")) == {f"1 · prior.machine.{name}" for name in JOINT}
    assert [certificate.direction_of(name) for name in ("layer_1", "observation")] == [LAST.format(1), LAST.format(0)]


@pytest.mark.parametrize("frozen", sorted(JOINT))
def test_a_machine_that_does_not_learn_all_has_no_certificate(frozen):
    certificate = certified({}, f"prior.machine.{frozen}")
    assert [name for name in certificate.factors[:-1] if not certificate.holds(name)] == ["joint"]
    assert certificate.residual("joint") > 1e-4
    assert not certificate.holds()


def test_the_recorded_bound_and_its_gradient_are_unbiased():
    """Summed over all that the noise can do, against enumeration; so is the gradient that training takes."""
    for centred in (False, True):
        model, x = made(replicas=1, depth=3, gradient="exact", centred=centred, **LINEAR), data(1)
        exact = enumerated(model)
        noise, weights = every_noise(model, x)
        many = copies(model, len(weights))
        found, expected = many.bound(x, noise), exact.bound(x, noise[:1])
        for name in ("elbo", "entropy_sum", "posterior_entropy"):
            mean = (weights * getattr(found, name)).sum(0, keepdim=True)
            torch.testing.assert_close(mean, getattr(expected, name), rtol=1e-10, atol=1e-10)
        gradients = exact_gradients(exact, x)
        torch.testing.assert_close(mean_gradients(many, weights, found.elbo), gradients, rtol=1e-10, atol=1e-10)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(machines, "OFFSET_RATE", 0.0)  # offsets stay, so that parameters do
            trained = mean_gradients(many, weights, many.objective(x, noise))
        torch.testing.assert_close(trained, gradients, rtol=1e-10, atol=1e-10)


def test_reinforce_is_unbiased():
    model, x = made(replicas=1, depth=3, estimator="reinforce", gradient="exact", centred=False, **LINEAR), data(1)
    noise, weights = every_pair(model, x)
    many = copies(model, len(weights))
    gradients = mean_gradients(many, weights, many.objective(x, noise))
    torch.testing.assert_close(gradients, exact_gradients(enumerated(model), x), rtol=1e-9, atol=1e-9)


def test_vimco_is_unbiased_for_the_importance_weighted_bound():
    """Against autograd of the sum over all pairs of states, which lies between ELBO and likelihood."""
    model, x = made(replicas=1, depth=2, estimator="vimco", gradient="exact", centred=False, **LINEAR), data(1)
    noise, weights = every_pair(model, x)
    many = copies(model, len(weights))
    values = many.objective(x, noise)
    gradients = mean_gradients(many, weights, values)

    def importance_weighted(one, x):
        z = torch.tensor(every_state(LATENTS))
        log_q = one.encoders[0](x).log_prob(z)[0]
        log_p = one.prior.marginal(z.unsqueeze(0)).log_softmax(1)[0] + one.decoders[0](z).log_prob(x)[0]
        pairs = torch.logaddexp((log_p - log_q)[:, None], log_p - log_q) - math.log(2)
        return ((log_q[:, None] + log_q).exp() * pairs).sum().unsqueeze(0)

    torch.testing.assert_close(gradients, exact_gradients(model, x, importance_weighted), rtol=1e-9, atol=1e-9)
    mean = (weights * values).sum()
    torch.testing.assert_close(mean, importance_weighted(model, x)[0], rtol=1e-10, atol=1e-10)
    assert enumerated(model).bound(x, noise[:1]).elbo < mean < model.log_likelihood(x)


def test_importance_weights_have_the_likelihood_as_their_mean():
    """Over all states of the directed layers, once with log Z and once weighted by q."""
    model, x = made(replicas=1, depth=3, **LINEAR), data(1)
    noise, weights = every_pair(model, x)
    mean = (weights * copies(model, len(weights)).log_weights(x, noise).exp().mean(1)).sum()
    torch.testing.assert_close(mean, model.log_likelihood(x).exp()[0], rtol=1e-10, atol=1e-10)


def test_annealing_brackets_the_elbo():
    """What the elbo is without log Z, and log Z of the machine, which is that of all its states."""
    model, x = made(depth=3, chains=400), data()
    noise = noises(model, POINTS)
    assert isinstance(model, Annealed)
    exact = model.prior.log_z(noise)
    elbo = model.mean(model.unnormalised(x, noise)) - exact
    torch.testing.assert_close(elbo, model.bound(x, noise).elbo, rtol=1e-10, atol=1e-10)
    for estimate in model.bracket(noises(model, 1), 100):
        torch.testing.assert_close(estimate.value, exact, atol=0.05, rtol=0)
    assert not isinstance(made(**EXACT), Annealed)


@pytest.mark.parametrize("gradient", ["exact", "cd", "pcd", "parallel_tempering"])
def test_offsets_that_move_leave_the_gradient_of_the_directed_layers_as_it_is(gradient):
    """And what the machine learns is what it would learn from the same samples as data."""
    model, x = made(replicas=1, depth=2, gradient=gradient, chains=9, **LINEAR), data()
    noise = noises(model, POINTS)
    same = made(replicas=1, depth=2, gradient=gradient, chains=9, **LINEAR)
    z = same.sample(x, noise).climb.states[-1]
    apart = mean_gradients(same.prior.machine, torch.ones(1), same.prior.machine.objective(z, noise))
    elbo = mean_gradients(model, torch.ones(1), model.bound(x, noise).elbo)
    trained = mean_gradients(model, torch.ones(1), model.objective(x, noise))
    for name, gradient_of_training in trained.items():
        machine = name.removeprefix("prior.machine.")
        expected = apart[machine] if name.startswith("prior") else elbo[name]
        torch.testing.assert_close(gradient_of_training, expected, rtol=1e-10, atol=1e-10)
    for buffer in model.evolving:
        assert model.get_buffer(buffer).equal(same.get_buffer(buffer))
    assert not model.prior.machine.visible_offset.equal(made(replicas=1, depth=2).prior.machine.visible_offset)


def test_the_gradient_of_wake_sleep_is_that_of_the_elbo_for_the_model():
    model, x = made(replicas=1, depth=3, estimator="wake_sleep", gradient="exact", centred=False, **LINEAR), data(1)
    noise, weights = every_noise(model, x)
    many = copies(model, len(weights))
    gradients = mean_gradients(many, weights, many.objective(x, noise))
    expected = exact_gradients(enumerated(model), x)
    for name, gradient in gradients.items():
        close = torch.allclose(gradient, expected[name], rtol=1e-10, atol=1e-10)
        assert close != name.startswith("encoders"), name


def test_the_posterior_of_wake_sleep_learns_from_the_distribution_of_the_model():
    """Its gradient is on average that of log q over all states of the model, after long chains."""
    settings = {"replicas": 1, "depth": 2, "gibbs_steps": 20, "estimator": "wake_sleep", **LINEAR}
    model = made(**settings)
    x, z = (torch.tensor(every_state(units)) for units in (DIM, LATENTS))
    log_p = model.prior.marginal(z.unsqueeze(0)).log_softmax(1)[0] + model.decoders[0](z).log_prob(x[:, None])
    encoder = list(model.encoders.parameters())
    mean = (log_p.detach().exp() * model.encoders[0](x).log_prob(z[:, None, None])[..., 0, :].mT).sum()
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(mean, encoder)])
    many, rows = copies(model, 40), x.repeat(20, 1)
    gradients = torch.autograd.grad(many.objective(rows, noises(many, len(rows))).sum(), many.encoders.parameters())
    found = torch.cat([gradient.flatten(1) for gradient in gradients], dim=1)
    standard_error = found.std(0) / math.sqrt(40)
    assert ((found.mean(0) - expected).abs() < 4.5 * standard_error).all()


def test_samples_follow_the_enumerated_distribution():
    """From the machine down; and those of too few Gibbs steps do not, so the test can tell."""
    pvalues = {}
    for steps in (1, 40):
        model = made(replicas=1, depth=3, gibbs_steps=steps, offsets=False)
        with torch.no_grad():
            # Layers that all agree, as where the chains begin, or all disagree
            model.prior.machine.hidden.weight.fill_(2.0)
            for decoder in model.decoders:
                decoder.network[1].weight.fill_(2.0)
        draws = Draws(noises(model, 1))
        z = model.prior.dream(torch.ones(1, 8000, LATENTS), draws)
        x, *hidden = model.descend(z, draws)
        assert [state.shape[-1] for state in hidden] == [LATENTS] * 2
        seen = torch.bincount((x[0] @ 2.0 ** torch.arange(DIM)).long(), minlength=2**DIM)
        states = torch.tensor(every_state(DIM)).flip(1)
        expected = torch.stack([model.log_likelihood(state.unsqueeze(0)).exp()[0] for state in states]).detach()
        pvalues[steps] = chisquare(seen.numpy(), 8000 * expected.numpy()).pvalue
    assert pvalues[1] < 1e-6
    assert pvalues[40] > 1e-3


def test_layers_are_pretrained_one_after_the_other():
    """From the lowest one up, the machine at last; each as a machine learns from what lies below, and then all."""
    model, x = made(depth=3, estimator="reinforce", pretraining_steps=2, **LINEAR), data()
    expected = [["encoders.0", "decoders.0"], ["encoders.1", "decoders.1"], ["prior.machine"]]
    for step in range(6):
        noise = noises(model, 2 * POINTS, seed=step)
        sample = model.sample(x, noise)
        below = [sample.x, *sample.climb.states][step // 2]
        alone = made(depth=3, pretraining_steps=2, **LINEAR)
        alone.load_state_dict(model.state_dict())
        objective = model.objective(x, noise)
        gradients = {n: g for n, g in mean_gradients(model, torch.ones(2), objective).items() if g.abs().max() > 0}
        assert {name.rpartition(".network")[0] or "prior.machine" for name in gradients} == set(expected[step // 2])
        machine = [*alone.greedy, alone.prior.machine][step // 2]
        torch.testing.assert_close(objective, machine.objective(below, noise), rtol=1e-12, atol=1e-12)
        with torch.no_grad():
            for name, gradient in gradients.items():
                model.get_parameter(name).add_(0.1 * gradient)
        model.constrain()
        for layer in range(min(2, step // 2 + 1)):
            up, down = (model.get_parameter(f"{part}.{layer}.network.1.weight") for part in ("encoders", "decoders"))
            torch.testing.assert_close(up.mT, down, rtol=0, atol=0)
    noise = noises(model, 2 * POINTS)
    gradients = mean_gradients(model, torch.ones(2), model.objective(x, noise))
    assert all(gradient.abs().max() > 0 for gradient in gradients.values())
    assert (model.age == 6).all()


def test_a_layer_that_is_pretrained_learns_what_a_machine_with_its_weights_says():
    """Long chains: the gradient is that of the likelihood of the layer as a machine of its own, up to their noise."""
    model, x = made(replicas=1, depth=2, pretraining_steps=5, gibbs_steps=20, **LINEAR), data()
    rows, model = x.repeat(40, 1), copies(model, 100)
    up, down = (model.get_submodule(f"{part}.0.network.1") for part in ("encoders", "decoders"))
    parameters = [up.weight, up.bias, down.bias]
    found = torch.autograd.grad(model.objective(rows, noises(model, len(rows))).sum(), parameters)
    v = torch.tensor(every_state(DIM))

    def mass(v):
        return v @ down.bias[0, 0] + torch.nn.functional.softplus(v @ up.weight[0] + up.bias[0]).sum(-1)

    expected = torch.autograd.grad(mass(x).mean() - mass(v).logsumexp(0), parameters)
    for sampled, exact in zip(found, expected, strict=True):
        assert ((sampled.mean(0) - exact[0]).abs() < 4.5 * sampled.std(0) / 10).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"depth": 1}, "greater than or equal to 2"),
        ({"estimator": "enumeration"}, "no use for gradient: pcd, as all states are at hand; write gradient: exact"),
        ({"gradient": "exact", "latent_dim": 17}, "latent_dim is 17: lower it, or set gradient: pcd"),
        (
            {"pretraining_steps": 9, "encoder_depth": 1},
            "pretraining_steps: 9 wants layers that are Boltzmann machines, and samples; write enc",
        ),
        ({**EXACT, **LINEAR, "pretraining_steps": 9}, "and not estimator: enumeration"),
        ({**EXACT, "latent_dim": 7, "depth": 3}, "directed layers × latent_dim is 14; lower one of them"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together(settings, words):
    with pytest.raises(ValueError, match=words):
        MODELS["dbn"](**settings)


def test_a_network_of_one_unit_per_layer_has_noise_enough():
    model = made(latent_dim=1, gradient="pcd", chains=2)
    assert model.objective(data(), noises(model, POINTS)).isfinite().all()


def test_weights_are_those_that_the_model_has():
    settings = MODELS["dbn"](latent_dim=LATENTS, depth=3)
    model = build([settings], DIM, [torch.Generator()])
    networks = sum(p.numel() for name, p in model.named_parameters() if "network" in name and name.endswith("weight"))
    machine = MODELS["rbm"](latent_dim=LATENTS).multiplications(LATENTS)
    assert settings.multiplications(DIM) == networks + machine


def test_which_objectives_have_the_stationary_points_of_the_elbo():
    ascending = {
        (estimator, gradient)
        for estimator in ("disarm", "vimco", "wake_sleep")
        for gradient in ("exact", "cd", "pcd")
        if MODELS["dbn"](estimator=estimator, gradient=gradient).ascends_elbo
    }
    assert ascending == set(itertools.product(("disarm", "wake_sleep"), ("exact", "pcd")))


def halves():
    """Halves of the data vector, on or off, with noise."""
    points = np.random.default_rng(3).integers(0, 2, (60, 2)).repeat(DIM // 2, axis=1)
    return np.abs(points - (np.random.default_rng(4).random(points.shape) < 0.1))


@cache
def trained(samples=1, **settings):
    """What two replicas reach: their record, and gaps without the noise of samples."""
    phase = {"learning_rate": 0.3, "schedule": "cosine", "second_moment_decay": 0.99, "batch_size": "full"}
    evaluation = {"every": 200, "certificate": settings == EXACT}
    training = TrainingSettings(
        phases=[{**phase, "steps": 200, "samples": samples}], evaluation=evaluation, precision="float64"
    )
    model = MODELS["dbn"](latent_dim=LATENTS, **LINEAR, **settings)
    pack = Pack([Replica(seed, model, training) for seed in range(2)], halves(), halves())
    record = pack.run().arrays()
    return record, enumerated(pack.model).bound(pack.data, torch.zeros(2, 1, 0)).gap.detach().numpy()


def test_training_by_enumeration_closes_the_gap():
    record, gap = trained(**EXACT)
    assert (record["elbo_standard_error"] == 0).all()
    np.testing.assert_allclose(record["gap"][-1], gap, atol=1e-12)
    assert (np.abs(gap) < 0.02).all()
    assert (np.abs(gap) < 0.1 * np.abs(record["gap"]).max(0)).all()
    assert (record["elbo"] <= record["log_likelihood"]).all()
    np.testing.assert_allclose(record["directional_derivative"].sum(-1), record["gap"], atol=1e-9)
    assert (record["stationary_gap"] == 0).all()


@pytest.mark.parametrize(
    ("estimator", "gradient"), [("disarm", "exact"), ("reinforce", "pcd"), ("vimco", "pcd"), ("wake_sleep", "pcd")]
)
def test_training_by_samples_reaches_what_enumeration_does(estimator, gradient):
    """And closes the gap, that of wake-sleep too, though it does not fit its posterior to the ELBO."""
    record, gap = trained(4, estimator=estimator, gradient=gradient, chains=500)
    reached = record["log_likelihood"]
    assert (reached[-1] > reached[0] + 0.3).all()
    assert reached[-1].max() > trained(**EXACT)[0]["log_likelihood"][-1].max() - 0.1
    assert estimator == "vimco" or (np.abs(gap) < 0.1).all()


PHASES = [{"steps": 12, "learning_rate": 0.1, "batch_size": 7}, {"steps": 6, "batch_size": "full"}]
TRAINING = TrainingSettings(phases=PHASES, evaluation={"every": 4, "samples": 2, "certificate": False})


def pack(count=2, estimator="disarm", **options):
    settings = MODELS["dbn"](
        latent_dim=LATENTS, depth=3, chains=9, gibbs_steps=2, estimator=estimator, pretraining_steps=2, **LINEAR
    )
    return Pack([Replica(seed, settings, TRAINING) for seed in range(count)], halves()[:40], halves()[40:], **options)


@pytest.mark.parametrize("at", [3, 8])
def test_a_resumed_run_equals_the_undisturbed_one(tmp_path, at):
    """To the last bit, with the chains and offsets of its machine, from a recorded step and from between two."""
    undisturbed = pack()
    undisturbed.run()
    same_end(interrupted(pack, at, tmp_path), undisturbed)


@pytest.mark.parametrize("estimator", ["disarm", "wake_sleep"])
def test_alone_is_as_in_a_pack(estimator):
    packed, alone = (pack(count, estimator).run().arrays() for count in (3, 1))
    for name in ("elbo", "gap", "log_likelihood", "heldout_elbo"):
        np.testing.assert_allclose(packed[name][:, 0], alone[name][:, 0], rtol=2e-4, atol=2e-4, err_msg=name)
