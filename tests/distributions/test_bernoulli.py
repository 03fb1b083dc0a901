from __future__ import annotations

import math

import pytest
import torch

from entropy_sums.distributions import Bernoulli


def exact_entropy(logit: float) -> float:
    """In Python's float64, from e^{-|l|} alone, which never cancels."""
    small = math.exp(-abs(logit))
    return math.log1p(small) + abs(logit) * small / (1 + small)


@pytest.mark.parametrize("logit", [-100.0, -80.0, -30.0, -17.0, -1.0, 0.0, 1e-3, 5.0, 17.0, 30.0, 80.0, 100.0])
def test_entropy_keeps_its_digits_in_float32(logit):
    entropy = Bernoulli(torch.tensor([[logit]])).entropy().item()
    # e^-100 is a subnormal float32, of which few digits are left.
    assert entropy == pytest.approx(exact_entropy(logit), rel=1e-6 if abs(logit) <= 80 else 0.05, abs=0)
    assert entropy > 0


@pytest.mark.parametrize("logit", [-100.0, -25.0, 25.0, 100.0])
def test_gradient_keeps_its_digits_in_float32(logit):
    logits = torch.tensor([[logit]], requires_grad=True)
    Bernoulli(logits).entropy().sum().backward()
    assert logits.grad is not None
    small = math.exp(-abs(logit))
    exact = -logit * small / (1 + small) ** 2
    assert logits.grad.item() == pytest.approx(exact, rel=1e-6 if abs(logit) <= 80 else 0.05, abs=0)


@pytest.mark.parametrize("logit", [-40.0, -25.0, -21.0, 21.0, 25.0, 40.0])
def test_log_mass_keeps_its_digits_in_float64(logit):
    """torch's softplus turns linear at 20, an error of 2e-9."""
    p = Bernoulli(torch.tensor([[logit]], dtype=torch.float64))
    unlikely = torch.tensor([[0.0 if logit > 0 else 1.0]], dtype=torch.float64)
    exact = -abs(logit) - math.log1p(math.exp(-abs(logit)))
    assert p.log_prob(unlikely).item() == pytest.approx(exact, rel=1e-15, abs=0)


def test_grey_values_interpolate_between_black_and_white():
    p = Bernoulli(torch.tensor([[0.7]]))
    black, white, grey = (p.log_prob(torch.tensor([[value]])) for value in (0.0, 1.0, 0.25))
    torch.testing.assert_close(grey, 0.75 * black + 0.25 * white)
