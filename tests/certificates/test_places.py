"""Certificates far from the start and where training ended: floors, clamps and thresholds are found."""

import numpy as np
import pytest
import torch
from torch import nn

from entropy_sums.certificates.certificate import certify
from entropy_sums.certificates.verdict import THRESHOLD
from entropy_sums.distributions import Bernoulli, Normal
from entropy_sums.models import MODELS
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NaturalParameter, StandardNormal
from entropy_sums.models.vae.vae import VAE, network_decoder, network_encoder

pytestmark = pytest.mark.usefixtures("float64")

DIM = 4
SMALL = {"encoder_width": 5, "encoder_depth": 1, "decoder_width": 5, "decoder_depth": 1}


class Spread(nn.Module):
    """A decoder with log σ = f(s)."""

    def __init__(self, mean, log_std, replicas):
        super().__init__()
        self.mean, self.log_std, self.s = mean, log_std, nn.Parameter(torch.zeros(replicas, 1, 1))

    def forward(self, z):
        return Normal(self.mean(z), self.log_std(self.s))


class Clamped(nn.Module):
    """A posterior or a latent whose values are cut off."""

    def __init__(self, inner, cut):
        super().__init__()
        self.inner, self.cut = inner, cut

    def forward(self, x):
        return self.cut(self.inner, x)


def blueprint(replicas=1):
    return Blueprint([MODELS["vae1"](**SMALL)] * replicas, DIM, [torch.Generator().manual_seed(0)] * replicas)


def with_spread(log_std, replicas=1):
    plan = blueprint(replicas)
    return VAE(plan, network_encoder(plan), StandardNormal(2), Spread(network_decoder(plan), log_std, replicas))


def cut_posterior(encoder, x):
    q = encoder(x)
    return Normal(q.loc, q.log_std.clamp(-5, 5))


def with_cut_posterior():
    plan = blueprint()
    encoder = Clamped(network_encoder(plan), cut_posterior)
    return VAE(plan, encoder, StandardNormal(2), Spread(network_decoder(plan), lambda s: s, 1))


def with_cut_latents():
    plan = blueprint()
    decoder = Clamped(Spread(network_decoder(plan), lambda s: s, 1), lambda inner, z: inner(z.clamp(-40, 40)))
    return VAE(plan, network_encoder(plan), StandardNormal(2), decoder)


def with_cut_outputs(family, limit):
    plan = blueprint()
    decoder = nn.Sequential(Clamped(network_decoder(plan), lambda inner, z: inner(z).clamp(-limit, limit)))
    return VAE(plan, network_encoder(plan), StandardNormal(2), NaturalParameter(family, decoder))


def points(number=60, seed=1):
    return torch.randn(number, DIM, generator=torch.Generator().manual_seed(seed))


FLOORS = {
    "clamp": lambda s: s.clamp(min=-2.0),
    "ceiling": lambda s: s.clamp(max=3.0),
    "both": lambda s: s.clamp(-10, 10),
    "max of σ": lambda s: s.exp().clamp(min=1e-3).log(),
    "where": lambda s: torch.where(s > -3, s, torch.full_like(s, -3)),
    "hard tanh": lambda s: 4 * nn.functional.hardtanh(s / 4),
    "bounded": lambda s: 5 * torch.tanh(s / 5),
}


@pytest.mark.parametrize("log_std", FLOORS.values(), ids=FLOORS)
def test_a_bounded_standard_deviation_is_no_certificate_everywhere(log_std):
    found = certify(with_spread(log_std), points(), reach=True)
    assert found.residual("observation") < 1e-10, "near the start"
    assert found.holds("prior")
    for factor in ("observation", "total"):
        assert found.verdict(factor) == "does not hold everywhere"
        assert not found.holds(factor)
        assert ", but not at " in found.direction_of(factor)


CUT = {
    "posterior": (with_cut_posterior, "prior", points()),
    "latents": (with_cut_latents, "prior", points()),
    "logits": (lambda: with_cut_outputs(Bernoulli, 30.0), "observation", (points() > 0).double()),
}


@pytest.mark.parametrize("case", CUT)
def test_nor_is_what_is_cut_off_elsewhere(case):
    model, factor, x = CUT[case]
    found = certify(model(), x, reach=True)
    assert found.residual(factor) < 1e-10, "near the start"
    assert found.verdict(factor) == found.verdict() == "does not hold everywhere"


SMOOTH = {
    "plain": (lambda s: s, "holds"),
    "log variance": (lambda s: 0.5 * s, "holds"),
    "softplus": (lambda s: torch.where(s < -15, s, nn.functional.softplus(s.clamp(min=-15)).log()), None),
    "leaky": (lambda s: nn.functional.leaky_relu(s, 0.2), None),
}


@pytest.mark.parametrize(("log_std", "said"), SMOOTH.values(), ids=SMOOTH)
def test_a_standard_deviation_without_bounds_is_one(log_std, said):
    found = certify(with_spread(log_std), points(), reach=True)
    assert found.verdict() == (said or "holds where v is finite")
    assert ("c(Θ)" in found.direction_of()) == (said is None)
    assert found.places > 50


def at(value, replicas=1):
    """A model with a floor at log σ = −2, and s at this value."""
    model = with_spread(FLOORS["clamp"], replicas)
    with torch.no_grad():
        model.decoder.s.fill_(value)
    return model


def test_the_residual_where_training_ended_says_that_the_identity_fails_there():
    found = certify(at(0.0), points(), trials=2)
    assert found.holds()
    assert (found.residuals_at(at(-1.9), points()) < THRESHOLD).all()
    ((prior, observation),) = found.residuals_at(at(-2.1), points())
    assert prior < THRESHOLD < 0.1 < observation


def test_a_direction_that_depends_on_the_parameters_is_nan_where_there_is_none():
    """Softplus with a floor: above it v is c(Θ), below it there is none."""

    def floored(s):
        return nn.functional.softplus(s).log().clamp(min=-2.0)

    found = certify(with_spread(floored), points(), trials=2)
    assert np.isnan(found.constants[1]).any()
    assert found.holds("observation")
    for value, sound in ((0.5, True), (-4.0, False)):
        model = with_spread(floored)
        with torch.no_grad():
            model.decoder.s.fill_(value)
        bound = model.bound(points(), torch.randn(1, 60, 2, generator=torch.Generator().manual_seed(3)))
        bound.elbo.sum().backward()
        along, gap = found.along(model, points())[0, 1], bound.factors["observation"].gap.item()
        assert np.isnan(along) != sound
        assert np.isnan(found.along_parameters(model, points())[0, 1]) != sound
        if sound:
            assert along == pytest.approx(gap, rel=1e-9)


def test_few_points_hold_on_these_data_only():
    model = with_spread(lambda s: s)
    few = certify(model, points(6))
    assert few.distinct == 6 < len(few.directions)
    assert few.verdict() == "holds on these data"
    assert certify(model, points(6).repeat(20, 1)).verdict() == "holds on these data"
    assert certify(model, points()).verdict() == "holds"


def test_a_floor_that_is_added_makes_v_long():
    """σ = exp(s) + 1e-3: v = −σ/exp(s) is finite, and 1e6 and more where σ has reached the floor."""
    found = certify(with_spread(lambda s: (s.exp() + 1e-3).log()), points(), reach=True)
    assert found.verdict("observation") == "holds where v is finite"
    shortest, longest = found.norm("observation")
    assert shortest < 1 < 1e6 < longest


def test_the_length_of_v():
    """−1 on s, whatever the parameters, is of length one; half of it where s counts twice."""
    for log_std, length in ((lambda s: 0.5 * s, 1.0), (lambda s: s, 0.5), (lambda s: 1e-3 * s, 500.0)):
        found = certify(with_spread(log_std), points(), trials=2)
        assert found.norm("observation") == pytest.approx((length, length), rel=1e-6)
    assert found.norm("prior")[0] < found.norm("prior")[1]
