"""Models: settings that act, shapes, constraints, the exact likelihood of the linear VAE."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from catalogue import accepted, dim_of, supported
from entropy_sums.models import MODELS, build
from entropy_sums.models.vae.settings import NetworkSettings

DIM = 5


def generators(count, start=0):
    return [torch.Generator().manual_seed(start + r) for r in range(count)]


def made(name, count=3, **settings):
    return build([MODELS[name](**settings)] * count, dim_of(name, DIM), generators(count))


def inputs(name, replicas=3, latents=2, points=7):
    source = torch.Generator().manual_seed(1)
    x = supported(name, torch.rand(points, dim_of(name, DIM), generator=source).round())
    return x, torch.randn(replicas, points, latents, generator=source)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name):
    model = made(name)
    model.bound(*inputs(name)).elbo.sum().backward()
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.shape[0] == 3
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.abs().flatten(1).sum(1).gt(0).all(), parameter_name


@pytest.mark.parametrize("name", MODELS)
def test_replicas_do_not_touch_each_other(name):
    x, noise = inputs(name)
    model = made(name)
    bound = model.bound(x, noise)
    gradients = torch.autograd.grad(bound.elbo[1], [p for p in model.parameters() if p.requires_grad])
    assert all(g[[0, 2]].abs().max() == 0 for g in gradients)
    alone = build([MODELS[name]()], dim_of(name, DIM), generators(1, start=1))
    torch.testing.assert_close(alone.bound(x, noise[1:2]).elbo, bound.elbo[1:2], rtol=1e-5, atol=1e-5)


def alternatives(settings):
    """For every setting of a model another value that must change what it computes."""
    other = {
        "latent_dim": 3,
        "initial_scale": 0.5,
        "encoder_width": 7,
        "encoder_depth": 3,
        "decoder_width": 9,
        "decoder_depth": 1,
        "activation": "tanh",
        "channels": 4,
        "width": 7,
        "variance_head": "softplus",
        "decoder_std": 0.3,
        "initial_std": 0.3,
        "prior_scale": 0.3,
        "posterior": "full",
        "beta": 0.5,
        "free_bits": 3.0,
        "output": "sigmoid",
    }
    return [(field, other[field]) for field in settings.model_fields if field in other]


HIDDEN = {
    "decoder_width": {"decoder_depth": 2},
    "encoder_width": {"encoder_depth": 2},
    "activation": {"encoder_depth": 2},
    "channels": {"depth": 1},
}
"""Settings of what other settings have an effect on."""


@pytest.mark.parametrize(("name", "field", "value"), [(n, f, v) for n, s in MODELS.items() for f, v in alternatives(s)])
def test_every_setting_changes_the_objective(name, field, value):
    x, noise = inputs(name, latents=3)
    needed = accepted(name, **HIDDEN.get(field, {}))
    before = made(name, **needed).bound(x, noise[..., :2]).elbo
    latents = 3 if field == "latent_dim" else 2
    after = made(name, **needed, **{field: value}).bound(x, noise[..., :latents]).elbo
    if (name, field) == ("linear_vae", "variance_head"):
        torch.testing.assert_close(before, after)  # the same standard deviations at the start, other gradients
    else:
        assert (before - after).abs().min() > 1e-4


def test_vae2_settings_of_unit_columns():
    for kind in ("parametrise", "renormalise"):
        model = made("vae2", unit_columns=kind)
        layer = model.decoder.mean[0].layers[0]
        pointer = layer.weight.data_ptr()
        with torch.no_grad():
            layer.weight.mul_(3)
        model.constrain()
        torch.testing.assert_close(layer.used_weight.norm(dim=2), torch.ones(3, 2))
        assert layer.weight.data_ptr() == pointer, "the optimiser would lose its parameter"


@pytest.mark.parametrize("kind", ["parametrise", "renormalise"])
def test_vae2_without_hidden_layers_has_unit_columns(kind):
    model = made("vae2", decoder_depth=0, unit_columns=kind)
    torch.testing.assert_close(model.decoder.mean[1].used_weight.norm(dim=2), torch.ones(3, 2))


@pytest.mark.parametrize("head", ["log_variance", "softplus", "leaky_relu"])
def test_initial_standard_deviations(head):
    model = build([MODELS["vae1"](initial_std=std, variance_head=head) for std in (0.1, 1.0)], DIM, generators(2))
    deviation = model.observation(torch.zeros(2, 1, 2)).variance.sqrt()[:, 0, 0]
    torch.testing.assert_close(deviation, torch.tensor([0.1, 1.0]))


def initial(name, **settings):
    return build([MODELS[name](**settings)], DIM, generators(1))


def test_every_initial_standard_deviation_has_a_setting():
    x, z = torch.zeros(2, DIM), torch.zeros(1, 2, 2)
    encoder = initial("linear_vae", initial_encoder_std=0.25, initial_std=0.5)
    torch.testing.assert_close(encoder.posterior(x).variance, torch.full((1, 2, 2), 0.25**2))
    torch.testing.assert_close(encoder.observation(z).variance.flatten()[0], torch.tensor(0.25))
    torch.testing.assert_close(
        initial("vae2", initial_prior_std=3.0).latent_prior().variance.flatten(), torch.full((2,), 9.0)
    )


def test_encoder_of_the_published_training_curves():
    """Two layers of their own widths, LeakyReLU on both heads, biases of the variance head at -3."""
    settings = {
        "encoder_width": (7, 4),
        "decoder_width": (4, 7),
        "activation": "leaky_relu",
        "encoder_output": "leaky_relu",
        "output": "leaky_relu",
        "encoder_variance_bias": -3.0,
    }
    model = initial("vae1", **settings)
    first, second = model.encoder.trunk.layers
    assert (first.weight.shape, second.weight.shape) == ((1, DIM, 7), (1, 7, 4))
    x = torch.randn(6, DIM, generator=torch.Generator().manual_seed(0))
    leaky = torch.nn.functional.leaky_relu
    hidden = leaky(leaky(x @ first.weight + first.bias) @ second.weight + second.bias)
    found, heads = model.posterior(x), model.encoder
    torch.testing.assert_close(heads.spread.bias, torch.full((1, 1, 2), -3.0))
    torch.testing.assert_close(found.mean, leaky(hidden @ heads.mean.weight + heads.mean.bias))
    torch.testing.assert_close(found.variance.log(), leaky(hidden @ heads.spread.weight + heads.spread.bias))
    network, last = model.decoder.mean
    z = torch.randn(1, 6, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model.observation(z).mean, leaky(network(z) @ last.weight + last.bias))


def test_a_width_for_each_layer():
    with pytest.raises(ValueError, match=r"encoder_width: \[16, 4, 3\] has 3 numbers .* write encoder_depth: 3"):
        MODELS["vae1"](encoder_width=(16, 4, 3))


def test_linear_vae_likelihood_against_scipy(float64):
    model = made("linear_vae", variance_head="softplus")
    x = torch.randn(9, DIM, generator=torch.Generator().manual_seed(3))
    values = model.log_likelihood(x)
    for r in range(3):
        weight = model.decoder.mean.weight[r].detach().numpy()
        bias = model.decoder.mean.bias[r, 0].detach().numpy()
        covariance = weight.T @ weight + np.eye(DIM)
        expected = multivariate_normal(bias, covariance).logpdf(x.numpy()).mean()
        assert values[r].item() == pytest.approx(expected, abs=1e-12)


CORRELATED = {"factor_analysis"}
"""Models whose latents have more entropy one by one than together."""

DEEP = {"dbn"}
"""Models of whose layers only the lowest one is looked at one by one."""


@pytest.mark.parametrize("name", MODELS)
def test_latent_entropy_adds_up_to_the_posterior_entropy(name, float64):
    model, (x, noise) = made(name), inputs(name)
    x, noise = x.double(), noise.double()
    parts, whole = model.latent_entropy(x).sum(1), model.bound(x, noise).posterior_entropy
    if name in CORRELATED:
        assert (parts > whole).all()
    elif name in DEEP:
        assert (parts < whole).all()
    else:
        torch.testing.assert_close(parts, whole)


def test_packs_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="packed settings"):
        build([MODELS["vae1"](latent_dim=2), MODELS["vae1"](latent_dim=3)], DIM, generators(2))


def test_defaults_are_the_published_network():
    """Two hidden layers of 50 rectified units in both nets (Damm et al. 2023, figures 1b and 1c)."""
    defaults = NetworkSettings()
    assert (defaults.encoder_width, defaults.encoder_depth, defaults.activation) == (50, 2, "relu")


@pytest.mark.parametrize("shape", [(20,), (3, 20)])
@pytest.mark.parametrize("name", MODELS)
def test_bound_of_several_samples_is_the_mean_of_their_bounds(name, shape, float64):
    model = made(name)
    source = torch.Generator().manual_seed(6)
    x = supported(name, torch.rand(*shape, dim_of(name, DIM), generator=source).round())
    noise = torch.randn(3, 4 * 20, 2, generator=source)
    together = model.bound(x, noise, model.posterior(x))
    alone = [model.bound(x, part) for part in noise.chunk(4, dim=1)]
    for value in ("elbo", "entropy_sum", "gap"):
        mean = torch.stack([getattr(bound, value) for bound in alone]).mean(0)
        torch.testing.assert_close(getattr(together, value), mean, rtol=1e-12, atol=1e-12)


def test_elbo_is_below_the_likelihood(float64):
    model = made("linear_vae")
    source = torch.Generator().manual_seed(5)
    x = torch.randn(20, DIM, generator=source)
    elbo = torch.stack([model.bound(x, torch.randn(3, 20, 2, generator=source)).elbo for _ in range(500)])
    standard_error = elbo.std(0) / math.sqrt(500)
    assert (elbo.mean(0) < model.log_likelihood(x) + 4 * standard_error).all()
