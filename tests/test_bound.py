from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from entropy_sums.bound import Bound, Factor

REPLICAS = 3
nats = arrays(np.float64, REPLICAS, elements=st.floats(-1e3, 1e3)).map(torch.from_numpy)
factors = st.dictionaries(st.text(min_size=1), st.builds(Factor, nats, nats), min_size=1, max_size=4)
bounds = st.builds(Bound, nats, factors)


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-11)


@given(bounds)
def test_gap_is_elbo_minus_entropy_sum(bound):
    close(bound.gap, bound.elbo - bound.entropy_sum)


@given(bounds)
def test_each_is_the_sum_of_its_terms(bound):
    terms = list(bound.factors.values())
    close(bound.elbo, bound.posterior_entropy - sum(factor.cross_entropy for factor in terms))
    close(bound.entropy_sum, bound.posterior_entropy - sum(factor.entropy for factor in terms))
    close(bound.gap, sum(factor.entropy - factor.cross_entropy for factor in terms))
    assert bound.elbo.shape == bound.entropy_sum.shape == bound.gap.shape == (REPLICAS,)


@given(bounds, nats)
def test_posterior_entropy_raises_both_sums_and_leaves_the_gap(bound, more):
    raised = Bound(bound.posterior_entropy + more, bound.factors)
    close(raised.elbo, bound.elbo + more)
    close(raised.entropy_sum, bound.entropy_sum + more)
    assert torch.equal(raised.gap, bound.gap)


@given(bounds)
def test_the_gap_vanishes_where_every_cross_entropy_is_an_entropy(bound):
    tight = {name: Factor(factor.entropy, factor.entropy) for name, factor in bound.factors.items()}
    settled = Bound(bound.posterior_entropy, tight)
    assert not settled.gap.any()
    assert torch.equal(settled.elbo, settled.entropy_sum)


def test_a_small_gap_survives_large_terms():
    factor = Factor(cross_entropy=torch.tensor([1.0]), entropy=torch.tensor([1.0 + 2**-20]))
    bound = Bound(torch.tensor([1e6]), {"observation": factor})
    assert bound.gap.item() == 2**-20
    assert (bound.elbo - bound.entropy_sum).item() == 0  # what the difference of sums would have shown


def test_gradients_flow_through_the_bound():
    terms = [torch.ones(REPLICAS, requires_grad=True) for _ in range(3)]
    posterior_entropy, cross_entropy, entropy = terms
    bound = Bound(posterior_entropy, {"prior": Factor(cross_entropy, entropy)})
    (bound.elbo + 10 * bound.entropy_sum).sum().backward()
    assert [term.grad.unique().item() for term in terms if term.grad is not None] == [11.0, -1.0, -10.0]


def test_a_bound_cannot_be_changed():
    factor = Factor(torch.zeros(1), torch.zeros(1))
    with pytest.raises(FrozenInstanceError):
        Bound(torch.zeros(1), {"prior": factor}).posterior_entropy = torch.ones(1)  # pyright: ignore


def test_an_entropy_is_computed_when_it_is_asked_for_and_once():
    calls = []

    def entropy():
        calls.append("called")
        return torch.ones(1)

    factor = Factor(torch.zeros(1), entropy)
    bound = Bound(torch.zeros(1), {"prior": factor})
    assert bound.elbo == 0
    assert not calls
    assert (bound.gap, bound.entropy_sum) == (1, -1)
    assert calls == ["called"]
