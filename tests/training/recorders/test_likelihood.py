"""Estimates of the log-likelihood against the exact one: of normal models, belief networks and small machines."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import laplace, norm

from entropy_sums.certificates.certificate import randomised
from entropy_sums.distributions import FullNormal
from entropy_sums.estimators import all_states
from entropy_sums.models import MODELS, build
from entropy_sums.models.binary import machine as machines
from entropy_sums.models.model import copies
from entropy_sums.quantities import ESTIMATES, twins, with_limits
from entropy_sums.training import evaluation as module
from entropy_sums.training.evaluation import Evaluation
from entropy_sums.training.pack import Pack
from entropy_sums.training.randomness import Purpose
from entropy_sums.training.recorders.likelihood import Annealing, ImportanceWeighted, log_mean_weights
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings
from recorded import at_end

DIM, POINTS = 4, 12
ENDS = ("", "_low", "_high")


def made(name, replicas=2, seed=0, width=1.0, **settings):
    source = torch.Generator().manual_seed(seed)
    small = {"encoder_width": 3, "decoder_width": 3, "latent_dim": 2}
    chosen = {k: v for k, v in {**small, **settings}.items() if k in MODELS[name].model_fields}
    return randomised(build([MODELS[name](**chosen)] * replicas, DIM, [source] * replicas), source, width=width)


def data(name, points=POINTS):
    x = torch.randn(points, DIM, generator=torch.Generator().manual_seed(1))
    return (x > 0).to(x) if MODELS[name].support == "binary" else x


def both(model, x, samples=2):
    seeds = list(range(model.replicas))
    return {
        "": Evaluation(x, seeds, samples, Purpose.EVALUATION),
        "heldout_": Evaluation(x[:5], seeds, samples, Purpose.HELDOUT),
    }


def estimates(model, evaluations, step=0, **settings):
    return at_end([ImportanceWeighted, Annealing], model, evaluations, step, **settings)


def found(model, x, samples=2, **settings):
    return estimates(model, both(model, x, samples), 3, **settings)


@pytest.mark.parametrize("depth", [1, 2])
def test_every_weight_of_a_belief_network(float64, depth):
    """Σ_z q(z given x) w(z) = p(x): noise of ±10 takes every state in turn."""
    model, x = made("sbn", depth=depth), data("sbn")
    noise = 10 * torch.tensor(list(itertools.product([-1.0, 1.0], repeat=model.noise_dim)))
    rows = noise.repeat_interleave(POINTS, 0).expand(2, -1, -1)
    log_weights = model.log_weights(x, rows).unflatten(1, (len(noise), POINTS))
    below, log_q = torch.cat([x] * len(noise)).expand(2, -1, -1), 0.0
    for encoder, numbers in zip(model.encoders, rows.split(2, dim=-1), strict=True):
        q, below = encoder(below), (numbers < 0).to(x)
        log_q = log_q + q.log_prob(below)
    likelihood = (log_weights + log_q.unflatten(1, (len(noise), POINTS))).logsumexp(1).mean(1)
    torch.testing.assert_close(likelihood, model.log_likelihood(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("samples", [1, 3])
def test_the_weights_of_an_exact_posterior_are_the_likelihood(float64, samples):
    """Of probabilistic PCA, whatever the samples are."""
    model, x = made("linear_vae"), data("linear_vae")
    weight, bias = model.decoder.mean.weight, model.decoder.mean.bias
    variance = model.observation(torch.zeros(2, 1, 2)).variance[..., :1]
    covariance = torch.linalg.inv(torch.eye(2) + weight @ weight.mT / variance)
    posterior = FullNormal((x - bias) @ weight.mT @ covariance / variance, torch.linalg.cholesky(covariance)[:, None])
    noise = torch.randn(2, samples * POINTS, 2, generator=torch.Generator().manual_seed(2))
    weights = model.log_weights(x, noise, posterior).unflatten(1, (samples, POINTS))
    expected = model.marginal().log_prob(x).unsqueeze(1).expand_as(weights)
    torch.testing.assert_close(weights, expected, rtol=1e-10, atol=1e-10)


def test_weights_by_hand(float64):
    """log p(x given z) + log p(z) − log q(z given x) with the densities of scipy."""
    model, x = made("vae3"), data("vae3")
    noise = torch.randn(2, POINTS, 2, generator=torch.Generator().manual_seed(2))
    q = model.posterior(x)
    z = q.reparametrise(noise)
    p = model.observation(z)
    terms = [(x, p.mean, p.variance, 1), (z, 0, torch.ones(1), 1), (z, q.mean, q.variance, -1)]
    expected = sum(
        sign * norm.logpdf(value.detach(), torch.as_tensor(mean).detach(), variance.detach().sqrt()).sum(-1)
        for value, mean, variance, sign in terms
    )
    np.testing.assert_allclose(model.log_weights(x, noise).detach(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("posterior", ["amortised", "diagonal", "full"])
def test_weights_of_sparse_coding(float64, posterior):
    """Their mean is the likelihood: both are integrals over one latent."""
    model, x = made("sparse_coding", replicas=1, latent_dim=1, posterior=posterior), data("sparse_coding", 3)
    noise, step = np.linspace(-30, 30, 40_001, retstep=True)
    rows = torch.as_tensor(noise).repeat_interleave(len(x)).reshape(1, -1, 1)
    weights = model.log_weights(x, rows).exp().detach().numpy().reshape(-1, len(x))
    direction, scale, std = (
        t.detach().numpy().ravel() for t in (model.weight, model.log_scale.exp(), model.log_std.exp())
    )

    def density(z, point):
        return laplace.pdf(z, 0, scale[0]) * norm.pdf(point, z * direction, std[0]).prod()

    expected = [
        sum(quad(density, *ends, (point,), epsabs=0, epsrel=1e-9)[0] for ends in ((-np.inf, 0), (0, np.inf)))
        for point in x.numpy()
    ]
    np.testing.assert_allclose((weights * norm.pdf(noise)[:, None]).sum(0) * step, expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["linear_vae", "sbn"])
def test_many_samples_reach_the_likelihood_from_below(float64, name):
    """And more of them are nearer: K = 1 is the ELBO."""
    model, x = made(name, width=0.3), data(name)
    exact = model.log_likelihood(x).detach().numpy()
    values, errors = {}, {}
    for k, samples in ((1, 200), (3, 200), (1000, 3)):
        training = {"": both(model, x, samples)[""]}
        record = estimates(model, training, importance_samples=k)
        values[k] = record["importance_weighted_bound"]
        errors[k] = (record["importance_weighted_bound_high"] - values[k]) / 1.96
    elbo = both(model, x, 200)[""](model, 0)
    assert (np.abs(values[1] - elbo["elbo"]) < 4 * np.hypot(errors[1], elbo["elbo_standard_error"])).all()
    assert (values[3] - values[1] > 3 * np.hypot(errors[1], errors[3])).all()
    assert (values[1000] - values[3] > 3 * np.hypot(errors[3], errors[1000])).all()
    assert (np.abs(values[1000] - exact) < 4 * errors[1000]).all()
    assert (errors[1000] < 0.04).all()


def test_the_bound_of_held_out_data_is_of_those(float64):
    model, x = made("sbn"), data("sbn")
    record = found(model, x, importance_samples=300)
    exact = model.log_likelihood(x[:5]).detach().numpy()
    np.testing.assert_allclose(record["heldout_importance_weighted_bound"], exact, atol=0.1)


def test_intervals_are_honest(float64):
    """Over copies with noise of their own, values spread as their intervals say."""
    model, x = copies(made("vae1"), 400), data("vae1")
    record = found(model, x, 3, importance_samples=4)
    value, low, high = (record[f"importance_weighted_bound{end}"] for end in ENDS)
    claimed = np.sqrt(np.mean(((high - low) / 2 / 1.96) ** 2))
    assert value.std(ddof=1) == pytest.approx(claimed, rel=0.15)
    assert ((low < value.mean()) & (value.mean() < high)).mean() > 0.85


@pytest.mark.parametrize("name", ["vae1", "sbn"])
def test_a_replica_alone_and_in_parts_is_the_same(float64, monkeypatch, name):
    pack, x = made(name, 3), data(name)
    evaluations = both(pack, x)
    whole = log_mean_weights(pack, evaluations[""], 5, number=1)
    monkeypatch.setattr(module, "ENTRIES_PER_CHUNK", 5 * 3 * DIM)
    torch.testing.assert_close(log_mean_weights(pack, evaluations[""], 5, number=1), whole, rtol=1e-12, atol=1e-12)
    alone = copies(made(name, 3), 1)
    part = log_mean_weights(alone, Evaluation(x, [0], 2, Purpose.EVALUATION), 5, number=1)
    torch.testing.assert_close(part, whole[:1], rtol=1e-12, atol=1e-12)
    assert not log_mean_weights(pack, evaluations[""], 5, number=0).allclose(whole)


MACHINES = ["rbm", "gaussian_rbm"]


@pytest.mark.parametrize("name", MACHINES)
def test_the_elbo_is_what_is_unnormalised_less_log_z(float64, name):
    model, x = made(name), data(name)
    noise = torch.zeros(2, POINTS, model.noise_dim)
    bound, log_z = model.bound(x, noise), model.partition(noise).log_z
    elbo = model.mean(model.unnormalised(x, noise)) - log_z
    torch.testing.assert_close(elbo, bound.elbo, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gradient", ["cd", "pcd", "parallel_tempering"])
@pytest.mark.parametrize("name", MACHINES)
def test_annealing_brackets_the_likelihood(float64, name, gradient):
    """Of chains that were never moved, too: reverse annealing lets them settle."""
    model = copies(made(name, gradient=gradient, chains=200), 30)
    x = data(name)
    exact = model.log_likelihood(x).detach().numpy()
    record = found(model, x, annealing_temperatures=60)
    for prefix, likelihood in (("", exact), ("heldout_", model.log_likelihood(x[:5]).detach().numpy())):
        for way in ("forward_ais", "reverse_ais"):
            value, low, high = (record[f"{prefix}{way}{end}"] for end in ENDS)
            assert ((low < value) & (value < high)).all()
            assert ((low < likelihood) & (likelihood < high)).mean() > 0.8
            assert abs((value - likelihood).mean()) < 0.03


@pytest.mark.parametrize("name", ["rbm", "dbm", "dbn"])
def test_forward_flatters_and_reverse_slights(float64, name):
    """With few temperatures, on average over copies, the chains of which are exact samples to begin with."""
    model, x = copies(made(name, replicas=1, latent_dim=3, chains=30, width=0.0), 1000), data(name)
    machine = next(part for part in model.modules() if isinstance(part, machines.Machine))
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.mul_(12)
        h = all_states(machine.hidden_offset.shape[-1], x).expand(1000, -1, -1)
        shares = machine.hidden_marginal(h)[0].softmax(1)
        chosen = torch.multinomial(shares, 30, replacement=True, generator=torch.Generator().manual_seed(0))
        machine.chains.copy_(h.take_along_dim(chosen[..., None], 1))
    evaluation = both(model, x, 8)
    record = estimates(model, evaluation, annealing_temperatures=1)
    # With the same posterior samples, log Z of all states
    exact = evaluation[""](model, 0)["elbo"]
    of = "" if name == "rbm" else "elbo_"
    for way, sign in (("forward", 1), ("reverse", -1)):
        value, low, high = (record[f"{of}{way}_ais{end}"] for end in ENDS)
        beyond = sign * (value - exact)
        assert beyond.mean() > 3 * beyond.std(ddof=1) / math.sqrt(1000), way
        # The logarithm of a mean of weights is further from what it may be at least than from what it may be at most
        longer = sign * ((high - value) - (value - low))
        assert (longer > -1e-9).all(), way
        assert (longer > 0).mean() > 0.9, way


@pytest.mark.parametrize("name", ["dbm", "dbn"])
def test_annealing_with_an_approximate_posterior_brackets_the_elbo(float64, name):
    """The error of the posterior samples is in the intervals, beside that of the chains."""
    x, copied = data(name), 200
    exact = made(name, replicas=1, estimator="enumeration", gradient="exact")
    model = copies(made(name, replicas=1, chains=100), copied)
    record = found(model, x, 3, annealing_temperatures=60)
    assert set(record) == {
        f"{p}elbo_{w}_ais{e}" for p in ("", "heldout_") for w in ("forward", "reverse") for e in ENDS
    }
    noise = torch.zeros(1, POINTS, 2)
    for prefix, points in (("", x), ("heldout_", x[:5])):
        elbo = exact.bound(points, noise[:, : len(points)]).elbo.item()
        for way in ("forward", "reverse"):
            value, low, high = (record[f"{prefix}elbo_{way}_ais{end}"] for end in ENDS)
            claimed = np.sqrt(np.mean(((high - low) / 2 / 1.96) ** 2))
            assert value.std(ddof=1) == pytest.approx(claimed, rel=0.25)
            assert abs(value.mean() - elbo) < 4 * claimed / math.sqrt(copied)
            assert ((low < elbo) & (elbo < high)).mean() > 0.87


@pytest.mark.parametrize("name", ["dbm", "dbn"])
def test_the_error_of_an_annealed_log_z_is_in_the_interval_of_the_bound(float64, monkeypatch, name):
    monkeypatch.setattr(machines, "ENUMERABLE", 0)
    settings = {"replicas": 1, "chains": 20, "temperatures": 5}
    x, values, claimed = data(name), [], []
    for seed in range(60):
        model = made(name, **settings)
        evaluations = {"": Evaluation(x, [seed], 3, Purpose.EVALUATION)}
        evaluations[""](model, 0)
        record = estimates(model, evaluations, importance_samples=5)
        values.append(record["importance_weighted_bound"])
        claimed.append((record["importance_weighted_bound_high"] - record["importance_weighted_bound"]) / 1.96)
    assert np.std(values, ddof=1) == pytest.approx(np.sqrt(np.mean(np.square(claimed))), rel=0.3)


@pytest.mark.parametrize("name", ["rbm", "dbm", "dbn"])
def test_standard_errors_of_a_record_have_those_of_the_chains(float64, monkeypatch, name):
    monkeypatch.setattr(machines, "ENUMERABLE", 0)
    x, model = data(name), made(name, replicas=1, chains=40, temperatures=20)
    records = []
    for step in range(60):
        next(part for part in model.modules() if isinstance(part, machines.Machine))._known = None
        records.append(Evaluation(x, [0], 4, Purpose.EVALUATION)(model, step))
    for quantity in ("elbo", "entropy_sum", "gap"):
        values, errors = (np.concatenate([r[f"{quantity}{end}"] for r in records]) for end in ("", "_standard_error"))
        assert values.std(ddof=1) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.35)


TRAIN = (np.random.default_rng(0).random((30, DIM)) < 0.4).astype(np.float32)
PLAIN = {"every": 4, "samples": 2, "certificate": False}
ASKED = {**PLAIN, "importance_samples": 3, "annealing_temperatures": 4}
NAMES = {
    "vae1": {"importance_weighted_bound"},
    "sbn": {"importance_weighted_bound"},
    "rbm": {"forward_ais", "reverse_ais"},
    "dbm": {"importance_weighted_bound", "elbo_forward_ais", "elbo_reverse_ais"},
    "dbn": {"importance_weighted_bound", "elbo_forward_ais", "elbo_reverse_ais"},
    "factor_analysis": set(),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_asks_differs_in_nothing_else(name):
    """And one that does not ask has none; a replica has the same estimates in any company."""
    settings = MODELS[name]()

    def trained(evaluation, seeds=(0, 1)):
        training = TrainingSettings(phases=[{"steps": 6, "batch_size": 10}], evaluation=evaluation, precision="float64")
        return Pack([Replica(seed, settings, training) for seed in seeds], TRAIN[:20], TRAIN[20:]).run()

    plain, asked, alone = trained(PLAIN), trained(ASKED), trained(ASKED, (1,))
    for quantity, values in plain.arrays().items():
        np.testing.assert_array_equal(asked.arrays()[quantity], values, err_msg=quantity)
    wanted = [f"{p}{n}{e}" for p in ("", "heldout_") for n in NAMES[name] for e in ENDS]
    assert set(asked.at_end) - set(plain.at_end) == set(wanted)
    estimated = {each.name for each in with_limits([*ESTIMATES, *twins(ESTIMATES)])}
    assert set(asked.at_end) & estimated == set(wanted)
    for quantity, values in asked.at_end.items():
        assert np.isfinite(values).all() or math.inf in np.abs(values)
        # A mean field settles for all replicas of a pack together, to a tolerance
        rtol = 1e-7 if name == "dbm" else 1e-9
        np.testing.assert_allclose(alone.at_end[quantity], values[1:], rtol=rtol, err_msg=quantity)


def test_where_all_states_are_gone_through_nothing_is_sampled():
    model = made("sbn", estimator="enumeration")
    assert found(model, data("sbn"), importance_samples=3) == {}
