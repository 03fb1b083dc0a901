"""Random numbers of each replica's own: the same in any company, from the distributions that they are said to be."""

import math

import pytest
import torch
from scipy.stats import kstest

from entropy_sums.models.binary.draws import Draws


def noise(replicas, dtype=torch.float32, seed=0):
    return torch.randn(replicas, 5, 2, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_replica_draws_the_same_numbers_in_any_company(dtype):
    all_of_them = noise(4, dtype)
    for position in range(4):
        pack, alone = Draws(all_of_them), Draws(all_of_them[position : position + 1])
        for draw in (
            lambda draws: draws.uniform(3, 2),
            lambda draws: draws.normal(7, dtype=dtype),
            lambda draws: draws.bernoulli(torch.zeros(len(draws.generators), 9, 2)),
        ):
            assert draw(pack)[position].equal(draw(alone)[0])


def test_both_precisions_draw_the_same_numbers():
    single, double = Draws(noise(3)), Draws(noise(3).double())
    assert single.uniform(7).equal(double.uniform(7))
    assert single.normal(20, dtype=torch.float32).double().equal(double.normal(20, dtype=torch.float64))
    logits = noise(3, seed=1)
    assert single.bernoulli(logits).double().equal(double.bernoulli(logits.double()))


def test_replicas_and_steps_draw_different_numbers():
    first, second = (Draws(noise(20, seed=seed)).uniform(4) for seed in (0, 1))
    assert torch.cat([first, second]).unique(dim=0).shape == (40, 4)


def test_first_numbers_of_many_seeds_are_uniform():
    """As each step begins a generator of its own, first numbers are what a run is made of."""
    first = Draws(noise(5000)).uniform(3)
    assert all(kstest(column.numpy(), "uniform").pvalue > 1e-3 for column in first.T)
    assert first.T.corrcoef().fill_diagonal_(0).abs().max() < 0.06


def test_numbers_follow_their_distributions():
    draws = Draws(noise(1))
    assert kstest(draws.normal(5000, dtype=torch.float64)[0].numpy(), "norm").pvalue > 1e-3
    logits = torch.tensor([-200.0, -1.0, 0.0, 2.0, 200.0], dtype=torch.float64)
    sample = draws.bernoulli(logits.expand(1, 40_000, 5))
    assert sample.dtype == torch.float64
    torch.testing.assert_close(sample.mean((0, 1)), logits.sigmoid(), atol=0.01, rtol=0)
    assert sample[..., 0].max() == 0 < 1 == sample[..., -1].min()


@pytest.mark.parametrize("shared", [0.0, 1 - 2.0**-24])
@pytest.mark.parametrize("own", [0, 2**16 - 1])
def test_certain_units_are_certain_whatever_is_drawn(monkeypatch, own, shared):
    draws = Draws(noise(2))
    monkeypatch.setattr(draws, "_short", lambda count: torch.full((2, count), own).to(torch.uint16))
    monkeypatch.setattr(draws, "uniform", lambda *shape: torch.full((2, *shape), shared))
    sample = draws.bernoulli(torch.tensor([-math.inf, math.inf]).expand(2, 3, 2))
    assert sample.equal(torch.tensor([0.0, 1.0]).expand(2, 3, 2))


def test_samples_have_no_gradient():
    logits = torch.zeros(2, 3, 2, requires_grad=True)
    assert not Draws(noise(2)).bernoulli(logits).requires_grad


@pytest.mark.parametrize("share", [0.3, 1.6])
def test_probabilities_between_two_of_16_bits_are_met(share):
    """Which of both neighbours it is all units of a row decide together, so that many rows are needed."""
    probability, rows, units = share / 2**16, 200_000, 100
    sample = Draws(noise(1)).bernoulli(torch.tensor(probability).logit().expand(1, rows, units))
    # Of the count of a row: the variance of a binomial variable, and that of what all its units share
    fraction = share % 1
    variance = units * probability + (units / 2**16) ** 2 * fraction * (1 - fraction)
    assert abs(sample.sum().item() - rows * units * probability) < 4 * math.sqrt(rows * variance)


def test_units_are_independent():
    sample = Draws(noise(1)).bernoulli(torch.tensor([-1.0, 0.0, 0.5, 2.0]).expand(1, 50_000, 4))[0]
    assert sample.T.corrcoef().fill_diagonal_(0).abs().max() < 0.02
    rows = torch.stack([sample[:-1, 1], sample[1:, 1]])
    assert rows.corrcoef()[0, 1].abs() < 0.02
