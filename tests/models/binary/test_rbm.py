"""Restricted Boltzmann machines against all their states, their samplers against the distribution, and through Pack."""

import math
from collections import defaultdict
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import chisquare, kstest, multivariate_normal, norm

from entropy_sums.ais import anneal, forward, reverse, schedule
from entropy_sums.certificates.certificate import certify
from entropy_sums.estimators import all_states
from entropy_sums.models import MODELS, build
from entropy_sums.models.binary import machine as module
from entropy_sums.models.binary import partition
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.model import copies
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings
from interruption import interrupted, same_end
from machines import scattered

REPLICAS, POINTS = 3, 11
SEEDS = st.integers(0, 10_000)
KINDS = ["rbm", "gaussian_rbm"]


def made(name="rbm", seed=0, dim=5, scale=1.0, replicas=REPLICAS, **settings):
    """A machine with random parameters and offsets, and data of its kind."""
    source = torch.Generator().manual_seed(seed)
    chosen = {"latent_dim": 3, "centred": False, **settings}
    machine = build([MODELS[name](**chosen)] * replicas, dim, [source] * replicas)
    scattered(machine, source, scale)
    x = torch.randn(POINTS, dim, generator=source)
    return machine, (x > 0).to(x) if name == "rbm" else x


def noise(replicas=REPLICAS, points=POINTS, seed=0):
    return torch.randn(replicas, points, 2, generator=torch.Generator().manual_seed(seed))


def joint_exponents(machine, v, h):
    """−E of all pairs by the formula, `(replica, v, h)`."""
    weight = machine.hidden.weight
    dv, dh = v - machine.visible_offset, h - machine.hidden_offset
    hidden = (dh * machine.hidden.bias).sum(-1)[:, None, :]
    if hasattr(machine.visible, "log_variance"):
        precision = (-machine.visible.log_variance).exp()
        visible = -0.5 * ((v - machine.visible.bias) ** 2 * precision).sum(-1)
        dv = dv * precision
    else:
        visible = (v * machine.visible.bias).sum(-1)
    return visible[..., None] + hidden + torch.einsum("rvd,rdh,rkh->rvk", dv.expand(len(weight), -1, -1), weight, dh)


def enumerated(machine, x):
    """Log-likelihood and entropy of the joint of a Bernoulli machine, from all its states of both layers."""
    v, h = (all_states(units, x) for units in (x.shape[-1], machine.latent_dim))
    exponents = joint_exponents(machine, v, h).flatten(1)
    log_z = exponents.logsumexp(1)
    log_p = exponents - log_z[:, None]
    likelihood = joint_exponents(machine, x, h).logsumexp(-1).mean(1) - log_z
    return likelihood, -(log_p.exp() * log_p).sum(1)


def gradients(machine, value):
    return torch.autograd.grad(value.sum(), list(machine.parameters()), retain_graph=True)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("float64")
@given(seed=SEEDS, centred=st.booleans(), sizes=st.sampled_from([(5, 3), (2, 4)]))
def test_bernoulli_machine_against_all_states(seed, centred, sizes):
    machine, x = made(seed=seed, dim=sizes[0], latent_dim=sizes[1], centred=centred)
    bound, (likelihood, entropy) = machine.bound(x, noise()), enumerated(machine, x)
    close(bound.elbo, likelihood)
    close(bound.factors["joint"].entropy, entropy)
    posterior = machine.posterior(x).mean
    conditional = -(torch.special.xlogy(posterior, posterior) + torch.special.xlogy(1 - posterior, 1 - posterior))
    close(bound.entropy_sum, conditional.sum(-1).mean(1) - entropy)
    close(machine.log_likelihood(x), likelihood)
    for ours, expected in zip(gradients(machine, bound.elbo), gradients(machine, likelihood), strict=True):
        close(ours, expected)


@pytest.mark.usefixtures("float64")
@given(seed=SEEDS, centred=st.booleans())
def test_normal_machine_is_a_mixture_of_normals(seed, centred):
    machine, x = made("gaussian_rbm", seed, dim=4, scale=0.7, centred=centred)
    bound = machine.bound(x, noise())
    h = all_states(3, x)
    for r in range(REPLICAS):
        parameters = machine.visible.bias, machine.visible.log_variance, machine.hidden.weight, machine.hidden.bias
        b, s, w, c = (p[r].detach().squeeze(0).numpy() for p in parameters)
        mu, dh = machine.visible_offset[r, 0].numpy(), (h - machine.hidden_offset[r]).numpy()
        precision, means = np.exp(-s), b + dh @ w.T
        masses = dh @ c - dh @ w.T @ (precision * mu) + 0.5 * ((means**2 - b**2) * precision).sum(1)
        log_p = masses - np.logaddexp.reduce(masses)
        densities = [multivariate_normal(m, np.diag(np.exp(s))).logpdf(x.numpy()) for m in means]
        likelihood = np.logaddexp.reduce(log_p[:, None] + np.stack(densities)).mean()
        assert bound.elbo[r].item() == pytest.approx(likelihood, abs=1e-10)
        entropy = -(np.exp(log_p) * log_p).sum() + 0.5 * (math.log(2 * math.pi * math.e) + s).sum()
        assert bound.factors["joint"].entropy[r].item() == pytest.approx(entropy, abs=1e-10)


def test_log_z_of_a_normal_machine_against_quadrature(float64):
    machine, _ = made("gaussian_rbm", dim=1, scale=0.5, replicas=1, centred=True)
    h = all_states(3, torch.zeros(1))

    def mass(v):
        with torch.no_grad():
            return joint_exponents(machine, torch.tensor([[v]]), h).exp().sum().item()

    total, _ = quad(mass, -30, 30, epsabs=1e-12, epsrel=1e-12, limit=200)
    assert machine.partition(noise(1)).log_z.item() == pytest.approx(math.log(total), abs=1e-9)


@pytest.mark.usefixtures("float64")
@given(seed=SEEDS, centred=st.booleans())
@pytest.mark.parametrize("annealed", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_gap_is_the_directional_derivative(name, annealed, seed, centred):
    """θ·∇F; of a normal machine along the hidden biases and minus one in every log variance. No exact log Z is needed:
    with estimates of log Z and of the expectations it is the same identity."""
    machine, x = made(name, seed, scale=0.6, centred=centred, temperatures=3, chains=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ENUMERABLE", 0 if annealed else 16)
        bound = machine.bound(x, noise())
    found = dict(zip([n for n, _ in machine.named_parameters()], gradients(machine, bound.elbo), strict=True))
    parameters = dict(machine.named_parameters())
    radial = ["hidden.bias"] if name == "gaussian_rbm" else list(found)
    along = torch.stack([(parameters[n] * found[n]).flatten(1).sum(1) for n in radial]).sum(0)
    if name == "gaussian_rbm":
        along = along - found["visible.log_variance"].flatten(1).sum(1)
    close(bound.gap, along)
    assert (bound.gap.abs() > 1e-6).all()


DIRECTIONS = {
    "rbm": {"1 · visible.bias", "1 · hidden.weight", "1 · hidden.bias"},
    "gaussian_rbm": {"-1 · shift of visible.log_variance", "1 · hidden.bias"},
}


@pytest.mark.parametrize("annealed", [False, True])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_certificate(float64, monkeypatch, name, centred, annealed):
    machine, _ = made(name, scale=0.5, replicas=2, centred=centred, temperatures=3, chains=10)
    monkeypatch.setattr(module, "ENUMERABLE", 0 if annealed else 16)
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(3))
    data = (x > 0).to(x) if name == "rbm" else x
    certificate = certify(machine, data, trials=2)
    assert certificate.residual() < 1e-8
    assert set(certificate.direction_of("joint").split(", ")) == DIRECTIONS[name]


@pytest.mark.parametrize(("name", "fixed"), [("rbm", "visible"), ("gaussian_rbm", "hidden")])
def test_a_machine_with_fixed_biases_has_no_certificate(float64, name, fixed):
    machine, x = made(name, replicas=2, scale=0.5)
    getattr(machine, fixed).bias.requires_grad_(False)
    certificate = certify(machine, x, trials=2)
    assert not certificate.holds("joint")
    assert certificate.residual() > 1e-4


@pytest.mark.parametrize("name", KINDS)
def test_offsets_leave_the_distribution_as_it_is(float64, name):
    machine, x = made(name, centred=True)
    before, offsets = machine.log_likelihood(x), machine.visible_offset.clone()
    for _ in range(5):
        machine._follow(x)
    assert ((machine.visible_offset - offsets).abs().max() > 1e-3).all()
    close(machine.log_likelihood(x), before)
    centre, rate = x.mean(0), module.OFFSET_RATE
    close(machine.visible_offset, centre + (1 - rate) ** 5 * (offsets - centre))


def test_only_training_moves_offsets_and_chains(float64):
    for gradient in module.GRADIENTS:
        machine, x = made(gradient=gradient, centred=True)
        buffers = [machine.get_buffer(name) for name in machine.evolving]
        before = [tensor.clone() for tensor in buffers]
        machine.bound(x, noise())
        assert all(map(torch.equal, before, buffers))
        machine.objective(x, noise())
        moved = [not a.equal(b) for a, b in zip(before, buffers, strict=True)]
        tempered = gradient == "parallel_tempering"
        assert moved == [gradient == "pcd" or tempered, True, True, tempered]


def test_samples_follow_the_enumerated_distribution(float64):
    """And those of too few steps do not, so the test can tell."""
    pvalues = {}
    for steps in (1, 40):
        machine, x = made(dim=4, replicas=1, gibbs_steps=steps)
        draws = Draws(noise(1, seed=1))
        v = machine.gibbs(torch.ones(1, 8000, 3), draws)
        seen = torch.bincount((v[0] @ torch.tensor([1.0, 2, 4, 8])).long(), minlength=16)
        states = all_states(4, x)
        expected = (machine.visible_marginal(states)[0][0] - machine.partition(noise(1)).log_z).exp().detach()
        pvalues[steps] = chisquare(seen.numpy(), 8000 * expected.numpy()).pvalue
    assert pvalues[1] < 1e-6
    assert pvalues[40] > 1e-3


def test_samples_of_a_normal_machine_have_its_moments(float64):
    machine, _ = made("gaussian_rbm", dim=3, scale=0.6, replicas=1, gibbs_steps=40)
    v = machine.gibbs(torch.ones(1, 20_000, 3), Draws(noise(1, seed=2)))[0]
    h = all_states(3, v)
    masses, given_hidden = machine.hidden_marginal(h)
    p, means = masses.softmax(-1)[0].detach(), given_hidden.mean[0].detach()
    mean = p @ means
    spread = (p[:, None] * (means - mean)).mT @ (means - mean)
    covariance = spread + machine.visible.log_variance[0, 0].detach().exp().diag()
    standard_error = covariance.diagonal().sqrt() / math.sqrt(len(v))
    assert ((v.mean(0) - mean).abs() < 4 * standard_error).all()
    torch.testing.assert_close(v.mT.cov(), covariance, rtol=0.06, atol=0.03)


def test_samples_of_a_normal_machine_follow_its_distribution(float64):
    """Along every coordinate and two other directions: a mixture of normals, one for every hidden state."""
    directions = torch.cat([torch.eye(3), torch.tensor([[1.0, -2.0, 0.5], [1.0, 1.0, 1.0]])])
    pvalues = {}
    for steps in (1, 40):
        machine, _ = made("gaussian_rbm", dim=3, scale=0.6, replicas=1, gibbs_steps=steps)
        v = machine.gibbs(torch.ones(1, 8000, 3), Draws(noise(1, seed=2)))[0]
        masses, given_hidden = machine.hidden_marginal(all_states(3, v))
        p = masses.softmax(-1)[0].detach().numpy()
        means = (given_hidden.mean[0] @ directions.mT).detach().numpy()
        stds = (machine.visible.log_variance[0].exp() @ directions.mT.square()).sqrt()[0].detach().numpy()
        pvalues[steps] = [
            kstest((v @ direction).numpy(), lambda x, p=p, m=m, s=s: norm.cdf(x[:, None], m, s) @ p).pvalue
            for direction, m, s in zip(directions, means.T, stds, strict=True)
        ]
    assert min(pvalues[1]) < 1e-6
    assert min(pvalues[40]) > 1e-3


def estimates(gradient, steps, updates, centred, scale=0.8):
    """Gradients of so many updates at the same parameters, `(update, parameter)`, and the exact one."""
    machine, x = made(replicas=1, gradient=gradient, gibbs_steps=steps, chains=400, scale=scale, centred=centred)
    exact = torch.cat([g.flatten() for g in gradients(machine, machine.bound(x, noise(1)).elbo)])
    x = x.repeat(40, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "OFFSET_RATE", 0.0)  # offsets stay, so that parameters do
        found = [
            torch.cat([g.flatten() for g in gradients(machine, machine.objective(x, noise(1, len(x), seed=u)))])
            for u in range(updates)
        ]
    return torch.stack(found), exact


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_the_contrast_has_the_gradient_of_both_mean_energies(float64, name, centred, shared):
    """Of as many points as there are, for all runs or for each, and of another number of chains."""
    machine, x = made(name, centred=centred)
    source = torch.Generator().manual_seed(1)
    v = made(name, seed=2)[1][:7].expand(REPLICAS, -1, -1)
    on_data, on_chains = (torch.rand(REPLICAS, rows, 3, generator=source) for rows in (POINTS, 7))
    x = x if shared else x.repeat(REPLICAS, 1, 1) * torch.tensor([1.0, 0.0, 1.0]).view(-1, 1, 1)

    def mean_exponent(units, means):
        return joint_exponents(machine, units, means).diagonal(dim1=1, dim2=2).mean(1)

    weights = torch.tensor([1.0, -2.0, 0.5])
    wanted = gradients(machine, weights * (mean_exponent(x, on_data) - mean_exponent(v, on_chains)))
    found = gradients(machine, weights * machine.contrast(x, on_data, v, on_chains))
    for own, other in zip(found, wanted, strict=True):
        close(own, other)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("gradient", ["cd", "pcd"])
def test_the_gradient_of_long_chains_is_the_exact_one(float64, gradient, centred):
    found, exact = estimates(gradient, 25, 60, centred)
    standard_error = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - exact).abs() < 4.5 * standard_error).all()


def test_contrastive_divergence_comes_nearer_with_every_step(float64):
    distances = []
    for steps in (1, 3, 10):
        found, exact = estimates("cd", steps, 60, centred=False, scale=2.5)
        distances.append((found.mean(0) - exact).norm().item())
    assert all(near < 0.5 * far for far, near in pairwise(distances))


@pytest.mark.parametrize("name", KINDS)
def test_the_exact_gradient_is_that_of_the_bound(float64, name):
    machine, x = made(name, gradient="exact")
    value, bound = machine.objective(x, noise()), machine.bound(x, noise())
    close(value, bound.elbo)
    for a, b in zip(gradients(machine, value), gradients(machine, bound.elbo), strict=True):
        close(a, b)


def exact_samples(machine, count, seed):
    """Visible vectors of a Bernoulli machine from all its states."""
    states = all_states(machine.visible_offset.shape[-1], machine.chains)
    p = machine.visible_marginal(states)[0].softmax(-1).detach()
    chosen = torch.multinomial(p, count, replacement=True, generator=torch.Generator().manual_seed(seed))
    return states[chosen]


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("latent_dim", "scale"), [(6, 3.0), (16, 2.0)])
def test_annealing_brackets_the_exact_log_z(float64, centred, latent_dim, scale):
    """On average over replicas, which share their parameters: forward below, reverse above; and with intervals."""
    machine, _ = made(dim=8, latent_dim=latent_dim, scale=scale, replicas=1, centred=centred)
    exact = machine.partition(noise(1)).log_z
    settings = MODELS["rbm"](latent_dim=latent_dim, centred=centred, chains=100)
    many = build([settings] * 120, 8, [torch.Generator()] * 120)
    with torch.no_grad():
        for name in (name for name in machine.state_dict() if name != "chains"):
            many.state_dict()[name].copy_(machine.state_dict()[name])
    draws, base = Draws(noise(120)), many.log_z_of_base()
    errors = {}
    for temperatures in (1, 60):
        betas = schedule(temperatures)
        up, _ = anneal(partial(many.temper, draws), many.base_samples(draws), betas)
        down, _ = anneal(partial(many.temper, draws), exact_samples(many, 100, seed=4), betas[::-1])
        both = forward(base, up), reverse(base, down)
        errors[temperatures] = torch.stack([estimate.value - exact for estimate in both]).detach()
    standard_errors = errors[1].std(1) / math.sqrt(120)
    assert errors[1][0].mean() < -3 * standard_errors[0]
    assert errors[1][1].mean() > 3 * standard_errors[1]
    assert (errors[60].mean(1).abs() < 0.3 * errors[1].mean(1).abs()).all()
    assert ((both[0].lower < exact) & (exact < both[1].upper)).double().mean() > 0.95


@pytest.mark.parametrize("name", KINDS)
def test_what_is_annealed_is_near_what_is_enumerated(float64, monkeypatch, name):
    settings = {"scale": 0.5, "chains": 3000, "temperatures": 60}
    (machine, x), (same, _) = made(name, **settings), made(name, **settings)
    bound = machine.bound(x, noise())
    monkeypatch.setattr(module, "ENUMERABLE", 0)
    estimate = same.bound(x, noise())
    assert not estimate.elbo.equal(bound.elbo)
    torch.testing.assert_close(estimate.elbo, bound.elbo, atol=0.02, rtol=0)
    torch.testing.assert_close(estimate.gap, bound.gap, atol=0.1, rtol=0)
    for a, b in zip(gradients(same, estimate.elbo), gradients(machine, bound.elbo), strict=True):
        torch.testing.assert_close(a, b, atol=0.1, rtol=0)
    assert same.log_likelihood(x) is None


@pytest.mark.parametrize("temperatures", [5, 60])
def test_errors_of_annealing_are_what_seeds_differ_by(float64, monkeypatch, temperatures):
    """Of log Z and of E_p[−E], with and without further steps of the chains; and the estimates are unbiased."""
    machine, x = made(scale=1.0, chains=200, temperatures=temperatures)
    bound = machine.bound(x, noise())
    monkeypatch.setattr(module, "ENUMERABLE", 0)
    values, errors = defaultdict(list), defaultdict(list)
    for seed in range(100):
        machine._known = None
        estimate = machine.bound(x, noise(seed=seed))
        for name, error in machine.partition_errors(noise(seed=seed)).items():
            values[name].append((getattr(estimate, name) - getattr(bound, name)).detach())
            errors[name].append(error)
    assert values.keys() == {"elbo", "entropy_sum", "gap"}
    for name, found in values.items():
        spread, claimed = torch.stack(found).std(0), torch.stack(errors[name]).square().mean(0).sqrt()
        torch.testing.assert_close(spread, claimed, rtol=0.25, atol=0, msg=name)
        assert (torch.stack(found).mean(0).abs() < 5 * spread / 10).all(), name


def test_few_chains_with_all_the_weight_say_nothing_of_their_error(float64):
    """Chains of one weight have the standard error of a mean; of one heavy chain nobody knows."""
    exponents = torch.randn(2, 20, generator=torch.Generator().manual_seed(0))
    weights = torch.zeros(2, 20)
    weights[1, 3] = 9.0
    errors = partition.chain_errors(weights, exponents)
    assert errors["gap"][0].item() == pytest.approx(exponents[0].std().item() / math.sqrt(20))
    assert errors["elbo"][0].item() == pytest.approx(0, abs=1e-12)
    assert all(error[1].isposinf() for error in errors.values())


def test_blocks_of_sweeps_make_no_difference(float64, monkeypatch):
    monkeypatch.setattr(module, "ENUMERABLE", 0)
    (whole, _), (parts, _) = (made(chains=30, temperatures=100) for _ in range(2))
    partition = whole.partition(noise())
    monkeypatch.setattr(module, "ENTRIES_AT_ONCE", 70 * REPLICAS * sum(whole.hidden.weight.shape[1:]))
    for name, value in vars(parts.partition(noise())).items():
        torch.testing.assert_close(value, getattr(partition, name), rtol=1e-10, atol=1e-10)


def test_what_is_exact_has_no_error(float64):
    machine, _ = made()
    assert machine.partition_errors(noise()) == {}


def test_further_steps_of_the_chains_make_the_gap_more_precise(float64, monkeypatch):
    monkeypatch.setattr(module, "ENUMERABLE", 0)
    (few, _), (more, _) = (made(chains=60, temperatures=t) for t in (9, 200))
    errors = [machine.partition_errors(noise())["gap"] for machine in (few, more)]
    assert (errors[1] < 0.5 * errors[0]).all()


def test_forward_and_reverse_from_persistent_chains(float64):
    machine, x = made(scale=0.7, chains=2000, gibbs_steps=50, gradient="pcd")
    machine.objective(x, noise())
    exact = machine.partition(noise()).log_z
    for estimate in machine.bracket(noise(seed=5), 50):
        torch.testing.assert_close(estimate.value, exact, atol=0.05, rtol=0)


def test_log_z_is_computed_anew_when_anything_changes(float64):
    machine, x = made(centred=True)
    first = machine.partition(noise())
    assert machine.partition(noise(seed=1)) is first
    for tensor in (*machine.parameters(), machine.hidden_offset):
        with torch.no_grad():
            tensor.view(-1)[0] += 0.1
        close(machine.bound(x, noise()).elbo, enumerated(machine, x)[0])


def test_replicas_that_are_copies_are_computed_once(float64):
    machine, x = made(replicas=1)
    alike = copies(machine, 4)
    bound, alone = alike.bound(x, noise(4)), machine.bound(x, noise(1))
    close(bound.elbo, alone.elbo.expand(4))
    for a, b in zip(gradients(alike, bound.elbo), gradients(machine, alone.elbo), strict=True):
        close(a, b.expand_as(a))


def test_exact_gradients_of_large_machines_are_refused():
    for name, dim, latents in (("rbm", 20, 17), ("gaussian_rbm", 4, 17)):
        settings = MODELS[name](latent_dim=latents, gradient="exact")
        with pytest.raises(ValueError, match="latent_dim is 17, and layers have"):
            build([settings], dim, [torch.Generator()])
    assert build([MODELS["rbm"](latent_dim=17, gradient="exact")], 4, [torch.Generator()]).latent_dim == 17


def test_a_forecast_knows_what_gradients_take():
    costs = [
        MODELS["rbm"](latent_dim=12, **settings).multiplications(784)
        for settings in ({}, {"gibbs_steps": 5}, {"gradient": "exact"})
    ]
    assert costs == [2 * 12 * 784, 6 * 12 * 784, 41 * 12 * 784]


DATA = (np.random.default_rng(0).random((60, 6)) < 0.4).astype(np.float32)
PHASES = [
    {"steps": 12, "learning_rate": 0.1, "batch_size": 7},
    {"steps": 6, "learning_rate": 0.01, "batch_size": "full"},
]
TRAINING = TrainingSettings(phases=PHASES, evaluation={"every": 4, "samples": 2, "certificate": False})


def pack(name, gradient, count=2, **options):
    settings = MODELS[name](gradient=gradient, latent_dim=3, chains=9, gibbs_steps=2)
    return Pack([Replica(seed, settings, TRAINING) for seed in range(count)], DATA[:40], DATA[40:], **options)


@pytest.mark.parametrize("at", [3, 8, 13])
@pytest.mark.parametrize(("name", "gradient"), [("rbm", "pcd"), ("rbm", "cd"), ("gaussian_rbm", "pcd"), ("dbm", "pcd")])
def test_a_resumed_run_equals_the_undisturbed_one(tmp_path, name, gradient, at):
    """To the last bit, with its chains and offsets, from a recorded step and from between two."""
    undisturbed = pack(name, gradient)
    undisturbed.run()
    same_end(interrupted(partial(pack, name, gradient), at, tmp_path), undisturbed)


def test_a_machine_that_is_annealed_trains_resumes_and_is_certified(tmp_path, monkeypatch):
    """Its estimates depend on step and seed alone, not on what was computed before or beside it."""
    monkeypatch.setattr(module, "ENUMERABLE", 0)
    settings = MODELS["rbm"](latent_dim=3, chains=50, temperatures=20)
    evaluation = TRAINING.evaluation.model_copy(update={"certificate": True})
    training = TRAINING.model_copy(update={"evaluation": evaluation, "precision": "float64"})
    replicas = [Replica(seed, settings, training) for seed in range(2)]
    expected = Pack(replicas, DATA[:40], DATA[40:]).run().arrays()
    assert "log_likelihood" not in expected
    np.testing.assert_allclose(expected["directional_derivative"].sum(-1), expected["gap"], rtol=1e-9, atol=1e-9)
    options = {"identity": "job", "checkpoint": tmp_path / "job.checkpoint"}
    with pytest.raises(Interrupted):
        Pack(replicas, DATA[:40], DATA[40:], **options).run(lambda pack: pack.stop() if pack.step == 8 else None)
    resumed = Pack(replicas, DATA[:40], DATA[40:], **options).run().arrays()
    alone = Pack(replicas[1:], DATA[:40], DATA[40:]).run().arrays()
    for quantity in ("elbo", "entropy_sum", "heldout_elbo", "gradient_norm"):
        np.testing.assert_array_equal(resumed[quantity], expected[quantity], err_msg=quantity)
        np.testing.assert_allclose(alone[quantity][:, 0], expected[quantity][:, 1], rtol=1e-9, err_msg=quantity)


@pytest.mark.parametrize("rate", [1e4, 1e30])
@pytest.mark.parametrize("gradient", module.GRADIENTS)
def test_no_wild_replica_ends_its_pack(gradient, rate):
    settings = MODELS["gaussian_rbm"](gradient=gradient, latent_dim=3, chains=9)
    phases = tuple(phase.model_copy(update={"learning_rate": rate}) for phase in TRAINING.phases)
    wild = TRAINING.model_copy(update={"phases": phases})
    replicas = [Replica(0, settings, TRAINING), Replica(1, settings, wild)]
    trace, alone = (Pack(r, DATA[:40], DATA[40:]).run() for r in (replicas, replicas[:1]))
    assert np.isnan(trace.diverged_at).tolist() == [True, False]
    np.testing.assert_allclose(trace.arrays()["elbo"][:, 0], alone.arrays()["elbo"][:, 0], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("gradient", module.GRADIENTS)
@pytest.mark.parametrize("name", ["rbm", "dbm"])
def test_alone_is_as_in_a_pack(name, gradient):
    packed, alone = pack(name, gradient, count=3).run().arrays(), pack(name, gradient, count=1).run().arrays()
    for quantity in ("elbo", "gap", "log_likelihood", "heldout_elbo"):
        np.testing.assert_allclose(
            packed[quantity][:, 0], alone[quantity][:, 0], rtol=2e-4, atol=2e-4, err_msg=quantity
        )


def test_training_climbs_and_the_likelihood_is_the_elbo():
    for gradient in module.GRADIENTS:
        arrays = pack("rbm", gradient).run().arrays()
        assert (arrays["elbo"][-1] > arrays["elbo"][0] + 0.1).all()
        np.testing.assert_allclose(arrays["elbo"], arrays["log_likelihood"], atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"gradient": "cd"}, {"gradient": "exact"}, {"gibbs_steps": 3}, {"chains": 8}, {"centred": False}],
    ids=str,
)
def test_every_setting_changes_training(change):
    """The gradient that the second of two updates goes along."""
    plain = {"gradient": "pcd", "latent_dim": 3, "chains": 9, "gibbs_steps": 2}
    values = []
    for settings in (plain, plain | change):
        machine = build([MODELS["rbm"](**settings)], 6, [torch.Generator().manual_seed(0)])
        x = torch.from_numpy(DATA[:POINTS])
        machine.objective(x, noise(1))
        values.append(gradients(machine, machine.objective(x, noise(1, seed=1)))[1])
    assert (values[0] - values[1]).abs().max() > 1e-4


def test_temperatures_change_what_is_annealed(monkeypatch):
    monkeypatch.setattr(module, "ENUMERABLE", 0)
    few, many = (made(temperatures=t)[0].partition(noise()).log_z for t in (2, 50))
    assert ((few - many).abs() > 1e-4).all()
