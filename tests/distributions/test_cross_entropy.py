"""Registration, look-up and the Monte Carlo estimate."""

from __future__ import annotations

import pytest
import torch

from entropy_sums.distributions import (
    CLOSED_FORMS,
    Gamma,
    Normal,
    Poisson,
    cross_entropy,
    estimate_cross_entropy,
    register,
)


@pytest.fixture
def q() -> Gamma:
    return Gamma(torch.tensor([[[0.0, 1.0], [0.5, -0.5]]], dtype=torch.float64), torch.zeros(1, 1, 1).double())


@pytest.fixture
def p() -> Normal:
    return Normal(torch.ones(1, 1, 2).double(), torch.full((1, 1, 1), 0.5).double())


@pytest.fixture
def exact(q, p):
    """Only the first two moments of q matter to a normal p."""
    moment = q.variance + (q.mean - p.loc).square()
    variance = (2 * p.log_std).exp()
    return 0.5 * (moment / variance + (2 * torch.pi * variance).log()).sum(-1)


def test_an_unregistered_pair_is_refused_with_the_way_out(q, p):
    with pytest.raises(LookupError, match=r"from Gamma to Normal; use estimate_cross_entropy\(q, p, samples, gen"):
        cross_entropy(q, p)


def test_an_unregistered_pair_is_estimated(q, p, exact):
    estimate = estimate_cross_entropy(q, p, 20_000, torch.Generator().manual_seed(0))
    assert estimate.value.shape == estimate.standard_error.shape == (1, 2)
    assert (estimate.standard_error > 0).all()
    assert ((estimate.value - exact).abs() <= 5 * estimate.standard_error).all()


def test_a_seed_fixes_the_estimate(q, p):
    first, again, other = (estimate_cross_entropy(q, p, 10, torch.Generator().manual_seed(s)).value for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_standard_error_is_the_spread_of_estimates(q, p):
    generator = torch.Generator().manual_seed(0)
    estimates = [estimate_cross_entropy(q, p, 200, generator) for _ in range(400)]
    spread = torch.stack([estimate.value for estimate in estimates]).std(0)
    claimed = torch.stack([estimate.standard_error for estimate in estimates]).square().mean(0).sqrt()
    torch.testing.assert_close(claimed, spread, rtol=0.15, atol=0)


def test_the_error_shrinks_with_the_square_root_of_samples(q, p):
    few, many = (estimate_cross_entropy(q, p, n, torch.Generator().manual_seed(1)) for n in (1_000, 100_000))
    torch.testing.assert_close(
        few.standard_error / many.standard_error, torch.full((1, 2), 10.0).double(), rtol=0.3, atol=0
    )


def test_the_closed_form_is_preferred(p):
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    estimate = estimate_cross_entropy(p, p, 2, generator)
    assert torch.equal(estimate.value, cross_entropy(p, p))
    assert not estimate.standard_error.any()
    assert torch.equal(before, generator.get_state())


@pytest.mark.parametrize("samples", [0, 1])
def test_too_few_samples_are_refused(q, p, samples):
    with pytest.raises(ValueError, match=f"at least 2 samples, got {samples}"):
        estimate_cross_entropy(q, p, samples, torch.Generator())


def test_a_scalar_prior_stands_for_all_coordinates_of_samples():
    """As in the closed forms, an event axis of length 1 means independent, identical coordinates."""
    values = torch.randn(5, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    scalar = Normal(torch.full((1, 1, 1), 0.3), torch.full((1, 1, 1), 0.7))
    vector = Normal(torch.full((1, 1, 4), 0.3), torch.full((1, 1, 4), 0.7))
    torch.testing.assert_close(scalar.log_prob(values), vector.log_prob(values))


def test_a_new_closed_form_takes_one_decorator(q, p):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CLOSED_FORMS, (Poisson, Normal), None)  # taken out again at the end

        @register(Poisson, Normal)
        def moments(q, p):
            return q.mean.sum(-1) * 0 + 7

        assert cross_entropy(Poisson(torch.zeros(2, 1)), p).tolist() == [7.0, 7.0]
    assert (Poisson, Normal) not in CLOSED_FORMS
