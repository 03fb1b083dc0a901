"""Estimators of gradients: their means, summed exactly over everything that is random, are the exact gradients."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bernoulli, norm

from entropy_sums import estimators

pytestmark = pytest.mark.usefixtures("float64")

SIZE = 2
LOGITS = st.lists(st.floats(-5, 5), min_size=SIZE, max_size=SIZE).map(torch.tensor)
VALUES = st.lists(st.floats(-10, 10), min_size=2**SIZE, max_size=2**SIZE).map(torch.tensor)
"""f of every state."""


def exact(logits, values):
    """Gradient of E f, from the sum over all states."""
    logits = logits.clone().requires_grad_()
    q = estimators.log_probs(logits.unsqueeze(0), estimators.all_states(SIZE, logits)).exp().squeeze(0)
    return torch.autograd.grad((q * values).sum(), logits)[0]


def choices(samples):
    """All choices of so many states, `(samples, choice)`."""
    return torch.tensor(list(itertools.product(range(2**SIZE), repeat=samples))).T


def mean_gradient(logits, samples, estimate):
    """Mean gradient of `estimate(chosen states, log q)` over all choices of so many independent samples."""
    logits, z = logits.clone().requires_grad_(), choices(samples)
    log_q = estimators.log_probs(logits.unsqueeze(0), estimators.all_states(SIZE, logits)).squeeze(0)[z]
    return torch.autograd.grad((log_q.sum(0).exp().detach() * estimate(z, log_q)).sum(), logits)[0]


@given(logits=LOGITS, values=VALUES)
@pytest.mark.parametrize("samples", [2, 3])
def test_reinforce_is_unbiased(samples, logits, values):
    found = mean_gradient(logits, samples, lambda z, log_q: estimators.reinforce(values[z], log_q).mean(0))
    torch.testing.assert_close(found, exact(logits, values), rtol=1e-10, atol=1e-10)


@given(logits=LOGITS, values=VALUES)
@pytest.mark.parametrize("samples", [2, 3])
def test_vimco_is_the_bound_with_an_unbiased_gradient(samples, logits, values):
    """Against autograd of the sum over all choices of samples, which knows of no estimator."""
    direct, z = logits.clone().requires_grad_(), choices(samples)
    log_q = estimators.log_probs(direct.unsqueeze(0), estimators.all_states(SIZE, direct)).squeeze(0)[z]
    bounds = ((values[z] - log_q).exp().sum(0) / samples).log()
    expected = torch.autograd.grad((log_q.sum(0).exp() * bounds).sum(), direct)[0]
    found = mean_gradient(logits, samples, lambda z, log_q: estimators.vimco(values[z] - log_q, log_q))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(estimators.vimco(values[z] - log_q, log_q), bounds, rtol=1e-12, atol=1e-12)


def regions(logit):
    """Middles and lengths of the parts of (0, 1) within which no state depends on the uniform number."""
    edges = sorted([0.0, *torch.tensor([logit, -logit]).sigmoid().tolist(), 1.0])
    return [((a + b) / 2, b - a) for a, b in itertools.pairwise(edges)]


@given(logits=LOGITS, values=VALUES)
def test_disarm_is_unbiased(logits, values):
    leaf, total = logits.clone().requires_grad_(), 0
    for cell in itertools.product(*map(regions, logits.tolist())):
        u = torch.tensor([middle for middle, _ in cell])
        z, other = estimators.states(leaf, u), estimators.states(leaf, 1 - u)
        place = 2 ** torch.arange(SIZE, dtype=torch.get_default_dtype())
        difference = values[int(z @ place)] - values[int(other @ place)]
        total = total + math.prod(length for _, length in cell) * estimators.disarm(difference, z, other, leaf)
    found = torch.autograd.grad(total, leaf)[0]
    torch.testing.assert_close(found, exact(logits, values), rtol=1e-10, atol=1e-10)


def test_estimates_are_zeros_but_for_their_gradient():
    logits, z = torch.tensor([0.3, -2.0]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert estimators.disarm(torch.tensor([3.0, 1.0]), z, 1 - z, logits).tolist() == [0, 0]
    assert estimators.reinforce(torch.tensor([3.0, 1.0]), torch.tensor([-1.0, -2.0])).tolist() == [0, 0]


def test_states_and_their_probabilities_against_scipy():
    logits = torch.tensor([[2.0, -0.5, 0.0], [0.1, -8.0, 8.0]])
    states = estimators.all_states(3, logits)
    assert sorted(map(tuple, states.tolist())) == list(itertools.product([0, 1], repeat=3))
    p = logits.sigmoid().numpy()
    expected = [[bernoulli.logpmf(z, row).sum() for z in states.numpy()] for row in p]
    np.testing.assert_allclose(estimators.log_probs(logits, states), expected, rtol=1e-10)


def test_uniform_numbers_make_states_as_probable_as_their_logits_say():
    grid = (torch.arange(20_000) + 0.5) / 20_000
    np.testing.assert_allclose(estimators.uniform(torch.tensor(norm.ppf(grid))), grid, rtol=1e-12)
    logits = torch.tensor([-3.0, 0.2, 4.0])
    for numbers in (grid, 1 - grid):
        frequency = estimators.states(logits, numbers.unsqueeze(-1)).mean(0)
        torch.testing.assert_close(frequency, logits.sigmoid(), rtol=0, atol=1e-4)


def test_vimco_with_very_small_weights_is_finite():
    log_weights = torch.tensor([-2000.0, -3000.0, -2001.0], requires_grad=True)
    bound = estimators.vimco(log_weights, log_weights)
    assert bound.item() == pytest.approx(-2000 + math.log((1 + math.exp(-1)) / 3))
    bound.backward()
    assert log_weights.grad is not None
    assert log_weights.grad.isfinite().all()


@pytest.mark.parametrize("estimator", [estimators.reinforce, estimators.vimco])
def test_one_sample_has_no_others(estimator):
    with pytest.raises(ValueError, match="at least 2 posterior samples per point; set samples: 2"):
        estimator(torch.zeros(1, 3), torch.zeros(1, 3))
