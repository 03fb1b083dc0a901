"""Certificates: found where the theorem holds, not found where it does not, and nothing in between."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from catalogue import accepted, dim_of, supported
from entropy_sums.bound import Bound, Factor
from entropy_sums.certificates.certificate import TOTAL, Certificate, certify, randomised
from entropy_sums.certificates.system import EQUATIONS_PER_DIRECTION, solve
from entropy_sums.certificates.verdict import THRESHOLD
from entropy_sums.models import MODELS, build
from entropy_sums.models.directions import Direction
from entropy_sums.models.vae.vae import VAE

pytestmark = pytest.mark.usefixtures("float64")

DIM = 5
SMALL = {"encoder_width": 6, "encoder_depth": 1, "decoder_width": 6, "decoder_depth": 1, "width": 2}

# Rates are exponentials of what the network says: spread any wider, they differ by a factor of a million.
SMALL_RATES = (("initial_scale", 0.3),)

ENCODER = "1/2 · encoder.mean.weight, 1/2 · encoder.mean.bias, 1 · shift of encoder.spread.bias"
PROVEN = {
    ("vae1", ()): (f"{ENCODER}, -1/2 · decoder.mean.0.layers.0.weight", "-1 · shift of decoder.spread"),
    ("vae1", (("activation", "tanh"), ("encoder_depth", 2))): (
        f"{ENCODER}, -1/2 · decoder.mean.0.layers.0.weight",
        "-1 · shift of decoder.spread",
    ),
    ("vae2", ()): ("-1/2 · shift of latent_prior.log_std", "-1 · shift of decoder.spread"),
    ("vae2", (("unit_columns", "renormalise"),)): (
        "-1/2 · shift of latent_prior.log_std",
        "-1 · shift of decoder.spread",
    ),
    ("vae2", (("variance_head", "softplus"),)): (
        "-1/2 · shift of latent_prior.log_std",
        "c(Θ) · shift of decoder.spread",
    ),
    ("vae3", ()): (f"{ENCODER}, -1/2 · decoder.trunk.layers.0.weight", "-1 · shift of decoder.spread.bias"),
    ("conv_vae", ()): (f"{ENCODER}, -1/2 · decoder.mean.0.layers.0.weight", "-1 · shift of decoder.spread"),
    ("conv_vae", (("channels", 4), ("depth", 1), ("output", "sigmoid"))): (
        f"{ENCODER}, -1/2 · decoder.mean.0.layers.0.weight",
        "-1 · shift of decoder.spread",
    ),
    ("bernoulli_vae", ()): (
        f"{ENCODER}, -1/2 · decoder.network.0.layers.0.weight",
        "1 · decoder.network.1.weight, 1 · decoder.network.1.bias",
    ),
    ("vae1", (("beta", 4.0),)): (
        f"{ENCODER}, -1/2 · decoder.mean.0.layers.0.weight",
        "-1 · shift of decoder.spread",
    ),
    ("vae2", (("variance_head", "leaky_relu"),)): (
        "-1/2 · shift of latent_prior.log_std",
        "c(Θ) · shift of decoder.spread",
    ),
    ("vae1", (("output", "sigmoid"),)): (
        f"{ENCODER}, -1/2 · decoder.mean.0.layers.0.weight",
        "-1 · shift of decoder.spread",
    ),
    ("poisson_vae", SMALL_RATES): (
        f"{ENCODER}, -1/2 · decoder.network.0.layers.0.weight",
        "1 · decoder.network.1.weight, 1 · decoder.network.1.bias",
    ),
    ("linear_vae", ()): (
        "1 · shift of encoder.spread, 1/2 · encoder.mean.weight, 1/2 · encoder.mean.bias, -1/2 · decoder.mean.weight",
        "-1 · shift of decoder.spread",
    ),
    ("gaussian_mixture", (("covariance", "scalar"),)): ("1 · prior_bias", "-1/2 · shift of components.log_std"),
    ("gaussian_mixture", ()): ("1 · prior_bias", "-1/2 · shift of components.log_std"),
    ("gaussian_mixture", (("covariance", "full"),)): (
        "1 · prior_bias",
        "-1/2 · shift of components.log_diagonal, -1/2 · components.below",
    ),
    ("poisson_mixture", ()): ("1 · prior_bias", "1 · components.weight"),
    ("bernoulli_mixture", ()): ("1 · prior_bias", "1 · components.weight"),
    ("exponential_mixture", ()): ("1 · prior_bias", "1 · shift of components.weight"),
    ("gamma_mixture", ()): (
        "1 · prior_bias",
        "1 · shift of components.log_rate, 1 · components.concentration, -1 · shift of components.concentration",
    ),
    ("sparse_coding", ()): ("-1 · shift of log_scale", "-1/2 · shift of log_std"),
    ("sparse_coding", (("posterior", "diagonal"),)): ("-1 · shift of log_scale", "-1/2 · shift of log_std"),
    ("sparse_coding", (("posterior", "full"),)): ("-1 · shift of log_scale", "-1/2 · shift of log_std"),
    ("factor_analysis", ()): ("-1/2 · linear.weight", "-1/2 · shift of noise_bias"),
    ("factor_analysis", (("noise", "scalar"),)): ("-1/2 · linear.weight", "-1/2 · shift of noise_bias"),
    ("sbn", ()): ("1 · prior.bias", "1 · decoders.0.network.1.weight, 1 · decoders.0.network.1.bias"),
    ("sbn", (("prior", "uniform"),)): ("0", "1 · decoders.0.network.1.weight, 1 · decoders.0.network.1.bias"),
}
UNPROVEN = {
    ("vae0", ()): ["observation"],
    ("sbn", (("prior", "fixed"),)): ["prior"],
    ("sparse_coding", (("prior", "fixed"),)): ["prior"],
    ("sparse_coding", (("prior", "fixed"), ("posterior", "full"))): ["prior"],
    ("vae1", (("variance_head", "softplus"),)): ["prior"],
    ("vae3", (("variance_head", "softplus"),)): ["prior", "observation"],
    ("conv_vae", (("variance_head", "softplus"),)): ["prior"],
    ("vae1", (("variance_head", "leaky_relu"),)): ["prior"],
    ("vae3", (("variance_head", "leaky_relu"),)): ["prior", "observation"],
    ("poisson_vae", (*SMALL_RATES, ("observation_entropy", "true"))): ["observation"],
    ("poisson_mixture", (("observation_entropy", "true"),)): ["observation"],
    ("vae1", (("free_bits", 2.0),)): ["prior"],
    ("vae1", (("beta", 4.0), ("entropies", "unweighted"))): ["prior"],
    ("vae2", (("beta", 0.25), ("entropies", "unweighted"))): ["prior"],
}


def made(name, settings=(), replicas=2, seed=0):
    chosen = accepted(name, **SMALL | dict(settings))
    source = torch.Generator().manual_seed(seed)
    return build([MODELS[name](**chosen)] * replicas, dim_of(name, DIM), [source] * replicas)


def points(name, seed=1):
    return supported(name, torch.randn(120, dim_of(name, DIM), generator=torch.Generator().manual_seed(seed)) + 0.5)


def certified(name, settings=(), **options):
    return certify(made(name, settings), points(name), **options)


@pytest.mark.parametrize(("case", "words"), PROVEN.items(), ids=str)
def test_the_direction_of_the_theorem_is_found(case, words):
    certificate = certified(*case)
    assert certificate.residual() < 1e-10
    assert certificate.holds()
    assert tuple(certificate.direction_of(factor) for factor in ("prior", "observation")) == words


@pytest.mark.parametrize(("case", "failing"), UNPROVEN.items(), ids=str)
def test_a_model_without_a_direction_says_which_factor_fails(case, failing):
    certificate = certified(*case)
    assert [factor for factor in certificate.factors[:-1] if not certificate.holds(factor)] == failing
    assert not certificate.holds()
    assert certificate.direction_of() == f"no direction of {', '.join(failing)}"


def wrong_sign(bound):
    factor = bound.factors["observation"]
    return {**bound.factors, "observation": Factor(factor.cross_entropy, -factor.entropy)}


def missing_factor(bound):
    """Its cross-entropy is in the ELBO, its entropy in no sum."""
    factor = bound.factors["prior"]
    return {**bound.factors, "prior": Factor(factor.cross_entropy, torch.zeros_like(factor.cross_entropy))}


def detached_gradient(bound):
    factor = bound.factors["observation"]
    return {**bound.factors, "observation": Factor(factor.cross_entropy.detach(), factor.entropy)}


@pytest.mark.parametrize("mistake", [wrong_sign, missing_factor, detached_gradient])
@pytest.mark.parametrize("name", ["linear_vae", "vae1", "vae2", "vae3", "conv_vae", "bernoulli_vae", "poisson_vae"])
def test_a_broken_model_is_caught(name, mistake, monkeypatch):
    model, right = made(name), VAE.bound

    def broken(self, x, noise, posterior=None):
        bound = right(self, x, noise, posterior)
        return replace(bound, factors=mistake(bound))

    assert certify(model, points(name), trials=2).holds()
    monkeypatch.setattr(VAE, "bound", broken)
    certificate = certify(model, points(name), trials=2)
    assert not certificate.holds()
    assert max(certificate.residual(factor) for factor in certificate.factors[:-1]) > 1e-3


def test_parameters_are_as_well_spread_as_numbers_stay_finite():
    """Far from the start log rates of large counts overflow."""
    model, x = made("poisson_vae"), 400 * points("poisson_vae").double()
    model.double().start(x, [])
    certificate = certify(model, x, trials=4)
    assert certificate.residual() < 1e-8
    with pytest.raises(ValueError, match=r"at the start.*value is \d.*e\+200; bring the points to a"):
        certify(made("vae1"), 1e200 * points("vae1"))


def test_the_total_is_no_smaller_failure_than_its_factors():
    """Of points far away the observation has a gap that hides much smaller ones."""
    certificate = certify(made("vae1", (("variance_head", "softplus"),)), 30 * points("vae1"))
    assert certificate.holds("observation")
    for factor in ("prior", "total"):
        assert certificate.residuals[certificate.factors.index(factor)].min() > 1e-4, factor


def test_the_threshold_lies_in_the_empty_space_between_residuals():
    holding = [certified(*case, seed=3).residuals for case in PROVEN]
    failing = [certified(*case, seed=3) for case in UNPROVEN]
    largest = max(residuals.max() for residuals in holding)
    smallest = min(
        c.residual(factor) for c, factors in zip(failing, UNPROVEN.values(), strict=True) for factor in factors
    )
    assert largest < 1e-3 * THRESHOLD < 100 * THRESHOLD < smallest


@pytest.mark.parametrize("case", PROVEN, ids=str)
def test_the_gap_is_the_derivative_along_the_direction(case):
    """At other parameters, data and noise than those that it was found with."""
    certificate = certified(*case)
    source = torch.Generator().manual_seed(9)
    model, x = randomised(made(*case, seed=4), source), points(case[0], seed=5)
    bound = model.bound(x, torch.randn(2, len(x), 2, generator=source))
    bound.elbo.sum().backward()
    gaps = torch.stack([factor.gap for factor in bound.factors.values()], dim=-1)
    np.testing.assert_allclose(certificate.along(model, x), gaps.detach().numpy(), rtol=1e-9, atol=1e-10)


def test_a_weight_decay_leaves_a_gap_of_as_much_times_what_is_along_the_parameters():
    """Where the gradient is that of the penalty, v·∇F = λ v·θ, from the parameters by hand."""
    certificate, decay = certified("vae1"), 0.1
    model = randomised(made("vae1", seed=4), torch.Generator().manual_seed(9))
    for parameter in model.parameters():
        parameter.grad = decay * parameter.detach()

    def square(parameter):
        return parameter.detach().flatten(1).square().sum(1)

    encoder, decoder = model.encoder, model.decoder
    heads = square(encoder.mean.weight) + square(encoder.mean.bias)
    shift = encoder.spread.bias.detach().flatten(1).sum(1)
    prior = 0.5 * (heads - square(decoder.mean[0].layers[0].weight)) + shift
    expected = torch.stack([prior, -decoder.spread.detach().flatten()], dim=1).numpy()
    np.testing.assert_allclose(certificate.along_parameters(model, points("vae1")), expected, rtol=1e-12)
    np.testing.assert_allclose(certificate.along(model, points("vae1")), decay * expected, rtol=1e-12)


def test_factors_without_a_direction_have_no_derivative():
    model = made("vae0")
    certificate = certify(model, points("vae0"))
    model.bound(points("vae0"), torch.zeros(2, 120, 2)).elbo.sum().backward()
    assert np.isnan(certificate.along(model, points("vae0"))).tolist() == [[False, True]] * 2


@pytest.mark.parametrize("name", MODELS)
def test_there_are_too_few_directions_to_fit_any_gap(name, monkeypatch):
    """The gaps of other minibatches are not predicted."""
    model = randomised(made(name, replicas=1), torch.Generator().manual_seed(2))
    bound = type(model).bound

    def wrong(self, x, noise, posterior=None):
        right = bound(self, x, noise, posterior)
        factors = {
            factor: Factor(value.cross_entropy, value.entropy + x[..., 0].square().mean(-1))
            for factor, value in right.factors.items()
        }
        return Bound(right.posterior_entropy, factors)

    monkeypatch.setattr(type(model), "bound", wrong)
    solution = solve(model, 0, points(name).double() * torch.linspace(0.5, 1.5, 120)[:, None], torch.Generator())
    assert (solution.residuals > 1e-3).all()
    assert solution.system.fitted == EQUATIONS_PER_DIRECTION * len(model.directions()) >= 5 * len(model.directions())


def test_nothing_is_told_where_any_function_of_the_data_would_be_fitted():
    """Without noise there are as many equations as there are distinct points, however many minibatches are drawn."""
    model = made("bernoulli_mixture")
    points = (torch.eye(DIM)[[0, 1, 2, 2, 1, 0]] > 0).double()
    certificate = certify(model, points)
    assert np.isnan(certificate.residuals).all()
    assert not any(map(certificate.holds, certificate.factors))
    assert certificate.direction_of().startswith(f"not told: {len(certificate.directions)} directions fit any function")
    assert np.isnan(certificate.along(model, points)).all()


def test_the_verdict_is_the_same_alone_and_in_a_pack():
    one, many = (certify(made("vae1", replicas=r), points("vae1"), trials=4) for r in (1, 4))
    assert one.trials == many.trials == 4
    assert one.direction_of() == many.direction_of()
    np.testing.assert_array_equal(one.constants, many.constants)


def test_the_model_is_left_as_it_is():
    model = made("vae1")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    certify(model, points("vae1"), trials=1)
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_spread_parameters_are_far_from_the_initial_ones():
    model = made("vae1", replicas=3)
    scattered = randomised(model, torch.Generator().manual_seed(0))
    for before, after in zip(model.parameters(), scattered.parameters(), strict=True):
        assert ((after - before).flatten(1).norm(dim=1) > 0.2 * before.flatten(1).norm(dim=1)).all()


def test_entries_with_one_coefficient_are_one_shift():
    candidates = (Direction("w", "radial"), Direction("w", "shift"), *(Direction("s", "shift", i) for i in range(2)))
    coefficients = np.array([[[0.5, 0, -1, -1]] * 2, [[1 / 3, 0.123, 1, 2]] * 2, [[0, 0, 0, 0]] * 2])
    certificate = Certificate(("a", "b", TOTAL), candidates, coefficients, np.zeros((3, 2)), 20, np.ones((3, 2)), 4)
    assert certificate.direction_of("a") == "1/2 · w, -1 · shift of s"
    assert certificate.direction_of("b") == "1/3 · w, 0.123 · shift of w, 1 · shift of s[0], 2 · shift of s[1]"
    assert certificate.direction_of() == "0"


@pytest.mark.parametrize(("depth", "latent_dim"), [(2, 2), (2, 3), (3, 2)])
def test_a_fixed_prior_has_no_certificate_where_its_layer_says_little_of_a_point(depth, latent_dim):
    """Of four or eight states of the lowest layer, gradients span every function, this gap among them."""
    enumerated = {"depth": depth, "latent_dim": latent_dim, "estimator": "enumeration", "prior_mean": 0.05}
    control, proven = (certified("sbn", {**enumerated, "prior": prior}) for prior in ("fixed", "learned"))
    assert np.isnan(control.residual("prior"))
    assert not control.holds()
    assert control.direction_of("prior").startswith("not told")
    assert control.residual("observation") < 1e-10
    assert proven.residual() < 1e-10
    assert proven.direction_of("prior") == "1 · prior.bias"


@pytest.mark.parametrize("depth", [2, 3])
def test_nor_where_it_has_a_single_latent(depth):
    settings = {"depth": depth, "latent_dim": 1, "estimator": "enumeration", "prior": "fixed", "prior_mean": 0.05}
    certificate = certified("sbn", {**settings, "encoder_depth": 0, "decoder_depth": 0})
    assert np.isnan([certificate.residual(factor) for factor in ("prior", "total")]).all()


def test_deep_machines_of_few_states_keep_their_certificate():
    certificate = certified("dbn", {"depth": 3, "latent_dim": 2, "estimator": "enumeration", "gradient": "exact"})
    assert certificate.residual() < 1e-10
    machine = "prior.machine"
    assert certificate.direction_of("joint") == ", ".join(
        f"1 · {machine}.{place}" for place in ("visible.bias", "hidden.weight", "hidden.bias")
    )


def test_a_fixed_variance_has_no_certificate_in_one_dimension():
    """There its gap depends on two moments of the data, as the derivatives do."""
    source = torch.Generator().manual_seed(0)
    model = build([MODELS["vae0"](encoder_depth=0, decoder_depth=0)], 1, [source])
    certificate = certify(model, torch.randn(200, 1, generator=source))
    assert not certificate.holds("observation")
    assert np.isnan(certificate.residual("observation"))
