"""Averages over posterior samples against themselves written out, and decoders that use them against all samples."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from entropy_sums.distributions import Normal
from entropy_sums.layers import Dropout, drawing
from entropy_sums.models import MODELS, build
from entropy_sums.models.vae.averages import NormalOfFeatures, NormalOnFeatures, center_and_covariance
from entropy_sums.models.vae.gaussian import LinearVAE


def test_center_and_covariance_by_hand(float64):
    features = torch.randn(2, 5, 7, 3, generator=torch.Generator().manual_seed(0))
    center, covariance = center_and_covariance(features)
    for r in range(2):
        each = [torch.cov(features[r, :, n].T, correction=0) for n in range(7)]
        torch.testing.assert_close(covariance[r], torch.stack(each).mean(0))
    torch.testing.assert_close(center, features.mean(1))


def test_gradients(float64):
    features = torch.randn(2, 3, 4, 2, generator=torch.Generator().manual_seed(1), requires_grad=True)
    with torch.random.fork_rng():  # the checks draw directions
        assert gradcheck(center_and_covariance, features)
        assert gradgradcheck(center_and_covariance, features)


def test_small_deviations_keep_their_digits():
    """The covariance is of deviations: second moments minus the square of the mean would have none left."""
    features = 1000 + 1e-1 * torch.randn(1, 50, 100, 2, generator=torch.Generator().manual_seed(2))
    _, covariance = center_and_covariance(features)
    _, expected = center_and_covariance(features.double())
    torch.testing.assert_close(covariance, expected, rtol=1e-4, atol=1e-5)


REPLICAS, POINTS, SAMPLES, DIM, LATENTS = 3, 17, 4, 4, 2


def made(name, **settings):
    """A tuple is a setting of each replica."""
    settings = {"latent_dim": LATENTS, **settings}
    each = [{k: v[r] if isinstance(v, tuple) else v for k, v in settings.items()} for r in range(REPLICAS)]
    generators = [torch.Generator().manual_seed(seed) for seed in range(REPLICAS)]
    return build([MODELS[name](**chosen) for chosen in each], DIM, generators)


CASES = [
    ("linear_vae", {}),
    ("vae0", {"decoder_depth": 1, "decoder_width": 3}),
    ("vae1", {"decoder_depth": 1, "decoder_width": 3, "variance_head": "softplus"}),
    ("vae1", {"decoder_depth": 0, "beta": (1.0, 0.5, 2.0)}),
    ("vae2", {"decoder_depth": 0, "unit_columns": "parametrise"}),
    ("vae2", {"decoder_depth": 2, "decoder_width": 2}),
]


def elbo_and_gradients(model, x, noise):
    bound = model.bound(x, noise)
    parameters = [p for p in model.parameters() if p.requires_grad]
    return bound.elbo, bound.entropy_sum, torch.autograd.grad(bound.elbo.sum(), parameters)


def points_and_noise(*leading):
    source = torch.Generator().manual_seed(3)
    x = torch.randn(*leading, POINTS, DIM, generator=source)
    return x, torch.randn(REPLICAS, SAMPLES * POINTS, LATENTS, generator=source)


@pytest.mark.parametrize("leading", [(), (REPLICAS,)])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_bounds_from_averages_are_those_of_all_samples(float64, monkeypatch, name, settings, leading):
    model, (x, noise) = made(name, **settings), points_and_noise(*leading)
    found = elbo_and_gradients(model, x, noise)
    monkeypatch.setattr(NormalOfFeatures, "mean_log_prob", Normal.mean_log_prob)
    torch.testing.assert_close(found, elbo_and_gradients(model, x, noise), rtol=1e-11, atol=1e-11)


def test_dropped_units_are_those_of_all_samples(float64, monkeypatch):
    model, (x, noise) = made("vae1", decoder_depth=2, decoder_width=3, dropout=0.5), points_and_noise()
    layers = [module for module in model.modules() if isinstance(module, Dropout)]

    def results():
        with drawing(layers, [torch.Generator().manual_seed(seed) for seed in range(REPLICAS)]):
            return elbo_and_gradients(model, x, noise)

    found = results()
    monkeypatch.setattr(NormalOfFeatures, "mean_log_prob", Normal.mean_log_prob)
    torch.testing.assert_close(found, results(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_the_mean_features_alone_meet_the_data(name, settings):
    model, (x, noise) = made(name, **settings), points_and_noise()
    seen = []
    last = list(model.decoder.mean.modules())[-1]
    last.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
    model.bound(x, noise)
    assert seen == [POINTS]


@pytest.mark.parametrize("settings", [{"decoder_width": 9}, {"decoder_width": 2, "output": "sigmoid"}])
def test_decoders_with_many_features_or_a_nonlinear_mean_see_all_samples(settings):
    assert not isinstance(made("vae1", **settings).decoder, NormalOnFeatures)


class Shifted(LinearVAE):
    """The mean of what averages its samples, moved."""

    def observation(self, z):
        return Normal(super().observation(z).mean + 5, torch.zeros(1, 1, 1))


def test_an_observation_of_ones_own_is_not_passed_by(float64, monkeypatch):
    monkeypatch.setattr("entropy_sums.models.vae.gaussian.LinearVAE", Shifted)
    model, (x, noise) = made("linear_vae"), points_and_noise()
    assert isinstance(model, Shifted)
    one = [model.bound(x, part).elbo for part in noise.split(POINTS, dim=1)]
    torch.testing.assert_close(model.bound(x, noise).elbo, torch.stack(one).mean(0))


class Surprised(LinearVAE):
    """An entropy that depends on the mean of every sample."""

    def observation_entropy(self, observation, x):
        return -observation.log_prob(x)


def test_an_entropy_of_ones_own_sees_all_samples(float64, monkeypatch):
    monkeypatch.setattr("entropy_sums.models.vae.gaussian.LinearVAE", Surprised)
    model, (x, noise) = made("linear_vae"), points_and_noise()
    observation = model.bound(x, noise).factors["observation"]
    torch.testing.assert_close(observation.entropy, observation.cross_entropy)


@pytest.mark.parametrize("dim", [1, 2, 3, 16])
def test_the_forecast_knows_whose_samples_are_averaged(dim):
    settings = {"decoder_width": 2, "decoder_depth": 1}
    for name, kind in MODELS.items():
        chosen = kind(**{k: v for k, v in settings.items() if k in kind.model_fields})
        if name == "conv_vae" and dim != 16:
            continue
        decoder = getattr(build([chosen], dim, [torch.Generator()]), "decoder", None)
        assert isinstance(decoder, NormalOnFeatures) == (chosen.sampled_dim(dim) < dim), name
