from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.special import gammaln

from entropy_sums.distributions import Poisson
from entropy_sums.distributions.poisson import _by_series

RATES = [1e-6, 1e-3, 0.1, 1.0, 5.0, 30.0, 63.0, 64 - 1e-9, 64.0, 64 + 1e-9, 65.0, 100.0, 1e3, 1e4]


def expectation(rate: float, function) -> float:
    counts = np.arange(int(rate + 20 * math.sqrt(rate) + 80))
    return float((scipy.stats.poisson.pmf(counts, rate) * function(counts)).sum())


def poisson(*rates: float) -> Poisson:
    return Poisson(torch.tensor([rates], dtype=torch.float64).log())


@pytest.mark.parametrize("rate", RATES)
def test_entropy_is_the_sum_over_all_counts(rate):
    exact = expectation(rate, lambda counts: -scipy.stats.poisson.logpmf(counts, rate))
    # The oracle itself cancels terms of size rate · log rate.
    assert poisson(rate).entropy().item() == pytest.approx(
        exact, rel=1e-12, abs=1e-15 * rate * (1 + abs(math.log(rate)))
    )


@pytest.mark.parametrize("rate", RATES)
def test_gradient_is_the_sum_over_all_counts(rate):
    log_rate = torch.tensor([[math.log(rate)]], dtype=torch.float64, requires_grad=True)
    Poisson(log_rate).entropy().sum().backward()
    assert log_rate.grad is not None
    exact = rate * expectation(rate, lambda counts: np.log((counts + 1) / rate))
    assert log_rate.grad.item() == pytest.approx(exact, rel=1e-10, abs=1e-15 * rate * (1 + abs(math.log(rate))))


def test_second_derivative_exists():
    log_rate = torch.tensor([[-1.0, 2.0, 5.0]], dtype=torch.float64, requires_grad=True)
    # Without grad_outputs, torch would draw them from its global generator.
    torch.autograd.gradgradcheck(
        lambda given: Poisson(given).entropy(), log_rate, torch.ones(1, dtype=torch.float64, requires_grad=True)
    )


def test_sum_and_series_meet():
    below, above = poisson(64 * (1 - 1e-15)).entropy(), poisson(64 * (1 + 1e-15)).entropy()
    torch.testing.assert_close(below, above, rtol=0, atol=2e-12)


def test_every_term_of_the_series_counts():
    """At a rate as small as 20 the terms left out are known: 9.69e-10 nats, found with 40 digits."""
    by_series = _by_series(torch.tensor(20.0, dtype=torch.float64).log())
    assert (by_series - poisson(20.0).entropy()).item() == pytest.approx(9.69e-10, abs=2e-12)


def test_entropy_of_a_diverging_rate_is_no_error():
    """A replica that diverges must not stop its pack, nor take forever."""
    entropies = Poisson(torch.tensor([[1e3], [math.inf], [math.nan]])).entropy()
    assert entropies[0].item() == pytest.approx(0.5 * (1 + math.log(2 * math.pi) + 1e3))
    assert entropies[1].item() == math.inf
    assert entropies[2].isnan()


def test_float32_has_all_its_digits_where_terms_cancel():
    log_rates = torch.linspace(-3, 12, 61).unsqueeze(-1)
    torch.testing.assert_close(
        Poisson(log_rates).entropy().double(), Poisson(log_rates.double()).entropy(), rtol=2e-7, atol=0
    )


def test_base_measure_is_the_log_factorial():
    counts = np.array([[0.0, 1.0, 5.0], [170.0, 3.0, 2.0]])
    base_measure = poisson(1.0, 2.0, 3.0).base_measure(torch.from_numpy(counts))
    np.testing.assert_allclose(base_measure, -gammaln(counts + 1).sum(-1), rtol=1e-14)


@pytest.mark.parametrize("rate", [0.1, 1.0, 30.0, 100.0])
def test_expected_base_measure_is_the_sum_over_all_counts(rate):
    expected = -expectation(rate, lambda counts: gammaln(counts + 1))
    assert poisson(rate).expected_base_measure().item() == pytest.approx(expected, rel=1e-12)


def test_pseudo_entropy_leaves_out_the_base_measure():
    p = poisson(0.5, 3.0, 80.0)
    rates = torch.tensor([0.5, 3.0, 80.0], dtype=torch.float64)
    torch.testing.assert_close(p.pseudo_entropy(), (rates - rates * rates.log()).sum().unsqueeze(0))
    torch.testing.assert_close(p.entropy(), p.pseudo_entropy() - p.expected_base_measure())


def test_log_mass_splits_off_the_base_measure():
    p = poisson(0.5, 3.0)
    values = p.draw(4, torch.Generator().manual_seed(0))
    torch.testing.assert_close(p.log_prob(values) - p.base_measure(values), (values * p.log_rate - p.mean).sum(-1))
