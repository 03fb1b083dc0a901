"""The scale of residuals: zero of zero holds, and a total that fails is as large a failure as its factors."""

import numpy as np
import pytest
import torch
from torch import nn

from entropy_sums.bound import Bound, Factor
from entropy_sums.certificates.certificate import certify
from entropy_sums.certificates.system import relative
from entropy_sums.distributions import Normal
from entropy_sums.models.model import Model

pytestmark = pytest.mark.usefixtures("float64")


class Pair(Model):
    """A normal with log σ learned or not, beside a factor without any term, or with constant terms."""

    factors = ("nothing", "observation")

    def __init__(self, learned, constant=0.0):
        super().__init__(latent_dim=1, noise_dim=0)
        self.location, self.log_std = (nn.Parameter(torch.zeros(1, 1, size)) for size in (3, 1))
        self.constant = constant
        self.log_std.requires_grad_(learned)

    def posterior(self, x):
        return Normal(self.location[..., :1], self.log_std)

    def bound(self, x, noise, posterior=None):
        p, zero = Normal(self.location, self.log_std), torch.zeros(self.replicas)
        nothing = Factor(zero + self.constant, zero + self.constant)
        return Bound(
            zero, {"nothing": nothing, "observation": Factor(-self.mean(p.log_prob(x)), self.mean(p.entropy()))}
        )


def points():
    return torch.randn(60, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("constant", [0.0, 5.0])
@pytest.mark.parametrize("learned", [True, False])
def test_a_gap_that_is_identically_zero_holds_and_leaves_the_total_as_it_is(learned, constant):
    found = certify(Pair(learned, constant), points(), reach=True)
    assert (found.verdict("nothing"), found.direction_of("nothing")) == ("holds", "0")
    assert found.residual("nothing") == 0
    assert found.holds("observation") == found.holds() == learned
    assert found.residual() == pytest.approx(found.residual("observation"), rel=1e-6, abs=1e-12)
    assert found.residual() < 3


def test_a_model_without_a_gradient_has_a_verdict():
    """All is held fixed but a parameter that does nothing."""
    model = Pair(learned=False)
    model.location.requires_grad_(False)
    model.weight = nn.Parameter(torch.ones(1, 2, 2))
    found = certify(model, points(), trials=2)
    assert found.verdict() == found.verdict("observation") == "does not hold"
    assert found.residual() == pytest.approx(1)


def test_zero_of_zero_is_zero():
    np.testing.assert_array_equal(relative(np.array([0.0, 1.0, 1.0]), np.array([0.0, 0.0, 2.0])), [0, np.inf, 0.5])
