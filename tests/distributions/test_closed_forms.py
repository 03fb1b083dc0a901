"""Every registered closed form of the cross-entropy, found by its registration."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from entropy_sums.distributions import (
    CLOSED_FORMS,
    Bernoulli,
    Categorical,
    Exponential,
    FullNormal,
    Gamma,
    Laplace,
    Normal,
    Poisson,
    cross_entropy,
    estimate_cross_entropy,
)

exact = settings(max_examples=12)
# Statistical checks see the same parameters in every run, so that they pass always or never.
statistical = settings(max_examples=5, derandomize=True)


def parameters_of_pair(q, p):
    return q.dims().flatmap(lambda dim: st.tuples(q.parameters(max(dim, 2)), p.parameters(max(dim, 2))))


def test_the_promised_pairs_are_registered():
    assert set(CLOSED_FORMS) == {
        (Normal, Normal),
        (Normal, FullNormal),
        (FullNormal, Normal),
        (FullNormal, FullNormal),
        (Normal, Laplace),
        (Laplace, Laplace),
        (Laplace, Normal),
        (Bernoulli, Bernoulli),
        (Categorical, Categorical),
        (Exponential, Exponential),
        (Exponential, Gamma),
        (Gamma, Exponential),
        (Gamma, Gamma),
        (Poisson, Poisson),
    }


@exact
@given(data=st.data())
def test_closed_form_is_the_exact_expectation(pair, data, exact_cross_entropy):
    q_case, p_case = pair
    q, p = data.draw(parameters_of_pair(q_case, p_case))
    expected = exact_cross_entropy(q_case, q, p_case, p)
    assert cross_entropy(q_case.family(*q), p_case.family(*p)).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@statistical
@given(data=st.data())
def test_closed_form_is_the_mean_of_samples(pair, data):
    q_case, p_case = pair
    q, p = q_case.family(*data.draw(q_case.parameters(3, 4))), p_case.family(*data.draw(p_case.parameters(3, 4)))
    closed = cross_entropy(q, p)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(CLOSED_FORMS, (type(q), type(p)))
        estimate = estimate_cross_entropy(q, p, 5_000, torch.Generator().manual_seed(0))
    assert ((estimate.value - closed).abs() <= 5 * estimate.standard_error + 1e-12).all()


@exact
@given(data=st.data())
def test_cross_entropy_with_itself_is_the_entropy(case, data):
    p = case.family(*data.draw(case.parameters(3, 4)))
    torch.testing.assert_close(cross_entropy(p, p), p.entropy(), rtol=1e-12, atol=1e-12)


@exact
@given(data=st.data())
def test_cross_entropy_is_at_least_the_entropy(pair, data):
    q_case, p_case = pair
    q, p = q_case.family(*data.draw(q_case.parameters(3, 4))), p_case.family(*data.draw(p_case.parameters(3, 4)))
    assert (cross_entropy(q, p) >= q.entropy() - 1e-10).all()


@exact
@given(data=st.data())
def test_shared_parameters_mean_the_same_as_repeated_ones(pair, data, unshared):
    q_case, p_case = pair
    q, p = data.draw(q_case.shared_parameters()), data.draw(p_case.shared_parameters())
    shared = cross_entropy(q_case.family(*q), p_case.family(*p))
    dim = max(q_case.family(*q).dim, p_case.family(*p).dim)
    # The event axis is as long as the longer of the two; the repeated coordinates are counted once each.
    full_q, full_p = ([parameter[..., :dim] for parameter in unshared(given)] for given in (q, p))
    full = cross_entropy(q_case.family(*full_q), p_case.family(*full_p))
    torch.testing.assert_close(shared.expand(2, 3), full, rtol=1e-12, atol=1e-12)


@exact
@given(data=st.data())
def test_a_posterior_meets_a_prior_shared_by_all_points(table, data):
    """By hand, where nothing is broadcast: point by point, coordinate by coordinate."""
    normal = table[Normal]
    q, p = data.draw(normal.parameters(2, 3, 4)), data.draw(normal.parameters(1, 1, 1))
    prior = Normal(*(parameter.reshape(1) for parameter in p))
    by_hand = [
        [
            sum(cross_entropy(Normal(*(parameter[r, b, [d]] for parameter in q)), prior) for d in range(4))
            for b in range(3)
        ]
        for r in range(2)
    ]
    torch.testing.assert_close(cross_entropy(Normal(*q), Normal(*p)), torch.tensor(by_hand, dtype=torch.float64))


@exact
@given(data=st.data())
def test_cross_entropy_has_the_right_gradient(pair, data):
    q_case, p_case = pair
    q, p = data.draw(q_case.parameters(1, 2)), data.draw(p_case.parameters(1, 2))
    torch.autograd.gradcheck(
        lambda *given: cross_entropy(q_case.family(*given[: len(q)]), p_case.family(*given[len(q) :])),
        [parameter.requires_grad_() for parameter in (*q, *p)],
    )


def test_bernoullis_agree_at_any_logit_in_float32():
    logits = torch.linspace(-100, 100, 401).unsqueeze(-1)
    q, p = Bernoulli(logits), Bernoulli(logits)
    torch.testing.assert_close(cross_entropy(q, p), q.entropy(), rtol=1e-6, atol=1e-35)


def test_a_narrow_normal_meets_the_kink_of_a_laplace():
    loc = torch.tensor([[-2.0], [0.0], [1.5]], requires_grad=True)
    q, p = Normal(loc, torch.full((1, 1), -30.0)), Laplace(torch.zeros(1, 1), torch.zeros(1, 1))
    value = cross_entropy(q, p)
    torch.testing.assert_close(value, loc.detach().squeeze(-1).abs() + torch.tensor(2.0).log())
    value.sum().backward()
    assert loc.grad is not None
    torch.testing.assert_close(loc.grad.squeeze(-1), torch.tensor([-1.0, 0.0, 1.0]))


def test_poisson_splits_into_parameters_and_base_measure():
    q, p = Poisson(torch.tensor([[0.3, -1.0, 4.5]])), Poisson(torch.tensor([[1.1, 0.0, 4.0]]))
    without = (p.mean - q.mean * p.log_rate).sum(-1)
    torch.testing.assert_close(cross_entropy(q, p), without - q.expected_base_measure())
