"""Annealed importance sampling: exact where it must be, and on both sides of a known log Z."""

import math
from itertools import pairwise

import pytest
import torch

from entropy_sums.ais import anneal, forward, reverse, schedule

pytestmark = pytest.mark.usefixtures("float64")


class Spins:
    """One unit with logit β·l: f_β(s) = exp(β·l·s), moved by exact samples, so that every weight is known."""

    def __init__(self, logit, seed=0):
        self.logit, self.source = logit, torch.Generator().manual_seed(seed)

    def sample(self, like, beta):
        return (torch.rand(like.shape, generator=self.source) < torch.sigmoid(beta * self.logit)).to(like)

    def __call__(self, state, start, end):
        return ((end - start) * self.logit * state).squeeze(-1), self.sample(state, end)


def test_the_schedule_is_that_of_salakhutdinov_and_murray():
    betas = schedule(14_500)
    assert len(betas) == 14_501
    assert (betas[500], betas[4500], betas[-1]) == (0.5, 0.9, 1.0)
    assert all(a < b for a, b in pairwise(betas))


def test_a_short_schedule_goes_from_base_to_model():
    assert [schedule(count)[:: count or 1] for count in (1, 2, 7)] == [[0.0, 1.0]] * 3


def test_one_temperature_is_importance_sampling():
    state = torch.tensor([[[0.0], [1.0], [1.0]]])
    weights, _ = anneal(Spins(torch.tensor(2.0)), state, [0.0, 1.0])
    torch.testing.assert_close(weights, torch.tensor([[0.0, 2.0, 2.0]]))


def test_forward_and_reverse_against_a_known_normaliser():
    """Means over many estimates: E[w] is exact, so log w̄ is below, and above in reverse."""
    logit = torch.tensor(6.0)
    exact, base = math.log1p(math.exp(6.0)), torch.full((2000,), math.log(2.0))
    path, betas = Spins(logit), schedule(6)
    blank = torch.empty(2000, 10, 1)
    up, _ = anneal(path, path.sample(blank, 0.0), betas)
    down, _ = anneal(path, path.sample(blank, 1.0), betas[::-1])
    above, below = reverse(base, down), forward(base, up)
    torch.testing.assert_close(up.exp().mean() * 2, torch.tensor(math.exp(exact)), rtol=0.02, atol=0)
    standard_error = below.value.std() / math.sqrt(2000)
    assert below.value.mean() < exact - 3 * standard_error
    assert above.value.mean() > exact + 3 * above.value.std() / math.sqrt(2000)


def test_intervals_cover():
    """95 % intervals of many estimates with plenty of chains hold the truth about that often."""
    path, betas = Spins(torch.tensor(1.0), seed=1), schedule(4)
    exact = math.log1p(math.e)
    base, blank = torch.full((1000,), math.log(2.0)), torch.empty(1000, 400, 1)
    up, _ = anneal(path, path.sample(blank, 0.0), betas)
    down, _ = anneal(path, path.sample(blank, 1.0), betas[::-1])
    for estimate in (forward(base, up), reverse(base, down)):
        covered = ((estimate.lower < exact) & (exact < estimate.upper)).double().mean()
        assert 0.93 < covered < 0.97
        assert (estimate.lower < estimate.value).all()
        assert (estimate.value < estimate.upper).all()


def test_an_interval_without_a_lower_limit():
    estimate = forward(torch.zeros(1), torch.tensor([[0.0, 100.0]]))
    assert estimate.lower == -math.inf < estimate.value < estimate.upper
