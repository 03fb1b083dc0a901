from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from entropy_sums.distributions import Exponential, Gamma, cross_entropy

exact = settings(max_examples=12)


@exact
@given(data=st.data())
def test_an_exponential_is_a_gamma_of_concentration_one(table, data):
    (log_rate,) = data.draw(table[Exponential].parameters(3, 4))
    exponential, gamma = Exponential(log_rate), Gamma(torch.zeros(1, 1).double(), log_rate)
    values = exponential.draw(2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(exponential.log_prob(values), gamma.log_prob(values))
    torch.testing.assert_close(exponential.entropy(), gamma.entropy())
    torch.testing.assert_close(exponential.mean_log, gamma.mean_log)
    other = Gamma(*data.draw(table[Gamma].parameters(3, 4)))
    torch.testing.assert_close(cross_entropy(other, exponential), cross_entropy(other, gamma))
    torch.testing.assert_close(cross_entropy(exponential, other), cross_entropy(gamma, other))


@exact
@given(data=st.data())
def test_mean_log_is_that_of_quadrature(table, data):
    case = table[Gamma]
    parameters = data.draw(case.parameters(3))
    twin = case.twin(parameters)
    points, weights = case.nodes(twin, twin)
    np.testing.assert_allclose(Gamma(*parameters).mean_log, (weights * np.log(points)).sum(0), rtol=1e-9, atol=1e-9)


def test_the_density_at_zero_is_that_of_the_exponential():
    assert Gamma(torch.zeros(1, 1), torch.zeros(1, 1)).log_prob(torch.zeros(1, 1)).item() == 0


def test_samples_of_a_tiny_concentration_keep_a_finite_density():
    p = Gamma(torch.full((1, 1), -7.0), torch.full((1, 1), 30.0))
    samples = p.draw(1_000, torch.Generator().manual_seed(0))
    assert (samples > 0).all()
    assert p.log_prob(samples).isfinite().all()
